//! The sums over a session that end its `--stats`.

use std::time::Duration;

use raq_shared::stats::{FrameDecoded, ReceiverSummary};

use crate::assembly::{Counts, ReceivedFrame};

/// Sums over one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) frames_decoded: u32,
    pub(crate) frames_partial: u32,
    /// Frames that waited too long for the decoder.
    pub(crate) frames_overrun: u32,
    pub(crate) frames_late: u32,
    pub(crate) frames_superseded: u32,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    /// Notes that something arrived.
    pub(crate) fn arrived(&mut self, now: Duration) {
        self.first.get_or_insert(now);
        self.last = now;
    }

    /// Notes a decoded frame.
    pub(crate) fn decoded(&mut self, frame: &ReceivedFrame) {
        self.frames_decoded += 1;
        self.frames_partial += u32::from(!frame.is_complete());
    }

    /// Notes a frame that was shown or gave way.
    pub(crate) fn shown(&mut self, frame: &FrameDecoded) {
        self.frames_late += u32::from(frame.late);
        self.frames_superseded += u32::from(frame.superseded);
    }

    /// The record that ends the session.
    pub(crate) fn summary(
        &self,
        frames_sent: u32,
        counts: &Counts,
        provider: &str,
        codebook_digest: String,
        codebook_shipped: bool,
    ) -> ReceiverSummary {
        let seconds = self
            .last
            .saturating_sub(self.first.unwrap_or(self.last))
            .as_secs_f64();
        ReceiverSummary {
            frames_decoded: self.frames_decoded,
            frames_partial: self.frames_partial,
            frames_lost: frames_sent.saturating_sub(self.frames_decoded),
            frames_overrun: self.frames_overrun + counts.overrun,
            frames_late: self.frames_late,
            frames_superseded: self.frames_superseded,
            bytes: counts.bytes,
            seconds: (seconds * 1e6).round() / 1e6,
            provider: provider.to_owned(),
            codebook_digest,
            codebook_shipped,
        }
    }
}
