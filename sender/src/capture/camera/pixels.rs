//! The pixel formats that are taken.

use std::str::FromStr;

use linuxvideo::format::PixelFormat;
use raq_shared::video::{ChromaSiting, ColourRange};

/// A pixel format of a camera that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pixels {
    /// `YU12`: planar 4:2:0, as it is sent.
    Planar,
    /// `NV12`: 4:2:0 with U and V side by side.
    SemiPlanar,
    /// `YUYV`: packed 4:2:2.
    Packed,
    /// `MJPG`: motion JPEG, full range.
    MotionJpeg,
    /// `JPEG`: the same with everything that a JPEG file has.
    Jpeg,
}

impl Pixels {
    /// Those that lose least first.
    pub(super) const ALL: [Self; 5] = [
        Self::Planar,
        Self::SemiPlanar,
        Self::Packed,
        Self::MotionJpeg,
        Self::Jpeg,
    ];

    /// The one with this code, if it is taken.
    pub(super) fn of(code: PixelFormat) -> Option<Self> {
        Self::ALL.into_iter().find(|pixels| pixels.code() == code)
    }

    /// Its four-character code.
    pub(super) fn code(self) -> PixelFormat {
        PixelFormat::from_fourcc(*match self {
            Self::Planar => b"YU12",
            Self::SemiPlanar => b"NV12",
            Self::Packed => b"YUYV",
            Self::MotionJpeg => b"MJPG",
            Self::Jpeg => b"JPEG",
        })
    }

    /// Whether pictures are compressed.
    pub(super) fn is_jpeg(self) -> bool {
        matches!(self, Self::MotionJpeg | Self::Jpeg)
    }

    /// The fewest bytes from row to row; 0 where there are no rows.
    pub(super) fn least_stride(self, width: usize) -> usize {
        match self {
            Self::Planar => width,
            Self::SemiPlanar => width.next_multiple_of(2),
            Self::Packed => width.next_multiple_of(2) * 2,
            Self::MotionJpeg | Self::Jpeg => 0,
        }
    }

    /// Where colours lie, as drivers have it unless they say otherwise.
    pub(super) fn chroma_siting(self) -> ChromaSiting {
        match self.is_jpeg() {
            true => ChromaSiting::Jpeg,
            false => ChromaSiting::Mpeg2,
        }
    }

    /// The values of black and white, as drivers have it unless they say otherwise.
    pub(super) fn colour_range(self) -> ColourRange {
        match self.is_jpeg() {
            true => ColourRange::Full,
            false => ColourRange::Limited,
        }
    }
}

/// Reads the four-character code.
impl FromStr for Pixels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |pixels: &Self| pixels.code().to_string().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            let codes = Self::ALL.map(|pixels| pixels.code().to_string());
            format!(
                "{text:?} is not taken from cameras; give one of {}",
                codes.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_by_their_codes() {
        for pixels in Pixels::ALL {
            assert_eq!(pixels.code().to_string().parse(), Ok(pixels));
            assert_eq!(Pixels::of(pixels.code()), Some(pixels));
        }
        assert_eq!("yuyv".parse(), Ok(Pixels::Packed));
        let error = "H264".parse::<Pixels>().unwrap_err();
        assert!(error.contains("YU12, NV12, YUYV, MJPG, JPEG"), "{error}");
    }
}
