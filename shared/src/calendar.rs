//! What the calendar says. For drivers: nothing that is simulated may ask.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970, by a clock that may be set anew at any time.
#[allow(
    clippy::disallowed_methods,
    reason = "times of day are written down, and tickets end by them"
)]
pub fn unix_now() -> Duration {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.unwrap_or_default()
}
