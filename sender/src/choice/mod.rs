//! The choice: which operations fill a frame's bytes.
//!
//! Distance is the squared error of latents in grid units: the linear skip is orthonormal and its
//! chroma is scaled down, so this is the squared error of luma plus a little of chroma. The
//! operation with the largest fall of the error per bit is taken, then the next, until the budget
//! is full. Blocks are searched only when a guess of their gain makes them the best of the frame.

pub mod chooser;
mod cluster;
pub mod cost;
mod entry;
mod exact;
pub mod frame;
mod kernel;
pub mod motion;
pub mod nearest;
mod principal;
pub mod promise;
pub mod prospect;
pub mod refiner;
mod sad;
pub mod scan;
pub mod speed;
pub mod spread;
pub mod start;
pub mod tile_work;
pub mod yields;

pub use chooser::Chooser;
pub use frame::{Budget, Picture, Taken};
pub use prospect::{Known, Standing};
pub use speed::{ParseSpeedError, Speed};
