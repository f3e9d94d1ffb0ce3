//! Frames, while datagrams may still come and as they are given out.

use std::time::Duration;

use raq_shared::stage::MAX_STAGES;
use raq_shared::tile::scene::Arrivals;

/// The picture as a frame left it, ready for the decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedFrame {
    /// Frame number.
    pub number: u32,
    /// Quality level of the frame, 0..=96.
    pub level: u8,
    /// K̃ per stage, 0 for stages that the model does not have.
    pub codewords: [u16; MAX_STAGES],
    /// When the frame was captured, 100 µs since the session began, 24 bits, wrapping.
    pub capture: u32,
    /// Datagrams of the frame that had arrived.
    pub datagrams_received: u8,
    /// Datagrams that the frame was sent in.
    pub datagrams_expected: u8,
    /// Tiles that were never received and show their neighbours.
    pub concealed_tiles: u32,
    /// Updates of the frame that were applied, each to a tile of its own. What was received of newer
    /// frames may already show over them.
    pub updated_tiles: u32,
    /// Latents of the whole picture, `[positions, dim]`, grid units.
    pub latents: Vec<f32>,
    /// Depth of every position, 0..=96.
    pub depths: Vec<f32>,
}

impl ReceivedFrame {
    /// Whether all datagrams had arrived.
    pub fn is_complete(&self) -> bool {
        self.datagrams_received == self.datagrams_expected
    }
}

/// What became of the datagrams of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that arrived.
    pub datagrams: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Those that no sender makes.
    pub malformed: u64,
    /// Those that came after their frame was closed.
    pub stale: u64,
    /// Those that came twice.
    pub duplicates: u64,
    /// Lost ones that were made again from datagrams of parity.
    pub restored: u64,
    /// Frames closed with all their datagrams or some.
    pub frames: u32,
    /// Frames closed with some of their datagrams.
    pub partial: u32,
    /// Frames that were never given out: a newer one was complete before them.
    pub overtaken: u32,
    /// Frames given up because nobody took them.
    pub overrun: u32,
}

/// A frame of which datagrams may still come.
#[derive(Debug)]
pub(super) struct OpenFrame {
    pub(super) number: u32,
    pub(super) level: u8,
    pub(super) codewords: [u16; MAX_STAGES],
    pub(super) capture: u32,
    pub(super) count: u8,
    pub(super) arrived: Arrivals,
    pub(super) last_seen: Duration,
    /// The longest time between two datagrams, once there are two.
    pub(super) longest_gap: Option<Duration>,
    /// It was given out.
    pub(super) given: bool,
}

impl OpenFrame {
    pub(super) fn is_complete(&self) -> bool {
        self.arrived.len() == u32::from(self.count)
    }

    /// Another datagram of it came.
    pub(super) fn seen(&mut self, now: Duration) {
        let gap = now.saturating_sub(self.last_seen);
        self.longest_gap = self.longest_gap.max(Some(gap));
        self.last_seen = now;
    }
}
