//! Stages: block codebooks, each used at one or several scales.
//!
//! A frame's latents are a sum of codewords. A codeword of a stage covers a square block of
//! positions inside a tile and the leading components of each of its latents; the rest stays as it
//! is. Several stages may share one codebook at different scales.

use std::ops::Range;

pub use crate::codebooks::{MAX_SHIFT, MAX_STAGES, Stage};

use crate::codebooks::Codebooks;

/// Positions along one side of a tile.
pub const TILE: usize = 4;
/// Positions of a tile.
pub const POSITIONS: usize = TILE * TILE;
/// The most codewords of a stage's codebook; an index fits 12 bits.
pub const MAX_STAGE_CODEWORDS: usize = 4096;
/// The most numbers in a latent of the temporal codec.
pub const MAX_LATENT: usize = 64;

/// The square block of positions that a codeword covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cover {
    /// A whole tile, 4×4 positions.
    Tile,
    /// A quarter of a tile, 2×2 positions.
    Quarter,
    /// A single position.
    Position,
}

impl Cover {
    /// The cover with this many positions on a side: 4, 2 or 1.
    pub fn from_side(side: usize) -> Option<Self> {
        [Self::Tile, Self::Quarter, Self::Position]
            .into_iter()
            .find(|cover| cover.side() == side)
    }

    /// Positions along one side.
    pub const fn side(self) -> usize {
        match self {
            Self::Tile => 4,
            Self::Quarter => 2,
            Self::Position => 1,
        }
    }

    /// Positions of one block.
    pub const fn positions(self) -> usize {
        self.side() * self.side()
    }

    /// Blocks of a tile: 1, 4 or 16, in raster order.
    pub const fn blocks(self) -> usize {
        POSITIONS / self.positions()
    }

    /// The positions of block `block` within the tile (y · 4 + x), in raster order of the block.
    pub fn members(self, block: usize) -> impl Iterator<Item = usize> + Clone {
        let side = self.side();
        let across = TILE / side;
        let (left, top) = (block % across * side, block / across * side);
        (0..side * side).map(move |i| (top + i / side) * TILE + left + i % side)
    }

    /// The positions of block `block` as a set of 16 bits.
    pub fn mask(self, block: usize) -> u16 {
        self.members(block).fold(0, |mask, p| mask | 1 << p)
    }
}

/// Codewords for blocks of one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCodebook {
    cover: Cover,
    lead: usize,
    rows: Vec<i16>,
}

impl StageCodebook {
    /// A codebook of `rows`, `[codewords, positions, lead]`, grid units.
    ///
    /// # Errors
    /// [`StageError::Codebook`] where the length is no multiple of a codeword's or out of limits.
    pub fn new(cover: Cover, lead: usize, rows: Vec<i16>) -> Result<Self, StageError> {
        let dims = cover.positions() * lead;
        let fits = dims > 0
            && lead <= MAX_LATENT
            && rows.len().is_multiple_of(dims)
            && (1..=MAX_STAGE_CODEWORDS).contains(&(rows.len() / dims));
        if !fits {
            return Err(StageError::Codebook {
                values: rows.len(),
                cover: cover.side(),
                lead,
            });
        }
        Ok(Self { cover, lead, rows })
    }

    /// The block that a codeword covers.
    pub fn cover(&self) -> Cover {
        self.cover
    }

    /// Leading components of each latent that a codeword holds.
    pub fn lead(&self) -> usize {
        self.lead
    }

    /// Numbers in a codeword.
    pub fn dims(&self) -> usize {
        self.cover.positions() * self.lead
    }

    /// K_max.
    pub fn codewords(&self) -> usize {
        self.rows.len() / self.dims()
    }

    /// Codeword `index`, `[positions, lead]`.
    ///
    /// # Panics
    /// When `index` is not below [`Self::codewords`].
    pub fn codeword(&self, index: u16) -> &[i16] {
        let dims = self.dims();
        &self.rows[usize::from(index) * dims..][..dims]
    }

    /// All values, row-major.
    pub fn rows(&self) -> &[i16] {
        &self.rows
    }
}

/// Stages that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The number of values makes no codebook.
    #[error(
        "{values} values make no codebook of 1 to {MAX_STAGE_CODEWORDS} codewords for {cover}x{cover} \
         positions with {lead} components (at most {MAX_LATENT}); export the model again"
    )]
    Codebook {
        /// Values given.
        values: usize,
        /// Positions on a side.
        cover: usize,
        /// Components of a latent.
        lead: usize,
    },
    /// A codebook has more components than a latent.
    #[error("a codebook has {lead} components of a latent, the model's have {dim}")]
    Lead {
        /// Components of the codebook.
        lead: usize,
        /// Numbers of a latent.
        dim: usize,
    },
    /// None, or more than [`MAX_STAGES`].
    #[error("{0} stages; a model has 1 to {MAX_STAGES}")]
    Count(usize),
    /// A stage names a codebook that is not there, or a shift beyond [`MAX_SHIFT`].
    #[error(
        "stage {stage} uses codebook {codebook} with shift {shift}; there are {codebooks} codebooks and shifts up to {MAX_SHIFT}"
    )]
    Stage {
        /// Number of the stage.
        stage: usize,
        /// Codebook it names.
        codebook: usize,
        /// Its shift.
        shift: u8,
        /// Codebooks there are.
        codebooks: usize,
    },
}

/// All stages of a model, in the order of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stages {
    dim: usize,
    codebooks: Vec<StageCodebook>,
    stages: Vec<Stage>,
}

impl Stages {
    /// Stages over latents of `dim` numbers.
    ///
    /// # Errors
    /// [`StageError`] where they do not fit together.
    pub fn new(
        dim: usize,
        codebooks: Vec<StageCodebook>,
        stages: Vec<Stage>,
    ) -> Result<Self, StageError> {
        if let Some(book) = codebooks.iter().find(|c| c.lead > dim) {
            return Err(StageError::Lead {
                lead: book.lead,
                dim,
            });
        }
        if !(1..=MAX_STAGES).contains(&stages.len()) {
            return Err(StageError::Count(stages.len()));
        }
        let wrong = |s: &Stage| s.codebook >= codebooks.len() || s.shift > MAX_SHIFT;
        if let Some(number) = stages.iter().position(wrong) {
            return Err(StageError::Stage {
                stage: number,
                codebook: stages[number].codebook,
                shift: stages[number].shift,
                codebooks: codebooks.len(),
            });
        }
        Ok(Self {
            dim,
            codebooks,
            stages,
        })
    }

    /// The stages of a model's codebooks.
    ///
    /// # Errors
    /// [`StageError`] where they are not for tiles.
    pub fn of(codebooks: &Codebooks) -> Result<Self, StageError> {
        let list = codebooks.list().iter().map(|codebook| {
            let shape = codebook.shape();
            let wrong = StageError::Codebook {
                values: codebook.rows().len(),
                cover: shape.cover,
                lead: shape.lead,
            };
            let cover = Cover::from_side(shape.cover).ok_or(wrong)?;
            StageCodebook::new(cover, shape.lead, codebook.rows().to_vec())
        });
        let list: Result<_, _> = list.collect();
        Self::new(codebooks.latent_dim(), list?, codebooks.stages().to_vec())
    }

    /// Numbers per latent, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of stages.
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Never: there is at least one stage.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The numbers of all stages.
    pub fn numbers(&self) -> Range<usize> {
        0..self.stages.len()
    }

    /// All codebooks.
    pub fn codebooks(&self) -> &[StageCodebook] {
        &self.codebooks
    }

    /// Stage `number`.
    ///
    /// # Panics
    /// When there is none.
    pub fn stage(&self, number: usize) -> Stage {
        self.stages[number]
    }

    /// The codebook of stage `number`.
    ///
    /// # Panics
    /// When there is none.
    pub fn codebook(&self, number: usize) -> &StageCodebook {
        &self.codebooks[self.stages[number].codebook]
    }

    /// The block that stage `number` covers.
    ///
    /// # Panics
    /// When there is none.
    pub fn cover(&self, number: usize) -> Cover {
        self.codebook(number).cover
    }

    /// K_max of stage `number`.
    ///
    /// # Panics
    /// When there is none.
    pub fn codewords(&self, number: usize) -> usize {
        self.codebook(number).codewords()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_part_the_tile() {
        for cover in [Cover::Tile, Cover::Quarter, Cover::Position] {
            let mut seen = 0u16;
            for block in 0..cover.blocks() {
                let mask = cover.mask(block);
                assert_eq!(mask.count_ones() as usize, cover.positions());
                assert_eq!(seen & mask, 0);
                seen |= mask;
            }
            assert_eq!(seen, u16::MAX);
            assert_eq!(Cover::from_side(cover.side()), Some(cover));
        }
        assert_eq!(
            Cover::Quarter.members(3).collect::<Vec<_>>(),
            [10, 11, 14, 15]
        );
    }

    #[test]
    fn stages_that_do_not_fit_are_refused() {
        let book = || StageCodebook::new(Cover::Quarter, 2, vec![0; 16]).unwrap();
        let stage = |codebook, shift| Stage { codebook, shift };
        assert!(Stages::new(2, vec![book()], vec![stage(0, 1)]).is_ok());
        assert!(Stages::new(1, vec![book()], vec![stage(0, 0)]).is_err());
        assert!(Stages::new(2, vec![book()], vec![]).is_err());
        assert!(Stages::new(2, vec![book()], vec![stage(1, 0)]).is_err());
        assert!(Stages::new(2, vec![book()], vec![stage(0, 5)]).is_err());
        assert!(Stages::new(2, vec![book()], vec![stage(0, 0); 17]).is_err());
        assert!(StageCodebook::new(Cover::Tile, 1, vec![0; 15]).is_err());
        assert!(StageCodebook::new(Cover::Position, 0, vec![]).is_err());
        assert!(StageCodebook::new(Cover::Position, 1, vec![0; 4097]).is_err());
    }
}
