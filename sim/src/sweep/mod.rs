//! A grid of scenarios, seeds and policies, cell by cell on all cores.
//!
//! Every cell is a run of its own with one policy, in a folder of its own, and as good as the
//! command line that [`Cell::command`] gives: `raq-sim sweep` only runs many of them at once and
//! leaves out those whose results are there already.

mod cell;
mod pool;

pub use cell::Cell;
pub use pool::run;
