//! A census of symbols: what the tables of a model are made of.

use super::body::{Framing, base_symbol, filter_symbol, given, magnitude_symbol, start_symbol};
use super::tables::{BandCounts, TableCounts, Tables, class};
use crate::stage::Stages;
use crate::tile::{Displacement, Start, Update};

/// Counts, by band, of the symbols that [`write`](super::write) codes with static tables.
#[derive(Debug, Clone)]
pub struct Census {
    counts: TableCounts,
}

impl Census {
    /// Nothing counted yet.
    pub fn new(stages: &Stages) -> Self {
        let mut counts = TableCounts::flat(stages);
        for band in &mut counts.bands {
            let lists = [
                &mut band.start,
                &mut band.filter,
                &mut band.magnitude,
                &mut band.base,
            ];
            let per_stage = band.blocks.iter_mut().chain(&mut band.class);
            for list in lists.into_iter().chain(per_stage) {
                list.fill(0);
            }
        }
        Self { counts }
    }

    /// Counts the symbols of one datagram, written with this framing. The stages are those that
    /// the census was made for.
    ///
    /// # Panics
    /// When the updates do not fit the stages.
    pub fn count(&mut self, framing: &Framing<'_>, updates: &[Update]) {
        let band = &mut self.counts.bands[Tables::number(framing.level)];
        let mut last = Displacement::default();
        for update in updates {
            count_start(band, update, &mut last);
            for stage in framing.stages.numbers() {
                let of_stage = update
                    .operations
                    .iter()
                    .filter(|o| usize::from(o.stage) == stage);
                let mut refined = 0;
                for operation in of_stage {
                    refined += 1;
                    add(&mut band.class[stage], class(operation.index.into()));
                }
                add(&mut band.blocks[stage], refined);
            }
        }
    }

    /// What was counted; the K̃ of each stage are those of `tables`.
    pub fn counts(&self, tables: &Tables) -> TableCounts {
        let mut counts = self.counts.clone();
        for (band, coded) in counts.bands.iter_mut().zip(tables.bands()) {
            for (to, &from) in band.codewords.iter_mut().zip(&coded.codewords) {
                *to = from;
            }
        }
        counts
    }
}

fn count_start(band: &mut BandCounts, update: &Update, last: &mut Displacement) {
    add(&mut band.start, start_symbol(&update.start));
    match &update.start {
        Start::Reset => {}
        Start::Keep(base) => add(&mut band.base, base_symbol(*base)),
        Start::Copy {
            displacements,
            filter,
        } => {
            for base in &update.source_bases {
                add(&mut band.base, base_symbol(*base));
            }
            add(&mut band.filter, filter_symbol(*filter));
            for displacement in given(displacements) {
                let differences = [displacement.dx - last.dx, displacement.dy - last.dy];
                for difference in differences {
                    add(&mut band.magnitude, magnitude_symbol(difference));
                }
                *last = *displacement;
            }
        }
    }
}

fn add(counts: &mut [u32], symbol: usize) {
    counts[symbol] = counts[symbol].saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::body::tests::{Draw, GRID, random_updates, stages};
    use crate::coding::tables::BANDS;
    use crate::coding::{Sink, write};
    use crate::tile::{Base, Filter, Operation};
    use proptest::prelude::*;

    fn flat(stages: &Stages) -> Tables {
        Tables::new(&TableCounts::flat(stages), stages).unwrap()
    }

    /// A framing whose level is in band `band`.
    fn framing<'a>(stages: &'a Stages, tables: &'a Tables, band: usize) -> Framing<'a> {
        Framing {
            grid: GRID,
            stages,
            tables,
            level: [96, 80, 72, 64, 0][band],
            codewords: None,
            floor: 20,
            index: 0,
            count: 1,
        }
    }

    #[test]
    fn every_symbol_is_counted_where_it_belongs() {
        let stages = stages();
        let tables = flat(&stages);
        let refine = |stage, block, index| Operation {
            stage,
            block,
            index,
        };
        let mut keep = Update::new(1, Start::Keep(Base::Before(2)));
        keep.operations = vec![refine(1, 0, 0), refine(1, 3, 6), refine(3, 15, 0)];
        let by = |dx, dy| Displacement { dx, dy };
        let copy = |tile, displacements| {
            let filter = Filter::Smooth;
            let start = Start::Copy {
                displacements,
                filter,
            };
            let mut update = Update::new(tile, start);
            update.source_bases = vec![Base::Floor, Base::Before(200)];
            update
        };
        let first = copy(2, [by(3, -1); 4]);
        let second = copy(3, [by(3, -1), by(3, 7), by(-60, 7), by(0, 0)]);
        let mut census = Census::new(&stages);
        census.count(&framing(&stages, &tables, 2), &[keep, first, second]);
        let counts = census.counts(&tables);
        let band = &counts.bands[2];
        assert_eq!(band.start, [0, 1, 1, 1]);
        assert_eq!(band.filter, [0, 0, 2]);
        // Differences 3, −1; 0, 0; 0, 8; −63, 0; 60, −7.
        assert_eq!(band.magnitude, [4, 1, 1, 1, 1, 0, 2, 0]);
        let mut bases = [0; 16];
        (bases[0], bases[2], bases[15]) = (2, 1, 2);
        assert_eq!(band.base, bases);
        assert_eq!(band.blocks[0], [3, 0]);
        assert_eq!(band.blocks[1], [2, 0, 1, 0, 0]);
        assert_eq!(band.class[1][..4], [1, 0, 1, 0]);
        assert_eq!(
            (&band.class[3][..], &band.codewords[..]),
            (&[1][..], &[100, 4096, 4096, 1][..])
        );
        for other in [0, 1, 3, 4] {
            let band = &counts.bands[other];
            assert!(band.start.iter().chain(&band.blocks[0]).all(|&n| n == 0));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn counted_tables_cost_no_more_than_flat_ones(seed: u64, density in 1usize..5) {
            let stages = stages();
            let (mut draw, flat) = (Draw(seed), flat(&stages));
            let frames: Vec<_> = (0..10 * BANDS)
                .map(|n| {
                    let band = n % BANDS;
                    (band, random_updates(&framing(&stages, &flat, band), density, &mut draw))
                })
                .collect();
            let mut census = Census::new(&stages);
            for (band, updates) in &frames {
                census.count(&framing(&stages, &flat, *band), updates);
            }
            let counted = Tables::new(&census.counts(&flat), &stages).unwrap();
            let bytes = |tables: &Tables| {
                let (mut sink, mut bytes) = (Sink::new(), vec![]);
                for (band, updates) in &frames {
                    write(&framing(&stages, tables, *band), updates, &mut sink, &mut bytes);
                }
                bytes.len()
            };
            prop_assert!(bytes(&counted) <= bytes(&flat), "{} {}", bytes(&counted), bytes(&flat));
        }
    }
}
