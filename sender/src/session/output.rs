//! What a session wants done.

use std::time::Duration;

use bytes::Bytes;
use raq_shared::stage::MAX_STAGES;

use super::End;
use crate::closings::Closings;
use crate::frame_coder::Allowance;

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
    },
    /// Tell the coder what the receiver has. Older ones may be dropped where newer ones tell the same.
    Closings(Closings),
    /// Send this datagram.
    Datagram(Bytes),
    /// Those were all datagrams of a frame.
    Sent(Sent),
    /// Capture no more; then say [`Input::SourceEnd`](super::Input::SourceEnd).
    StopSource,
    /// Wait until everything given out has left, then say
    /// [`Input::Flushed`](super::Input::Flushed).
    Flush,
    /// The session is over; close the connection.
    End(End),
}

/// A frame that was given out in datagrams.
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
    /// Number of datagrams.
    pub datagrams: u8,
    /// Bytes of all datagrams, headers included.
    pub bytes: u64,
}

/// Counts of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames sent.
    pub frames_sent: u32,
    /// Frames of the source that were not sent.
    pub frames_skipped: u32,
    /// Bytes of all datagrams, headers included.
    pub bytes: u64,
    /// Reports that came.
    pub reports: u64,
    /// Datagrams from the receiver that were no reports.
    pub malformed: u64,
    /// Whether the receiver asked for the codebooks.
    pub codebook_shipped: bool,
}
