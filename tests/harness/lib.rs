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

use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf, thread};

use raq_shared::paths;

/// Says that the running test cannot be run here, and why; under `RAQ_REQUIRE_ALL=1` that is a
/// failure.
///
/// # Panics
/// Under `RAQ_REQUIRE_ALL=1`.
pub fn skip(reason: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let required = env::var_os(xtask::test::REQUIRE_ALL).is_some_and(|value| value == "1");
    assert!(!required, "{test} cannot be run: {reason}");
    let line = format!("{test}: {reason}\n");
    eprint!("skipped: {line}");
    // The runner hides what passing tests print, so `cargo xtask test` collects it.
    if let Some(path) = env::var_os(xtask::test::SKIPS) {
        let file = OpenOptions::new().append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

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
