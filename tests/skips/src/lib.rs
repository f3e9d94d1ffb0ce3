//! Tests that need what is not there: skipped with the reason, or failed where all are required.

use std::{env, fs::OpenOptions, io::Write as _, thread};

/// Where this variable is 1, a test that would be skipped fails.
pub const REQUIRE_ALL: &str = "RAQ_REQUIRE_ALL";
/// Names the file that gets a line for every skipped test.
pub const SKIPS: &str = "RAQ_SKIPS";

/// Whether a test that would be skipped is to fail.
pub fn all_required() -> bool {
    env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1")
}

/// Says that the running test cannot be run here, and why.
///
/// # Panics
/// Under `RAQ_REQUIRE_ALL=1`.
pub fn skip(reason: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    assert!(!all_required(), "{test} cannot be run: {reason}");
    let line = format!("{test}: {reason}\n");
    eprint!("skipped: {line}");
    // The runner hides what passing tests print, so `cargo xtask test` collects it.
    if let Some(path) = env::var_os(SKIPS) {
        let file = OpenOptions::new().append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
