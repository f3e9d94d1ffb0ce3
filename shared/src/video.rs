//! What a stream's pictures mean: size, frame rate, pixel shape, chroma siting, colour range.
//!
//! The format travels in the handshake and is written back by the receiver unchanged.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::frame::{FrameSize, SizeError};

/// The highest frame rate accepted, in frames per second.
pub const MAX_FRAME_RATE: u32 = 1000;

/// A ratio of whole numbers, as y4m writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

impl Fraction {
    /// `num` / `den`, kept as given.
    pub const fn new(num: u32, den: u32) -> Self {
        Self { num, den }
    }

    /// The value; infinite or not a number when `den` is 0.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.num, self.den)
    }
}

/// Frames per second: more than 0 and at most [`MAX_FRAME_RATE`], exact as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fraction", into = "Fraction")]
pub struct FrameRate(Fraction);

impl FrameRate {
    /// Checks the range.
    ///
    /// # Errors
    /// [`FormatError::FrameRate`] when a part is 0 or the value is over [`MAX_FRAME_RATE`].
    pub fn new(num: u32, den: u32) -> Result<Self, FormatError> {
        let fraction = Fraction { num, den };
        // The slowest rate allowed is one frame in 1000 seconds: sums of durations stay small.
        let (n, d) = (u64::from(num), u64::from(den));
        if n > 0 && d > 0 && n <= d * u64::from(MAX_FRAME_RATE) && d <= n * 1000 {
            Ok(Self(fraction))
        } else {
            Err(FormatError::FrameRate(fraction))
        }
    }

    /// The fraction as written in files.
    pub fn fraction(self) -> Fraction {
        self.0
    }

    /// Frames per second.
    pub fn as_f64(self) -> f64 {
        self.0.as_f64()
    }

    /// When frame `number` is due, counted from frame 0; exact to a nanosecond, without drift.
    pub fn time_of(self, number: u64) -> Duration {
        let nanos =
            u128::from(number) * 1_000_000_000 * u128::from(self.0.den) / u128::from(self.0.num);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The newest frame due at `elapsed` since frame 0.
    pub fn number_at(self, elapsed: Duration) -> u64 {
        // The largest n with floor(n · den · 1e9 / num) <= elapsed.
        let (num, den) = (u128::from(self.0.num), u128::from(self.0.den));
        let number = (elapsed.as_nanos() * num + num - 1) / (den * 1_000_000_000);
        u64::try_from(number).unwrap_or(u64::MAX)
    }
}

impl TryFrom<Fraction> for FrameRate {
    type Error = FormatError;

    fn try_from(fraction: Fraction) -> Result<Self, FormatError> {
        Self::new(fraction.num, fraction.den)
    }
}

impl From<FrameRate> for Fraction {
    fn from(rate: FrameRate) -> Self {
        rate.0
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fraction { num, den: 1 } => write!(f, "{num}"),
            Fraction { num, den } => write!(f, "{num}/{den}"),
        }
    }
}

/// Reads `30`, `30000/1001`, `30000:1001` and `29.97`.
impl FromStr for FrameRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no frame rate: write 30, 29.97 or 30000/1001, up to 1000");
        let (num, den) = if let Some((num, den)) = text.split_once(['/', ':']) {
            (
                num.parse().map_err(|_| wrong())?,
                den.parse().map_err(|_| wrong())?,
            )
        } else if let Ok(whole) = text.parse() {
            (whole, 1)
        } else {
            let value: f64 = text.parse().map_err(|_| wrong())?;
            if !(0.001..=f64::from(MAX_FRAME_RATE)).contains(&value) {
                return Err(wrong());
            }
            ((value * 1000.0).round() as u32, 1000)
        };
        Self::new(num, den).map_err(|_| wrong())
    }
}

/// Where chroma samples lie between the luma samples, as y4m names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChromaSiting {
    /// `C420` or no tag: not said.
    Unspecified,
    /// `C420jpeg`: in the middle of four luma samples.
    Jpeg,
    /// `C420mpeg2`: level with the left luma samples.
    Mpeg2,
    /// `C420paldv`: on the top left luma sample, U and V on alternate lines.
    Paldv,
}

/// Which 8-bit values black and white have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ColourRange {
    /// No tag: not said; players take it as limited.
    Unspecified,
    /// Black 16, white 235.
    Limited,
    /// Black 0, white 255.
    Full,
}

/// Everything about a stream that does not change from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoFormat {
    /// Luma pixels across, without padding.
    pub width: u32,
    /// Luma pixels down, without padding.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: FrameRate,
    /// Width of a pixel to its height; 0:0 where unknown.
    pub aspect: Fraction,
    /// Chroma siting.
    pub chroma_siting: ChromaSiting,
    /// Colour range.
    pub colour_range: ColourRange,
}

impl VideoFormat {
    /// The size, checked.
    ///
    /// # Errors
    /// [`SizeError`] where the size is out of range.
    pub fn size(&self) -> Result<FrameSize, SizeError> {
        FrameSize::new(self.width, self.height)
    }
}

/// A video format that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Not more than 0 or over [`MAX_FRAME_RATE`].
    #[error("a frame rate of {0} is outside 1:1000 to 1000:1; correct the source's frame rate")]
    FrameRate(Fraction),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_in_three_forms() {
        let rate = |text: &str| text.parse::<FrameRate>().map(FrameRate::fraction);
        assert_eq!(rate("30"), Ok(Fraction::new(30, 1)));
        assert_eq!(rate("30000/1001"), Ok(Fraction::new(30000, 1001)));
        assert_eq!(rate("29.97"), Ok(Fraction::new(29970, 1000)));
        for bad in [
            "", "0", "-1", "1/0", "0/1", "1001", "nan", "inf", "1/1001", "30/", "x",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_frame_is_due_exactly_when_its_time_comes(
            num in 1u32..100_000, den in 1u32..2000, number in 0u64..10_000_000,
        ) {
            let Ok(rate) = FrameRate::new(num, den) else { return Ok(()) };
            let time = rate.time_of(number);
            prop_assert_eq!(rate.number_at(time), number);
            if number > 0 {
                prop_assert_eq!(rate.number_at(time - Duration::from_nanos(1)), number - 1);
            }
        }
    }
}
