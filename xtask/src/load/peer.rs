//! One of several streams.

use std::path::Path;

use anyhow::Result;

use crate::{delay::Delay, stats};

/// What became of its frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Frames that were sent.
    pub(super) sent: usize,
    /// Frames that were not, of those that the source made.
    pub(super) skipped: u32,
    /// Frames that were decoded.
    pub(super) decoded: usize,
    /// From capture to picture; none where nothing arrived.
    pub(super) delay_ms: Option<Delay>,
}

impl Peer {
    /// As both ends tell it.
    ///
    /// # Errors
    /// Where one of their files cannot be read.
    pub(super) fn read(sent: &Path, decoded: &Path) -> Result<Self> {
        let (sent, sender) = stats::sender(sent)?;
        let (decoded, _) = stats::receiver(decoded)?;
        Ok(Self {
            sent: sent.len(),
            skipped: sender.frames_skipped,
            decoded: decoded.len(),
            delay_ms: Delay::between(&sent, &decoded),
        })
    }

    /// The part of the frames sent that was decoded.
    pub(super) fn kept(&self) -> f64 {
        self.decoded as f64 / self.sent.max(1) as f64
    }
}
