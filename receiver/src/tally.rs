//! The sums over a session that end its `--stats`.

use std::time::Duration;

use raq_shared::stats::{FrameDecoded, ReceiverSummary, used};

use crate::assembly::Counts;
use crate::event::Decoded;

/// Sums over one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) frames_decoded: u32,
    pub(crate) frames_partial: u32,
    /// Frames that waited too long for the decoder.
    pub(crate) frames_overrun: u32,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    /// Notes that something arrived.
    pub(crate) fn arrived(&mut self, now: Duration) {
        self.first.get_or_insert(now);
        self.last = now;
    }

    /// Notes a decoded frame and gives its record.
    pub(crate) fn decoded(&mut self, decoded: &Decoded) -> FrameDecoded {
        let frame = &decoded.frame;
        self.frames_decoded += 1;
        self.frames_partial += u32::from(!frame.is_complete());
        FrameDecoded {
            frame: frame.number,
            shown_unix_us: decoded.shown_unix_us,
            level: frame.level,
            codewords: used(&frame.codewords),
            datagrams_received: frame.datagrams_received,
            datagrams_expected: frame.datagrams_expected,
            concealed_tiles: frame.concealed_tiles,
            decode_ms: decoded.decode_ms,
        }
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
            bytes: counts.bytes,
            seconds: (seconds * 1e6).round() / 1e6,
            provider: provider.to_owned(),
            codebook_digest,
            codebook_shipped,
        }
    }
}
