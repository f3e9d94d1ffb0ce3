//! The project's chores, run as `cargo xtask …`.
//!
//! It ships nothing: `raq-send` and `raq-recv` never depend on it. The end-to-end tests do, for
//! [`program`], which runs the real programs, and [`setup`], which fetches ONNX Runtime.

pub mod build;
pub mod demo;
mod options;
pub mod program;
pub mod setup;
pub mod test;

pub use options::Options;
