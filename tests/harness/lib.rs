//! What the end-to-end tests stand on. Nothing here sleeps, retries or measures time: tests wait
//! for a program to say something or to end.

pub mod browser;
pub mod clips;
pub mod display;
pub mod onnx_file;
pub mod router;
pub mod sandbox;
pub mod terminal;
pub mod transfer;
pub mod tty;
pub mod twin;
pub mod watched;

use std::path::PathBuf;

use raq_shared::paths;
pub use raq_skips::skip;

/// A file or folder of the outside data; skips the test where it is missing.
pub fn outside_data(name: &str) -> Option<PathBuf> {
    let path = paths::outside_data().join(name);
    if path.exists() {
        return Some(path);
    }
    skip(&format!(
        "{} is not there; set {}",
        path.display(),
        paths::DATA_VARIABLE
    ));
    None
}

/// The model that the repository ships: one codebook.
pub fn model() -> PathBuf {
    paths::repository().join("onnx/models/base")
}

/// A small model that was never trained: codebooks for tiles and for positions, the second shape
/// twice; `onnx/configs/several.toml` says how it is made.
pub fn several() -> PathBuf {
    paths::repository().join("tests/data/several")
}

/// A small model whose codebook a generator as in the paper makes, in floats; `tests/data/paper/README.md`
/// says how it is made.
pub fn paper() -> PathBuf {
    paths::repository().join("tests/data/paper")
}
