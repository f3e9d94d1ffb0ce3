use super::*;
use crate::coding::tables::TableCounts;
use crate::stage::{Cover, Stage, StageCodebook};
use proptest::prelude::*;

pub(crate) const GRID: TileGrid = TileGrid {
    columns: 5,
    rows: 4,
};

pub(crate) fn stages() -> Stages {
    let book = |cover: Cover, codewords: usize| {
        let dims = cover.positions() * 2;
        StageCodebook::new(cover, 2, vec![0; dims * codewords]).unwrap()
    };
    let books = vec![
        book(Cover::Tile, 100),
        book(Cover::Quarter, 4096),
        book(Cover::Position, 1),
    ];
    let stage = |codebook, shift| Stage { codebook, shift };
    let stages = vec![stage(0, 0), stage(1, 0), stage(1, 1), stage(2, 0)];
    Stages::new(2, books, stages).unwrap()
}

fn tables(stages: &Stages) -> Tables {
    Tables::new(&TableCounts::flat(stages), stages).unwrap()
}

/// Numbers drawn from a seed, so that one strategy makes whole datagrams.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

pub(crate) fn random_updates(
    framing: &Framing<'_>,
    density: usize,
    draw: &mut Draw,
) -> Vec<Update> {
    let spread = framing.grid.interleave(framing.count);
    let mut updates = vec![];
    for tile in spread.positions(framing.index.into()) {
        if draw.below(4) >= density {
            continue;
        }
        let base = |draw: &mut Draw| match (framing.floor, draw.below(3)) {
            (0, _) => Base::Before(draw.below(255) as u8 + 1),
            (1, _) | (_, 0) => Base::Floor,
            (floor, _) => Base::Before(draw.below(usize::from(floor) - 1) as u8 + 1),
        };
        let mut update = Update::new(tile as u32, Start::Reset);
        match draw.below(4) {
            0 => {}
            1 => update.start = Start::Keep(base(draw)),
            kind => {
                let filter = Filter::ALL[draw.below(3)];
                let mut displacements = [Displacement::default(); 4];
                for (quarter, displacement) in displacements.iter_mut().enumerate() {
                    let (left, top) = quarter_place(framing.grid, tile, quarter);
                    *displacement = loop {
                        let mut part = || draw.below(127) as i16 - 63;
                        let by = Displacement {
                            dx: part(),
                            dy: part(),
                        };
                        if by.stays_inside(framing.grid, left, top) {
                            break by;
                        }
                    };
                }
                let first = displacements[0];
                let whole = (0..4).all(|quarter| {
                    let (left, top) = quarter_place(framing.grid, tile, quarter);
                    first.stays_inside(framing.grid, left, top)
                });
                if kind == 2 && whole {
                    displacements = [first; 4];
                }
                for _ in sources(framing.grid, tile, &displacements, filter) {
                    update.source_bases.push(base(draw));
                }
                update.start = Start::Copy {
                    displacements,
                    filter,
                };
            }
        }
        let codewords = framing
            .codewords
            .unwrap_or_else(|| framing.band().codewords);
        for stage in framing.stages.numbers() {
            let share = draw.below(3);
            for block in 0..framing.stages.cover(stage).blocks() {
                if draw.below(3) < share {
                    update.operations.push(Operation {
                        stage: stage as u8,
                        block: block as u8,
                        index: draw.below(codewords[stage].into()) as u16,
                    });
                }
            }
        }
        updates.push(update);
    }
    updates
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn updates_come_back(
        seed: u64, count in 1u8..7, floor in prop_oneof![Just(0u8), Just(1), 2u8..20, Just(255)],
        explicit: bool, level in 0u8..=96, density in 0usize..5,
    ) {
        let stages = stages();
        let tables = tables(&stages);
        let mut draw = Draw(seed);
        let mut codewords = [0; MAX_STAGES];
        for stage in stages.numbers() {
            codewords[stage] = draw.below(stages.codewords(stage)) as u16 + 1;
        }
        let framing = Framing {
            grid: GRID, stages: &stages, tables: &tables, level, floor, count,
            codewords: explicit.then_some(codewords),
            index: draw.below(count.into()) as u8,
        };
        let updates = random_updates(&framing, density, &mut draw);
        let (mut sink, mut bytes) = (Sink::new(), vec![]);
        let coding = write(&framing, &updates, &mut sink, &mut bytes);
        prop_assert!(bytes.len() <= sink.plain_len(), "never larger than plain bits");
        let (mut words, mut list) = (vec![], UpdateList::new());
        list.push(3, Start::Keep(Base::Floor)).source_bases.push(Base::Floor);
        let source = Source::new(coding, &bytes, &mut words);
        let used = framing.codewords.unwrap_or_else(|| tables.band(framing.level).codewords);
        prop_assert_eq!(read(&framing, explicit, source, &mut list), Ok(used));
        prop_assert_eq!(list.as_slice(), &updates[..]);
    }

    #[test]
    fn any_bytes_are_refused_or_fit_the_framing(
        bytes in prop::collection::vec(any::<u8>(), 0..200), plain: bool, explicit: bool,
        floor in 0u8..20, level in 0u8..=255,
    ) {
        let stages = stages();
        let tables = tables(&stages);
        let framing = Framing {
            grid: GRID, stages: &stages, tables: &tables, level, floor,
            codewords: None, index: 0, count: 2,
        };
        let coding = if plain { Coding::Plain } else { Coding::Range };
        let (mut words, mut list) = (vec![], UpdateList::new());
        let source = Source::new(coding, &bytes, &mut words);
        if read(&framing, explicit, source, &mut list).is_ok() {
            // What was accepted can be written again: everything is in range.
            let all = stages.numbers().map(|s| stages.codewords(s) as u16);
            let mut most = [0; MAX_STAGES];
            most.iter_mut().zip(all).for_each(|(to, from)| *to = from);
            let framing = Framing { codewords: Some(most), ..framing };
            write(&framing, list.as_slice(), &mut Sink::new(), &mut vec![]);
        }
    }
}

#[test]
fn the_bytes_are_fixed() {
    let stages = stages();
    let mut counts = TableCounts::flat(&stages);
    for band in &mut counts.bands {
        band.start = vec![5, 90, 30, 10];
        band.magnitude = vec![50, 20, 10, 5, 3, 2, 1, 1];
        band.blocks[1] = vec![60, 20, 10, 5, 5];
    }
    let tables = Tables::new(&counts, &stages).unwrap();
    let framing = Framing {
        grid: GRID,
        stages: &stages,
        tables: &tables,
        level: 40,
        codewords: None,
        floor: 3,
        index: 1,
        count: 3,
    };
    let refine = |stage, block, index| Operation {
        stage,
        block,
        index,
    };
    let mut keep = Update::new(4, Start::Keep(Base::Floor));
    keep.operations = vec![refine(1, 2, 77), refine(1, 3, 4095), refine(3, 15, 0)];
    let by = Displacement { dx: -9, dy: 4 };
    let mut copy = Update::new(
        8,
        Start::Copy {
            displacements: [by; 4],
            filter: Filter::Linear,
        },
    );
    copy.source_bases = vec![Base::Floor, Base::Before(1), Base::Before(2), Base::Floor];
    copy.operations = vec![refine(0, 0, 99)];
    let reset = Update::new(12, Start::Reset);
    let mut bytes = vec![];
    let coding = write(&framing, &[keep, copy, reset], &mut Sink::new(), &mut bytes);
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        (coding, hex.as_str()),
        (Coding::Range, "6ef33ca011a0dbb46401818d")
    );
}
