//! The one clock of the program.

use std::time::{Duration, Instant};

use raq_shared::calendar::unix_now;

/// Time since the program began to send, and what time of day that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    unix: Duration,
}

#[allow(
    clippy::disallowed_methods,
    reason = "the session's time comes from here"
)]
impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            unix: unix_now(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// When it is `time` on this clock.
    pub(crate) fn instant(&self, time: Duration) -> Instant {
        self.start + time
    }

    /// The time of day in microseconds since 1970.
    pub(crate) fn unix_us(&self, time: Duration) -> u64 {
        (self.unix + time).as_micros() as u64
    }
}
