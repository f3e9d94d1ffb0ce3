//! Bodies of datagrams of updates: what can be read can be written, and is then read alike.

use raq_shared::coding::{Coding, Framing, Sink, Source, UpdateList, read, write};
use raq_shared::tile::TileGrid;

use crate::sample;
use crate::tape::Tape;

/// Reads bytes as a body; the first ones say how it is framed.
pub fn body(bytes: &[u8]) {
    let mut tape = Tape(bytes);
    let flags = tape.byte();
    let grid = TileGrid {
        columns: usize::from(flags >> 4) + 1,
        rows: usize::from(flags >> 2 & 3) + 1,
    };
    let temporal = sample::temporal();
    let coding = [Coding::Range, Coding::Plain][usize::from(flags & 1)];
    let explicit = flags & 2 != 0;
    let level = tape.byte() % 97;
    let floor = tape.byte();
    let count = tape.byte().max(1);
    let mut framing = Framing {
        grid,
        stages: &temporal.stages,
        tables: &temporal.tables,
        level,
        codewords: None,
        floor,
        index: tape.byte() % count,
        count,
    };
    let (mut words, mut updates) = (Vec::new(), UpdateList::new());
    let source = Source::new(coding, tape.0, &mut words);
    let Ok(codewords) = read(&framing, explicit, source, &mut updates) else {
        return;
    };
    assert!(updates.as_slice().len() <= grid.tiles());
    framing.codewords = explicit.then_some(codewords);
    let mut again = Vec::new();
    let coding = write(&framing, updates.as_slice(), &mut Sink::new(), &mut again);
    let mut same = UpdateList::new();
    let source = Source::new(coding, &again, &mut words);
    let read = read(&framing, explicit, source, &mut same);
    assert_eq!(read, Ok(codewords));
    assert_eq!(same.as_slice(), updates.as_slice());
}
