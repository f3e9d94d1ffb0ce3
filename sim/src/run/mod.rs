//! One run: a scenario with a seed, policy after policy over the same link, into a folder.

mod notes;
mod paths;
mod plan;
mod verdict;

pub use notes::Notes;
pub use paths::Paths;
pub use plan::Plan;
pub use verdict::Miss;
