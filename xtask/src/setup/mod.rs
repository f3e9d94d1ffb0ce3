//! `cargo xtask setup`: what the programs and the tests need and cargo does not fetch.

mod library;
mod model;
mod pip;
pub mod training;
mod wheel;

use anyhow::Result;
use raq_shared::paths;

pub use library::{Build, library_folder};

/// Fetches ONNX Runtime, puts the model where installed programs look, and makes the training
/// environment where `train` is set. Quick where nothing is missing.
///
/// # Errors
/// What is missing (python3, pip, the network, disk space) and the cure.
pub fn run(gpu: bool, train: bool) -> Result<()> {
    let build = if gpu { Build::Cuda } else { Build::Cpu };
    library::install(build)?;
    model::install()?;
    if train {
        training::install()?;
    }
    Ok(())
}

/// Fetches the oldest ONNX Runtime that the programs accept, for the tests that compare releases.
///
/// # Errors
/// As [`run`].
pub fn oldest_runtime() -> Result<()> {
    library::install(Build::Oldest)
}

/// The per-user folder that everything goes to.
fn data_dir() -> Result<std::path::PathBuf> {
    Ok(paths::data_dir()?)
}
