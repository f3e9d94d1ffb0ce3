//! The static tables of a model: how often each symbol occurred in training, by quality band.

use serde::{Deserialize, Serialize};

use super::frequencies::Frequencies;
use crate::stage::{MAX_STAGES, Stages};
use crate::tile::content::MAX_DEPTH;

/// Symbols of a tile's start: reset, keep, copy, copy by quarters.
pub const STARTS: usize = 4;
/// Symbols of a filter.
pub const FILTERS: usize = 3;
/// Classes of a displacement's difference: the bits of its magnitude, 0..=7.
pub const MAGNITUDES: usize = 8;
/// Symbols of a base: floor, 1 to 14 frames before, more.
pub const BASES: usize = 16;
/// Bands of quality.
pub const BANDS: usize = 5;

/// The class of an index: the bits of index + 1, less one.
pub fn class(index: usize) -> usize {
    (index + 1).ilog2() as usize
}

/// Indices of class `class` when there are `codewords` of them.
///
/// # Panics
/// When the class is empty.
pub fn class_size(class: usize, codewords: usize) -> usize {
    let first = (1 << class) - 1;
    assert!(first < codewords, "class {class} of {codewords} codewords");
    (1 << class).min(codewords - first)
}

/// Counts of one band as the model folder has them; any whole numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BandCounts {
    /// Starts, [`STARTS`].
    pub start: Vec<u32>,
    /// Filters, [`FILTERS`].
    pub filter: Vec<u32>,
    /// Magnitudes, [`MAGNITUDES`].
    pub magnitude: Vec<u32>,
    /// Bases, [`BASES`].
    pub base: Vec<u32>,
    /// Per stage how many blocks of a tile were refined, blocks + 1.
    pub blocks: Vec<Vec<u32>>,
    /// Per stage the class of the index, class(K_max − 1) + 1.
    pub class: Vec<Vec<u32>>,
    /// K̃ per stage where a datagram does not say otherwise.
    pub codewords: Vec<u16>,
}

/// The file `tables.json` of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TableCounts {
    /// One per band, the finest first.
    pub bands: Vec<BandCounts>,
}

impl TableCounts {
    /// Counts for a model without training: every symbol alike, all codewords.
    pub fn flat(stages: &Stages) -> Self {
        let classes = |s: usize| class(stages.codewords(s) - 1) + 1;
        let band = BandCounts {
            start: vec![1; STARTS],
            filter: vec![1; FILTERS],
            magnitude: vec![1; MAGNITUDES],
            base: vec![1; BASES],
            blocks: stages
                .numbers()
                .map(|s| vec![1; stages.cover(s).blocks() + 1])
                .collect(),
            class: stages
                .numbers()
                .map(|s| (0..classes(s)).map(|c| 1 << c).collect())
                .collect(),
            codewords: stages
                .numbers()
                .map(|s| stages.codewords(s) as u16)
                .collect(),
        };
        Self {
            bands: vec![band; BANDS],
        }
    }
}

/// Tables that do not fit the stages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A list has the wrong length.
    #[error("{found} {what} in the tables, not {expected}; export the model again")]
    Length {
        /// What is listed.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A K̃ of 0 or over K_max.
    #[error("{codewords} codewords for stage {stage} in the tables, which has 1 to {most}")]
    Codewords {
        /// The stage.
        stage: usize,
        /// K̃ given.
        codewords: u16,
        /// K_max.
        most: usize,
    },
}

/// The alphabets of one band.
#[derive(Debug, Clone)]
pub struct Band {
    /// Of starts.
    pub start: Frequencies,
    /// Of filters.
    pub filter: Frequencies,
    /// Of magnitudes.
    pub magnitude: Frequencies,
    /// Of bases, by how many of them are possible, less one.
    bases: Vec<Frequencies>,
    /// Per stage of refined blocks.
    pub blocks: Vec<Frequencies>,
    /// Per stage of classes, by how many classes K̃ has, less one.
    classes: Vec<Vec<Frequencies>>,
    /// K̃ per stage where a datagram does not say otherwise.
    pub codewords: [u16; MAX_STAGES],
}

impl Band {
    fn new(counts: &BandCounts, stages: &Stages) -> Result<Self, TableError> {
        let length = |what, found: usize, expected: usize| {
            let error = TableError::Length {
                what,
                found,
                expected,
            };
            if found == expected {
                Ok(())
            } else {
                Err(error)
            }
        };
        length("starts", counts.start.len(), STARTS)?;
        length("filters", counts.filter.len(), FILTERS)?;
        length("magnitudes", counts.magnitude.len(), MAGNITUDES)?;
        length("bases", counts.base.len(), BASES)?;
        length("stages with blocks", counts.blocks.len(), stages.len())?;
        length("stages with classes", counts.class.len(), stages.len())?;
        length(
            "stages with codewords",
            counts.codewords.len(),
            stages.len(),
        )?;
        let mut codewords = [0; MAX_STAGES];
        for stage in stages.numbers() {
            let (blocks, most) = (stages.cover(stage).blocks(), stages.codewords(stage));
            length("numbers of blocks", counts.blocks[stage].len(), blocks + 1)?;
            length("classes", counts.class[stage].len(), class(most - 1) + 1)?;
            codewords[stage] = counts.codewords[stage];
            if !(1..=most).contains(&usize::from(codewords[stage])) {
                let codewords = codewords[stage];
                return Err(TableError::Codewords {
                    stage,
                    codewords,
                    most,
                });
            }
        }
        let prefixes = |counts: &[u32]| -> Vec<Frequencies> {
            (1..=counts.len())
                .map(|n| Frequencies::new(&counts[..n]))
                .collect()
        };
        Ok(Self {
            start: Frequencies::new(&counts.start),
            filter: Frequencies::new(&counts.filter),
            magnitude: Frequencies::new(&counts.magnitude),
            bases: prefixes(&counts.base),
            blocks: counts.blocks.iter().map(|c| Frequencies::new(c)).collect(),
            classes: counts.class.iter().map(|c| prefixes(c)).collect(),
            codewords,
        })
    }

    /// Bases, `possible` of them.
    ///
    /// # Panics
    /// When `possible` is not 1..=[`BASES`].
    pub fn base(&self, possible: usize) -> &Frequencies {
        &self.bases[possible - 1]
    }

    /// Classes of the indices of `stage` with `codewords` codewords.
    ///
    /// # Panics
    /// When there is no such stage, or K̃ is not one of it.
    pub fn class(&self, stage: usize, codewords: usize) -> &Frequencies {
        &self.classes[stage][class(codewords - 1)]
    }

    /// What an index below `codewords` costs, in bits.
    pub fn index_bits(&self, stage: usize, index: usize, codewords: usize) -> f32 {
        let class = class(index);
        self.class(stage, codewords).bits(class) + (class_size(class, codewords) as f32).log2()
    }
}

/// All static tables of a model.
#[derive(Debug, Clone)]
pub struct Tables {
    bands: Vec<Band>,
}

impl Tables {
    /// Tables for these stages.
    ///
    /// # Errors
    /// [`TableError`] where they do not fit.
    pub fn new(counts: &TableCounts, stages: &Stages) -> Result<Self, TableError> {
        if counts.bands.len() != BANDS {
            return Err(TableError::Length {
                what: "bands",
                found: counts.bands.len(),
                expected: BANDS,
            });
        }
        let bands: Result<_, _> = counts.bands.iter().map(|b| Band::new(b, stages)).collect();
        Ok(Self { bands: bands? })
    }

    /// The number of the band of a frame's level, 0..=[`MAX_DEPTH`]: two octaves each.
    pub fn number(level: u8) -> usize {
        let below = MAX_DEPTH.saturating_sub(8).saturating_sub(level);
        usize::from(below / 8).min(BANDS - 1)
    }

    /// All bands, the finest first.
    pub fn bands(&self) -> &[Band] {
        &self.bands
    }

    /// The band of a level.
    pub fn band(&self, level: u8) -> &Band {
        &self.bands[Self::number(level)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Cover, Stage, StageCodebook};

    fn stages() -> Stages {
        let book = StageCodebook::new(Cover::Quarter, 1, vec![0; 4 * 100]).unwrap();
        let stage = Stage {
            codebook: 0,
            shift: 0,
        };
        Stages::new(2, vec![book], vec![stage]).unwrap()
    }

    #[test]
    fn classes_part_the_indices() {
        for codewords in [1, 2, 3, 4, 5, 100, 4096] {
            let classes = class(codewords - 1) + 1;
            let sizes: usize = (0..classes).map(|c| class_size(c, codewords)).sum();
            assert_eq!(sizes, codewords);
        }
        assert_eq!([0, 1, 2, 3, 6, 7].map(class), [0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn bands_cover_all_levels() {
        let at: Vec<usize> = [0, 56, 57, 64, 65, 72, 73, 80, 81, 255]
            .map(Tables::number)
            .into();
        assert_eq!(at, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]);
    }

    #[test]
    fn flat_tables_cost_what_plain_bits_do() {
        let stages = stages();
        let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
        let band = tables.band(50);
        assert!((band.start.bits(1) - 2.0).abs() < 0.01);
        assert_eq!(band.codewords[0], 100);
        assert!((band.index_bits(0, 40, 100) - 7.0).abs() < 0.02);
        assert_eq!(band.index_bits(0, 0, 1), 0.0);
    }

    #[test]
    fn tables_that_do_not_fit_are_refused() {
        let stages = stages();
        let flat = TableCounts::flat(&stages);
        let refused = |change: &dyn Fn(&mut TableCounts)| {
            let mut counts = flat.clone();
            change(&mut counts);
            Tables::new(&counts, &stages).is_err()
        };
        assert!(refused(&|t| t.bands.truncate(4)));
        assert!(refused(&|t| t.bands[0].start.truncate(3)));
        assert!(refused(&|t| t.bands[4].blocks.clear()));
        assert!(refused(&|t| t.bands[1].blocks[0].push(1)));
        assert!(refused(&|t| t.bands[1].class[0].push(1)));
        assert!(refused(&|t| t.bands[1].codewords[0] = 0));
        assert!(refused(&|t| t.bands[1].codewords[0] = 101));
    }
}
