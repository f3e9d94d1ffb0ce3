//! How hard x264 searches.

use serde::{Deserialize, Serialize};

/// A preset of x264 that keeps up with a camera on a slow machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The least work: no deblocking, no CABAC, no sub-pixel partitions.
    Ultrafast,
    /// A little more.
    Superfast,
    /// What live streams mostly take.
    #[default]
    Veryfast,
}

impl Preset {
    /// The name that x264 knows it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
        }
    }
}
