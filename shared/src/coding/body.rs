//! The body of a datagram: the updates of its tiles, symbol by symbol.
//!
//! The order of symbols is written down in `shared/docs/PROTOCOL.md`; reading checks everything
//! that can be wrong before any state changes.

use super::symbols::{Coding, Garbage, Sink, Source};
use super::tables::{BASES, Band, Tables, class, class_size};
use crate::stage::{MAX_STAGES, Stages};
use crate::tile::apply::{quarter_place, sources};
use crate::tile::{Base, Displacement, Filter, Operation, Start, TileGrid, Update};

/// What a body is coded with besides its bytes: known from the handshake and the header.
#[derive(Debug, Clone, Copy)]
pub struct Framing<'a> {
    /// The picture's tiles.
    pub grid: TileGrid,
    /// The model's stages.
    pub stages: &'a Stages,
    /// The model's tables.
    pub tables: &'a Tables,
    /// The frame's level, which says the band.
    pub level: u8,
    /// K̃ per stage if the body names them, else the band's.
    pub codewords: Option<[u16; MAX_STAGES]>,
    /// How many frames the floor lies back, 0 for none.
    pub floor: u8,
    /// Index of the datagram.
    pub index: u8,
    /// Number of datagrams of the frame.
    pub count: u8,
}

impl Framing<'_> {
    fn band(&self) -> &Band {
        self.tables.band(self.level)
    }

    /// How many symbols of a base are possible.
    fn bases(&self) -> usize {
        match self.floor {
            0 => BASES,
            back => usize::from(back).min(BASES),
        }
    }
}

/// A body that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not a sequence of symbols, or something follows.
    #[error(transparent)]
    Garbage(#[from] Garbage),
    /// A base at or below the floor that is not named so, or a floor where there is none.
    #[error("a base that the floor rules out")]
    Base,
    /// A displacement beyond reach or out of the picture.
    #[error("a copy from outside the picture")]
    Displacement,
}

/// Bases that an update of a list has room for from the beginning: a copy reads no more tiles.
const BASES_RESERVED: usize = 16;
/// Operations that it has room for; few updates have more.
const OPERATIONS_RESERVED: usize = 128;

/// Updates whose buffers are used again.
#[derive(Debug, Clone, Default)]
pub struct UpdateList {
    updates: Vec<Update>,
    len: usize,
}

impl UpdateList {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the updates, keeps their buffers.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// One more, of `tile`, without bases and operations.
    pub fn push(&mut self, tile: u32, start: Start) -> &mut Update {
        if self.len == self.updates.len() {
            self.grow();
        }
        let update = &mut self.updates[self.len];
        self.len += 1;
        (update.tile, update.start) = (tile, start);
        update.source_bases.clear();
        update.operations.clear();
        update
    }

    /// Room for twice as many, so that lists soon stop growing.
    fn grow(&mut self) {
        let more = self.updates.len().max(8);
        self.updates.extend((0..more).map(|_| {
            let mut update = Update::new(0, Start::Reset);
            update.source_bases.reserve(BASES_RESERVED);
            update.operations.reserve(OPERATIONS_RESERVED);
            update
        }));
    }

    /// Bytes of the updates and of those whose buffers wait to be used again.
    pub fn held(&self) -> usize {
        self.updates.iter().map(Update::held).sum()
    }

    /// Becomes equal to `updates`.
    pub fn assign(&mut self, updates: &[Update]) {
        self.clear();
        for update in updates {
            let copy = self.push(update.tile, update.start);
            copy.source_bases.extend_from_slice(&update.source_bases);
            copy.operations.extend_from_slice(&update.operations);
        }
    }

    /// The updates.
    pub fn as_slice(&self) -> &[Update] {
        &self.updates[..self.len]
    }
}

/// Appends the shorter of range coding and plain bits to `out` and says which it is.
///
/// `updates` are those of this datagram's tiles, ascending by tile.
///
/// # Panics
/// When an update does not fit the framing: another datagram's tile, an operation or index out of
/// range or out of order, a base that cannot be named, a wrong number of source bases.
pub fn write(
    framing: &Framing<'_>,
    updates: &[Update],
    sink: &mut Sink,
    out: &mut Vec<u8>,
) -> Coding {
    let start = out.len();
    sink.start(Coding::Range);
    write_symbols(framing, updates, sink);
    sink.finish(out);
    if sink.plain_len() >= out.len() - start {
        return Coding::Range;
    }
    out.truncate(start);
    sink.start(Coding::Plain);
    write_symbols(framing, updates, sink);
    sink.finish(out);
    Coding::Plain
}

fn write_symbols(framing: &Framing<'_>, updates: &[Update], sink: &mut Sink) {
    let (band, stages) = (framing.band(), framing.stages);
    if let Some(codewords) = &framing.codewords {
        for stage in stages.numbers() {
            sink.uniform(usize::from(codewords[stage]) - 1, stages.codewords(stage));
        }
    }
    let codewords = framing.codewords.as_ref().unwrap_or(&band.codewords);
    let spread = framing.grid.interleave(framing.count);
    let index = usize::from(framing.index);
    let (mut left, mut set) = (spread.len(index), updates.len());
    sink.uniform(set, left + 1);
    let mut rest = updates.iter().peekable();
    let mut last = Displacement::default();
    for tile in spread.positions(index) {
        let update = rest.next_if(|u| u.tile as usize == tile);
        sink.flag(update.is_some(), set, left);
        left -= 1;
        let Some(update) = update else { continue };
        set -= 1;
        write_start(framing, update, &mut last, sink);
        let mut operations = update.operations.iter().peekable();
        for stage in stages.numbers() {
            let blocks = stages.cover(stage).blocks();
            let of_stage = |o: &&Operation| usize::from(o.stage) == stage;
            let mut here = operations.clone().take_while(of_stage).count();
            sink.table(here, &band.blocks[stage]);
            for block in 0..blocks {
                let found = operations
                    .next_if(|o| usize::from(o.stage) == stage && usize::from(o.block) == block);
                sink.flag(found.is_some(), here, blocks - block);
                let Some(operation) = found else { continue };
                here -= 1;
                let (index, most) = (operation.index.into(), codewords[stage].into());
                let class = class(index);
                sink.table(class, band.class(stage, most));
                sink.uniform(index + 1 - (1 << class), class_size(class, most));
            }
        }
        assert!(operations.next().is_none(), "operations in order");
    }
    assert!(rest.next().is_none(), "updates of this datagram, ascending");
}

/// The symbol of a start: reset, keep, copy, copy by quarters.
pub(super) fn start_symbol(start: &Start) -> usize {
    match start {
        Start::Reset => 0,
        Start::Keep(_) => 1,
        Start::Copy { displacements, .. } => match given(displacements).len() {
            1 => 2,
            _ => 3,
        },
    }
}

/// The symbol of a filter.
pub(super) fn filter_symbol(filter: Filter) -> usize {
    let place = Filter::ALL.iter().position(|&f| f == filter);
    place.expect("one of all")
}

/// The displacements that are written: one for four equal ones.
pub(super) fn given(displacements: &[Displacement; 4]) -> &[Displacement] {
    let whole = displacements.iter().all(|d| d == &displacements[0]);
    &displacements[..if whole { 1 } else { 4 }]
}

/// The symbol of a displacement's difference: the bits of its magnitude.
pub(super) fn magnitude_symbol(difference: i16) -> usize {
    (u16::BITS - difference.unsigned_abs().leading_zeros()) as usize
}

/// The symbol of a base.
pub(super) fn base_symbol(base: Base) -> usize {
    match base {
        Base::Floor => 0,
        Base::Before(back) => usize::from(back).min(BASES - 1),
    }
}

fn write_start(framing: &Framing<'_>, update: &Update, last: &mut Displacement, sink: &mut Sink) {
    let band = framing.band();
    sink.table(start_symbol(&update.start), &band.start);
    match &update.start {
        Start::Reset => {}
        Start::Keep(base) => write_base(framing, *base, sink),
        Start::Copy {
            displacements,
            filter,
        } => {
            sink.table(filter_symbol(*filter), &band.filter);
            for displacement in given(displacements) {
                write_difference(band, displacement.dx - last.dx, sink);
                write_difference(band, displacement.dy - last.dy, sink);
                *last = *displacement;
            }
            let tile = update.tile as usize;
            let named = sources(framing.grid, tile, displacements, *filter).count();
            assert_eq!(named, update.source_bases.len(), "one base per source");
            for base in &update.source_bases {
                write_base(framing, *base, sink);
            }
        }
    }
}

fn write_difference(band: &Band, difference: i16, sink: &mut Sink) {
    let magnitude = usize::from(difference.unsigned_abs());
    let bits = magnitude_symbol(difference);
    sink.table(bits, &band.magnitude);
    if bits > 0 {
        sink.uniform(magnitude - (1 << (bits - 1)), 1 << (bits - 1));
        sink.uniform(usize::from(difference < 0), 2);
    }
}

fn read_difference(band: &Band, source: &mut Source<'_>) -> Result<i16, Garbage> {
    let bits = source.table(&band.magnitude)?;
    if bits == 0 {
        return Ok(0);
    }
    let magnitude = (1 << (bits - 1)) + source.uniform(1 << (bits - 1))?;
    let negative = source.uniform(2)? == 1;
    let magnitude = magnitude as i16;
    Ok(if negative { -magnitude } else { magnitude })
}

/// Bases further back than the alphabet reaches: so many, from [`BASES`] − 1 on.
const FAR: usize = 256 - (BASES - 1);

fn write_base(framing: &Framing<'_>, base: Base, sink: &mut Sink) {
    let symbol = base_symbol(base);
    let frequencies = framing.band().base(framing.bases());
    match base {
        Base::Floor => {
            assert!(framing.floor > 0, "a floor to name");
            sink.table(symbol, frequencies);
        }
        Base::Before(back) => {
            assert!(
                back > 0 && (framing.floor == 0 || back < framing.floor),
                "a base to name"
            );
            sink.table(symbol, frequencies);
            if symbol == BASES - 1 {
                sink.uniform(usize::from(back) - (BASES - 1), FAR);
            }
        }
    }
}

fn read_base(framing: &Framing<'_>, source: &mut Source<'_>) -> Result<Base, BodyError> {
    let symbol = source.table(framing.band().base(framing.bases()))?;
    if symbol == 0 {
        return if framing.floor > 0 {
            Ok(Base::Floor)
        } else {
            Err(BodyError::Base)
        };
    }
    let mut back = symbol;
    if symbol == BASES - 1 {
        back += source.uniform(FAR)?;
    }
    match u8::try_from(back) {
        Ok(back) if framing.floor == 0 || back < framing.floor => Ok(Base::Before(back)),
        _ => Err(BodyError::Base),
    }
}

/// Reads the updates of a datagram into `updates` (cleared first) and gives K̃ per stage, 0 for
/// stages that the model does not have. Whether the body names K̃ is
/// `explicit`; `framing.codewords` is not looked at.
///
/// # Errors
/// [`BodyError`]; `updates` is then of no use.
pub fn read(
    framing: &Framing<'_>,
    explicit: bool,
    mut source: Source<'_>,
    updates: &mut UpdateList,
) -> Result<[u16; MAX_STAGES], BodyError> {
    updates.clear();
    let (band, stages) = (framing.band(), framing.stages);
    let mut codewords = band.codewords;
    if explicit {
        for stage in stages.numbers() {
            codewords[stage] = source.uniform(stages.codewords(stage))? as u16 + 1;
        }
    }
    let spread = framing.grid.interleave(framing.count);
    let index = usize::from(framing.index);
    let mut left = spread.len(index);
    let mut set = source.uniform(left + 1)?;
    let mut last = Displacement::default();
    for tile in spread.positions(index) {
        let updated = source.flag(set, left)?;
        left -= 1;
        if !updated {
            continue;
        }
        set -= 1;
        let update = updates.push(tile as u32, Start::Reset);
        read_start(framing, update, &mut last, &mut source)?;
        for stage in stages.numbers() {
            let blocks = stages.cover(stage).blocks();
            let mut here = source.table(&band.blocks[stage])?;
            for block in 0..blocks {
                if !source.flag(here, blocks - block)? {
                    continue;
                }
                here -= 1;
                let most = usize::from(codewords[stage]);
                let class = source.table(band.class(stage, most))?;
                let index = source.uniform(class_size(class, most))? + (1 << class) - 1;
                update.operations.push(Operation {
                    stage: stage as u8,
                    block: block as u8,
                    index: index as u16,
                });
            }
        }
    }
    source.finish()?;
    Ok(codewords)
}

fn read_start(
    framing: &Framing<'_>,
    update: &mut Update,
    last: &mut Displacement,
    source: &mut Source<'_>,
) -> Result<(), BodyError> {
    let band = framing.band();
    let symbol = source.table(&band.start)?;
    if symbol == 0 {
        return Ok(());
    }
    if symbol == 1 {
        update.start = Start::Keep(read_base(framing, source)?);
        return Ok(());
    }
    let filter = Filter::ALL[source.table(&band.filter)?];
    let mut displacements = [Displacement::default(); 4];
    let tile = update.tile as usize;
    let given = if symbol == 2 { 1 } else { 4 };
    for displacement in &mut displacements[..given] {
        let dx = last.dx + read_difference(band, source)?;
        let dy = last.dy + read_difference(band, source)?;
        *last = Displacement { dx, dy };
        *displacement = *last;
    }
    if given == 1 {
        displacements = [displacements[0]; 4];
    }
    for (quarter, by) in displacements.iter().enumerate() {
        let (left, top) = quarter_place(framing.grid, tile, quarter);
        if !by.stays_inside(framing.grid, left, top) {
            return Err(BodyError::Displacement);
        }
    }
    update.start = Start::Copy {
        displacements,
        filter,
    };
    for _ in sources(framing.grid, tile, &displacements, filter) {
        let base = read_base(framing, source)?;
        update.source_bases.push(base);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
