//! The project's chores, run as `cargo xtask …`.
//!
//! It ships nothing: `raq-send` and `raq-recv` never depend on it. The end-to-end tests do, for
//! [`program`], which runs the real programs, [`stats`], which reads what they say, and [`setup`],
//! which knows where ONNX Runtime is.

mod bench;
pub mod build;
mod clip;
pub mod delay;
pub mod demo;
mod load;
mod options;
pub mod process;
pub mod program;
mod progress;
pub mod relay;
mod scene;
pub mod setup;
mod soak;
pub mod stats;
mod structure;
pub mod test;

pub use options::Options;
