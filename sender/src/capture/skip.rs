//! Tests that need what is not there.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

/// Says that the running test is skipped, and fails it under `RAQ_REQUIRE_ALL=1`.
pub(super) fn skip(reason: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let required = env::var_os("RAQ_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "{test} cannot be run: {reason}");
    let line = format!("{test}: {reason}\n");
    eprint!("skipped: {line}");
    // The runner hides what passing tests print, so `cargo xtask test` collects it.
    if let Some(path) = env::var_os("RAQ_SKIPS") {
        let file = OpenOptions::new().append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
