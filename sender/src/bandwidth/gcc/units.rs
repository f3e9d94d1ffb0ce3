//! The units of goog_cc.

use std::time::Duration;

use goog_cc::units::{DataRate, DataSize, TimeDelta, Timestamp};
use raq_shared::units::Bitrate;

/// The crate's time when ours is zero. The crate takes the time at which an
/// application-limited region began from the machine's clock, counted from when the controller was
/// made; it matters only where it is later than the last probe, which this excludes.
const EPOCH: Duration = Duration::from_secs(1 << 30);

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

/// A time since any fixed moment.
pub fn timestamp(at: Duration) -> Timestamp {
    Timestamp::from_micros(micros(EPOCH.saturating_add(at)))
}

/// A length of time; nothing where it is negative or endless.
pub fn duration(time: TimeDelta) -> Duration {
    Duration::from_micros(u64::try_from(time.us_or(0)).unwrap_or(0))
}

/// Of bytes.
pub fn size(bytes: u64) -> DataSize {
    DataSize::from_bytes(i64::try_from(bytes).unwrap_or(i64::MAX / 8))
}

/// Bytes; none where there is no end of them.
pub fn bytes(size: DataSize) -> u64 {
    u64::try_from(size.bytes_or(0)).unwrap_or(0)
}

/// Rates beyond what the crate can count with are as good as none.
pub fn rate(rate: Bitrate) -> DataRate {
    const MOST: i64 = 1_000_000_000_000;
    DataRate::from_bits_per_sec(i64::try_from(rate.bits_per_second()).map_or(MOST, |r| r.min(MOST)))
}

/// The rate in our unit; none where it has no limit.
pub fn bitrate(rate: DataRate) -> Bitrate {
    Bitrate::from_bits_per_second(u64::try_from(rate.bps_or(0)).unwrap_or(0))
}
