//! What was run.

use serde::{Deserialize, Serialize};

/// Version of the records' format.
pub const VERSION: u32 = 1;

/// `run.json`: what the records are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`VERSION`].
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario in a line, for people.
    pub description: String,
    /// All that is random follows from it.
    pub seed: u64,
    /// What carried the media.
    pub mode: Mode,
    /// Length of the run, microseconds, above 0.
    pub duration_us: u64,
    /// Frames per second of the source, above 0.
    pub fps: f64,
    /// Media flows, at least 1.
    pub flows: u32,
    /// From capture to the deadline of display, microseconds.
    pub playout_us: u64,
    /// The most that one flow's source may give, kbit/s.
    pub max_kbps: Option<f64>,
    /// `ideal`, or the clip's name.
    pub media: String,
    /// The policies' names, in the order of the report; [`folder_name`](super::folder_name) gives
    /// where their records are.
    pub policies: Vec<String>,
    /// Tiles of a frame; none for the ideal source.
    pub tiles: Option<u32>,
}

/// What carried the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Sessions in virtual time.
    Sessions,
    /// QUIC endpoints over a socket in memory.
    Quic,
    /// Real programs over a relay in real time.
    Relay,
}

impl Mode {
    /// All, the fastest first.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Quic, Self::Relay];

    /// As in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Quic => "quic",
            Self::Relay => "relay",
        }
    }
}
