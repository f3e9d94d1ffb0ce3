//! Times, rates and queue sizes as a scenario writes them: a number with its unit.

use std::{fmt, time::Duration};

use raq_shared::units::{Bitrate, parse_bitrate, parse_duration_or_zero};
use serde::{Deserialize, Serialize};

/// Longer than any run.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// More than any router holds, in bytes.
const LARGEST: f64 = 1e9;

/// A time, zero or more and at most 30 days: `"50ms"`, `"1.5s"`, `"2m"`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Time(pub Duration);

/// A rate, zero or more and at most 1 Tbit/s: `"800bit"`, `"2500kbit"`, `"1.5Mbit"`, each per
/// second.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(pub Bitrate);

/// A number of bytes, 1 to 10⁹: `"1500B"`, `"64kB"` (1 kB is 1000 bytes), `"1.5MB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(pub u64);

/// How much a queue holds, the packet being sent included: `"256 packets"`, `"64kB"` or
/// `"300ms"`.
///
/// A time is what the link carries in it at the rate of the moment a packet arrives; for a trace
/// of packet opportunities, at the mean rate of the second before. Where nothing is carried, the
/// last rate before counts. Outages are left out of the reckoning, and two packets of 1500 bytes
/// always fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum QueueSize {
    /// So many bytes.
    Bytes(u64),
    /// So many packets of any size.
    Packets(u32),
    /// What the link carries in so long.
    Time(Duration),
}

impl Default for QueueSize {
    fn default() -> Self {
        Self::Time(Duration::from_millis(300))
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no time; write a number with ms, s or m, as in \"50ms\"");
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if unit.is_empty() {
            return Err(wrong());
        }
        match parse_duration_or_zero(&text) {
            Ok(time) if time <= LONGEST => Ok(Self(time)),
            Ok(_) => Err(format!("{text:?} is too long; write at most 30 days")),
            Err(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos.is_multiple_of(1_000_000_000) {
            return write!(f, "{}s", nanos / 1_000_000_000);
        }
        let fraction = format!("{:06}", nanos % 1_000_000);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}ms", nanos / 1_000_000),
            digits => write!(f, "{}.{digits}ms", nanos / 1_000_000),
        }
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no rate; write a number with bit, kbit or Mbit, as in \"1.5Mbit\"")
        };
        let short = text.strip_suffix("/s").unwrap_or(&text);
        let short = short.strip_suffix("bit").ok_or_else(wrong)?;
        let number = short.trim_end_matches(['k', 'M']);
        if number.parse() == Ok(0.0) && short.len() <= number.len() + 1 {
            return Ok(Self(Bitrate::ZERO));
        }
        parse_bitrate(short).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.bits_per_second() {
            bits if bits.is_multiple_of(1_000_000) => write!(f, "{}Mbit", bits / 1_000_000),
            bits if bits.is_multiple_of(1000) => write!(f, "{}kbit", bits / 1000),
            bits => write!(f, "{bits}bit"),
        }
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("kB", 1e3), ("MB", 1e6), ("B", 1.0)].into_iter();
        let mut values = units.filter_map(|(unit, scale)| {
            let number: f64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            Some(number * scale)
        });
        match values.next() {
            Some(bytes) if (1.0..=LARGEST).contains(&bytes) => Ok(Self(bytes as u64)),
            _ => Err(format!(
                "{text:?} is no size; write a number with B, kB or MB, as in \"64kB\""
            )),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl TryFrom<String> for QueueSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no queue; write packets, bytes or a time, as in \"256 packets\", \
                 \"64kB\" or \"300ms\""
            )
        };
        let number = |suffix: &str| text.strip_suffix(suffix).map(str::trim_end);
        if let Some(count) = number("packets").or_else(|| number("packet")) {
            return match count.parse() {
                Ok(count @ 1..) => Ok(Self::Packets(count)),
                _ => Err(wrong()),
            };
        }
        if text.ends_with('B') {
            let size = Size::try_from(text.clone());
            return size
                .map(|Size(bytes)| Self::Bytes(bytes))
                .map_err(|_| wrong());
        }
        match Time::try_from(text.clone()) {
            Ok(Time(time)) if !time.is_zero() => Ok(Self::Time(time)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for QueueSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
            Self::Packets(count) => write!(f, "{count} packets"),
            Self::Time(time) => write!(f, "{}", Time(time)),
        }
    }
}

impl From<QueueSize> for String {
    fn from(size: QueueSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Result<Duration, String> {
        Time::try_from(text.to_owned()).map(|Time(time)| time)
    }

    fn rate(text: &str) -> Result<u64, String> {
        Rate::try_from(text.to_owned()).map(|Rate(rate)| rate.bits_per_second())
    }

    fn queue(text: &str) -> Result<QueueSize, String> {
        QueueSize::try_from(text.to_owned())
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, nanos) in [
            ("0ms", 0),
            ("50ms", 50_000_000),
            ("0.25ms", 250_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
        ] {
            let read = time(text).unwrap();
            assert_eq!(read.as_nanos(), nanos, "{text}");
            assert_eq!(time(&Time(read).to_string()), Ok(read));
        }
        for bad in [
            "", "5", "-1s", "1x", "s", "nan", "1e9s", "0", "0x", "31000h",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_read_and_written() {
        for (text, bits) in [
            ("0kbit", 0),
            ("800bit", 800),
            ("2500kbit", 2_500_000),
            ("1.5Mbit/s", 1_500_000),
        ] {
            assert_eq!(rate(text), Ok(bits));
            assert_eq!(
                rate(&Rate(Bitrate::from_bits_per_second(bits)).to_string()),
                Ok(bits)
            );
        }
        for bad in [
            "",
            "5",
            "-1kbit",
            "1k",
            "bit",
            "0kkbit",
            "1e300Mbit",
            "nanbit",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn queues_are_read_and_written() {
        for (text, size) in [
            ("256 packets", QueueSize::Packets(256)),
            ("1 packet", QueueSize::Packets(1)),
            ("64kB", QueueSize::Bytes(64_000)),
            ("1.5 MB", QueueSize::Bytes(1_500_000)),
            ("300ms", QueueSize::Time(Duration::from_millis(300))),
        ] {
            assert_eq!(queue(text), Ok(size));
            assert_eq!(queue(&size.to_string()), Ok(size));
        }
        for bad in [
            "",
            "0 packets",
            "-1 packets",
            "0B",
            "2TB",
            "0ms",
            "many",
            "64",
            "nankB",
        ] {
            assert!(queue(bad).is_err(), "{bad}");
        }
    }
}
