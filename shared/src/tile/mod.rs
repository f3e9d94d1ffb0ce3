//! Tiles: what both ends keep of the picture, and the operations that change it.
//!
//! A tile is 4×4 positions, 32×32 luma pixels. Its *content* is the sum of codewords of each
//! position and a depth per position, all integers, so prediction in this domain is exact on every
//! machine. An [`Update`] turns the content of one generation into the next by a start (reset,
//! keep or copy) and refinements; [`apply`](apply::Updater::apply) is the one function that does
//! it, on both ends. [`Scene`] keeps several generations per tile and holds the rules for loss.

pub mod apply;
pub mod basis;
pub mod content;
pub mod displace;
pub mod grid;
mod pairs;
pub mod ring;
pub mod scene;
pub mod update;

pub use apply::Updater;
pub use basis::Basis;
pub use content::Content;
pub use displace::{Displacement, Filter};
pub use grid::TileGrid;
pub use ring::Ring;
pub use scene::Scene;
pub use update::{Base, Operation, Start, Update};
