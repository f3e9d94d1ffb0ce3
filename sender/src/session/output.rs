//! What a session wants done.

use std::time::Duration;

use bytes::Bytes;
use raq_shared::stage::MAX_STAGES;
use raq_shared::units::Bitrate;

use super::End;
use crate::closings::Closings;
use crate::frame_coder::Allowance;
use crate::rate::{Limit, Skip};

/// Something to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Write these bytes to the control stream.
    Control(Vec<u8>),
    /// Send these bytes, alone, on a new unidirectional stream; then say
    /// [`Input::Shipped`](super::Input::Shipped).
    Shipment(Vec<u8>),
    /// Begin to capture.
    Start,
    /// Code this frame's latents, and say [`Input::Coded`](super::Input::Coded).
    Code {
        /// Frame number.
        number: u32,
        /// What it may take.
        allowance: Allowance,
    },
    /// Forget this frame's latents: it is not sent.
    Discard {
        /// Frame number.
        number: u32,
        /// Why, where it was not too late for it.
        skip: Option<Skip>,
    },
    /// Tell the coder what the receiver has. Older ones may be dropped where newer ones tell the same.
    Closings(Closings),
    /// Send this datagram, now.
    Datagram {
        /// Number of its frame.
        frame: u32,
        /// Its place in the frame, from 0; those of parity come last.
        index: u8,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Send this datagram, now: it asks whether the path is there.
    Heartbeat(Bytes),
    /// Those were all datagrams of a frame that leave.
    Sent(Sent),
    /// Capture no more; then say [`Input::SourceEnd`](super::Input::SourceEnd).
    StopSource,
    /// Wait until QUIC has sent everything given out, then say
    /// [`Input::Flushed`](super::Input::Flushed).
    Flush,
    /// The session is over; close the connection.
    End(End),
}

/// A frame that was coded, and has left as far as it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Frame number.
    pub number: u32,
    /// When it was captured.
    pub captured: Duration,
    /// Quality level, 0..=96.
    pub level: u8,
    /// K̃ per stage, 0 for stages that the model does not have.
    pub codewords: [u16; MAX_STAGES],
    /// Bytes that it might have taken.
    pub budget: u64,
    /// Why no more.
    pub limit: Limit,
    /// What the path was taken to carry.
    pub estimate: Bitrate,
    /// Time in the queue of the path, as far as was known.
    pub queue: Duration,
    /// Number of datagrams, those of parity included.
    pub datagrams: u8,
    /// Those of parity.
    pub parity: u8,
    /// Those of them that left; the others became too old.
    pub left: u8,
    /// Bytes of those that left, headers included.
    pub bytes: u64,
}

/// Counts of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames of which datagrams left.
    pub frames_sent: u32,
    /// Frames of the source of which none did.
    pub frames_skipped: u32,
    /// Bytes of all datagrams that left, headers included.
    pub bytes: u64,
    /// Datagrams that became too old to leave.
    pub datagrams_dropped: u64,
    /// Reports that came.
    pub reports: u64,
    /// Datagrams from the receiver that were no reports.
    pub malformed: u64,
    /// Whether the receiver asked for the codebooks.
    pub codebook_shipped: bool,
}

impl Counts {
    /// Adds those of another session.
    pub fn add(&mut self, other: &Self) {
        self.frames_sent = self.frames_sent.saturating_add(other.frames_sent);
        self.frames_skipped = self.frames_skipped.saturating_add(other.frames_skipped);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.reports = self.reports.saturating_add(other.reports);
        self.malformed = self.malformed.saturating_add(other.malformed);
        self.datagrams_dropped = self
            .datagrams_dropped
            .saturating_add(other.datagrams_dropped);
        self.codebook_shipped |= other.codebook_shipped;
    }
}
