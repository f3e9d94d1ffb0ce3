//! Figures of a session over an interval: one set for the status line, `--stats-interval`, `--metrics` and
//! the page, so that all of them say the same.
//!
//! No clocks, files or terminals: those who drive a [`Window`] say when it closes.

mod figures;
mod window;

pub use figures::Figures;
pub use window::{Known, Window};
