//! How long codecs take: reported in a file of its own, and nothing depends on it.

use std::time::{Duration, Instant};

/// Runs from its making on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

#[allow(
    clippy::disallowed_methods,
    reason = "how long real codecs take is what is measured"
)]
impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since.
    pub(super) fn time(self) -> Duration {
        Instant::now() - self.0
    }
}
