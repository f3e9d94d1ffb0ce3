//! The codecs that are held beside each other.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A codec and how it is set up; files and flags use the names that [`fmt::Display`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// `raq`: the codec that all this is about.
    Raq,
    /// `x264-ultrafast`: H.264 by x264, what little processors afford.
    X264Ultrafast,
    /// `x264-veryfast`: H.264 by x264 with more search.
    X264Veryfast,
    /// `x264-intra`: as ultrafast, with nothing predicted from other frames.
    X264Intra,
    /// `vp8`: VP8 by libvpx at its fastest.
    Vp8,
    /// `jpeg`: every frame a JPEG picture.
    Jpeg,
}

impl Codec {
    /// All of them, in the order of tables and legends.
    pub const ALL: [Self; 6] = [
        Self::Raq,
        Self::X264Ultrafast,
        Self::X264Veryfast,
        Self::X264Intra,
        Self::Vp8,
        Self::Jpeg,
    ];

    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raq => "raq",
            Self::X264Ultrafast => "x264-ultrafast",
            Self::X264Veryfast => "x264-veryfast",
            Self::X264Intra => "x264-intra",
            Self::Vp8 => "vp8",
            Self::Jpeg => "jpeg",
        }
    }

    /// Whether it is raq itself, which has a model and a link; the others are comparators.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Raq)
    }

    /// Whether it takes 4:2:0 pictures of even width and height only.
    pub fn needs_even_sides(self) -> bool {
        match self {
            Self::X264Ultrafast | Self::X264Veryfast | Self::X264Intra => true,
            Self::Raq | Self::Vp8 | Self::Jpeg => false,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("{text:?} is no codec; choose of {names}")
            })
    }
}

impl Serialize for Codec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse(), Ok(codec));
        }
        assert!("x264".parse::<Codec>().unwrap_err().contains("x264-intra"));
    }
}
