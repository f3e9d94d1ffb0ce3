//! What the link could carry.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time that a row of `link.csv` stands for; the last one may be cut short by the run's end.
pub const BIN: Duration = Duration::from_millis(100);

/// A row of `link.csv`: the time from `t_us` on for [`BIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// Start, microseconds.
    pub t_us: u64,
    /// Bytes with UDP and IP headers that the media direction could have carried.
    pub down_bytes: u64,
    /// Likewise for the feedback's direction.
    pub up_bytes: u64,
}
