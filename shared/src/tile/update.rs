//! Updates: what one frame does to one tile.

use super::displace::{Displacement, Filter};

/// The most generations back that a base may lie.
pub const MAX_DELTA: u8 = 255;

/// Which generation of a tile an update builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// The newest at or below the datagram's `floor`, which both ends know for certain.
    Floor,
    /// The one that the frame so many before this one made, 1..=[`MAX_DELTA`], above the floor.
    Before(u8),
}

/// The content that an update's refinements are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing: all sums zero. Needs no base.
    Reset,
    /// The tile's own content.
    Keep(Base),
    /// The picture displaced, as a whole or each quarter on its own.
    Copy {
        /// Per quarter, in raster order; four equal ones are one displacement on the wire.
        displacements: [Displacement; 4],
        /// How samples between pixels are made.
        filter: Filter,
    },
}

/// A refinement: one codeword added to one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Stage, which says codebook, scale and the shape of blocks.
    pub stage: u8,
    /// Block of the tile, in raster order of the stage's blocks.
    pub block: u8,
    /// Codeword, below K̃ of the stage.
    pub index: u16,
}

/// One tile's update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The tile.
    pub tile: u32,
    /// What it starts from.
    pub start: Start,
    /// For a copy the base of each source tile, in the order of
    /// [`sources`](super::apply::sources); empty otherwise.
    pub source_bases: Vec<Base>,
    /// Refinements: stages ascend, blocks ascend within a stage, no block twice in a stage.
    pub operations: Vec<Operation>,
}

impl Update {
    /// An update of `tile` without refinements.
    pub fn new(tile: u32, start: Start) -> Self {
        Self {
            tile,
            start,
            source_bases: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Bytes that it takes, room that is kept included.
    pub fn held(&self) -> usize {
        size_of::<Self>()
            + self.source_bases.capacity() * size_of::<Base>()
            + self.operations.capacity() * size_of::<Operation>()
    }
}
