//! Units as types.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::video::FrameRate;

/// A rate in bits per second.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bitrate(u64);

impl Bitrate {
    /// Nothing at all.
    pub const ZERO: Self = Self(0);
    /// No limit.
    pub const MAX: Self = Self(u64::MAX);

    /// So many bits per second.
    pub const fn from_bits_per_second(bits: u64) -> Self {
        Self(bits)
    }

    /// So many kilobits (1000 bits) per second.
    pub const fn from_kilobits_per_second(kilobits: u64) -> Self {
        Self(kilobits.saturating_mul(1000))
    }

    /// The rate of `bytes` in `time`; 0 when no time has passed.
    pub fn from_bytes_over(bytes: u64, time: Duration) -> Self {
        match time.as_nanos() {
            0 => Self::ZERO,
            nanos => {
                let bits = u128::from(bytes) * 8_000_000_000 / nanos;
                Self(u64::try_from(bits).unwrap_or(u64::MAX))
            }
        }
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// Kilobits (1000 bits) per second.
    pub fn kilobits_per_second(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The bytes one frame may have at `frame_rate`, rounded down.
    pub fn bytes_per_frame(self, frame_rate: FrameRate) -> u64 {
        let rate = frame_rate.fraction();
        let bytes = u128::from(self.0) * u128::from(rate.den) / (8 * u128::from(rate.num));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// This rate times `factor`, saturating; 0 where the factor is negative or not a number.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor) as u64)
    }
}

/// Three significant places and a unit: `812 kbit/s`, `1.25 Mbit/s`.
impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bits @ 0..1000 => write!(f, "{bits} bit/s"),
            bits @ 1000..1_000_000 => write!(f, "{} kbit/s", bits / 1000),
            bits => write!(f, "{:.2} Mbit/s", bits as f64 / 1e6),
        }
    }
}

/// Reads a time as a command line gives it: seconds, or a number with `ms`, `s`, `m` or `h`; more
/// than nothing.
///
/// # Errors
/// What is wrong with the text and what to give.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match parse_duration_or_zero(text)? {
        Duration::ZERO => Err(format!("{text:?} is too short; give more than nothing")),
        time => Ok(time),
    }
}

/// Like [`parse_duration`], but nothing at all is a time, too.
///
/// # Errors
/// What is wrong with the text and what to give.
pub fn parse_duration_or_zero(text: &str) -> Result<Duration, String> {
    let wrong = || no_time(text);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds: f64 = digits.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(seconds * scale).map_err(|_| wrong())?;
    // What is too little to be counted is not what was asked for.
    if time.is_zero() && seconds != 0.0 {
        return Err(wrong());
    }
    Ok(time)
}

fn no_time(text: &str) -> String {
    format!("{text:?} is no time; give seconds, or a number with ms, s, m or h")
}

/// Reads a bitrate as a command line gives it: bits per second, or a number with `k` or `M`; more
/// than nothing.
///
/// # Errors
/// What is wrong with the text and what to give.
pub fn parse_bitrate(text: &str) -> Result<Bitrate, String> {
    let wrong = || format!("{text:?} is no bitrate; give bits per second, or a number with k or M");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let bits = number * scale;
    if (1.0..=1e12).contains(&bits) {
        Ok(Bitrate(bits as u64))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, millis) in [
            ("2", 2000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
        for bad in ["", "0", "-1s", "1x", "s", "1e300s", "nan"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
            assert_eq!(parse_duration_or_zero(bad).is_ok(), bad == "0", "{bad}");
        }
        assert_eq!(parse_duration_or_zero("0ms"), Ok(Duration::ZERO));
        assert!(parse_duration_or_zero("1e-30s").is_err());
    }

    #[test]
    fn rates_are_read_with_their_unit() {
        for (text, bits) in [("150000", 150_000), ("300k", 300_000), ("1.5M", 1_500_000)] {
            assert_eq!(parse_bitrate(text), Ok(Bitrate::from_bits_per_second(bits)));
        }
        for bad in ["", "0", "-1k", "1kbit", "k", "1e300", "nan", "0.5"] {
            assert!(parse_bitrate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_frame_gets_its_share() {
        let rate = FrameRate::new(30000, 1001).unwrap();
        assert_eq!(
            Bitrate::from_kilobits_per_second(1200).bytes_per_frame(rate),
            5005
        );
        assert_eq!(Bitrate::ZERO.bytes_per_frame(rate), 0);
        // u64::MAX bits over 30000/1001 fps does not overflow on the way.
        assert!(Bitrate::MAX.bytes_per_frame(rate) > 1 << 50);
    }

    #[test]
    fn rates_come_from_bytes_and_time() {
        let rate = Bitrate::from_bytes_over(125_000, Duration::from_millis(500));
        assert_eq!(rate, Bitrate::from_kilobits_per_second(2000));
        assert_eq!(Bitrate::from_bytes_over(1, Duration::ZERO), Bitrate::ZERO);
        assert_eq!(rate.scaled(0.5).to_string(), "1.00 Mbit/s");
        assert_eq!(rate.scaled(-1.0), Bitrate::ZERO);
    }
}
