//! What a session is told.

use std::time::Duration;

use bytes::BytesMut;
use raq_shared::stage::MAX_STAGES;

use crate::rate::Path;

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes of the control stream.
    Control(&'a [u8]),
    /// The receiver ended the control stream.
    ControlEnd,
    /// A datagram from the receiver.
    Datagram(&'a [u8]),
    /// The receiver has everything of [`Output::Shipment`](super::Output::Shipment).
    Shipped,
    /// The latents of a frame are ready. Numbers ascend.
    Encoded {
        /// Frame number.
        number: u32,
        /// When it was captured, on the clock of `now`.
        captured: Duration,
        /// The path as it is now.
        path: Path,
    },
    /// The frame of the oldest unanswered [`Output::Code`](super::Output::Code) is coded.
    Coded {
        /// Its datagrams; none where there was no room for any. The session takes them out.
        datagrams: &'a mut Vec<BytesMut>,
        /// Quality level of the frame, 0..=96.
        level: u8,
        /// K̃ per stage, 0 for stages that the model does not have.
        codewords: [u16; MAX_STAGES],
    },
    /// Frames of the source were passed over, for lack of time.
    Skipped {
        /// How many.
        frames: u32,
    },
    /// No more frames come.
    SourceEnd {
        /// The number after the last frame of the source, sent or not.
        next: u32,
    },
    /// Whether QUIC's buffer has no room for a datagram: what leaves then would push out what is in
    /// it, so nothing does until there is room again.
    Held(bool),
    /// QUIC has sent everything given out.
    Flushed,
    /// The connection is gone.
    Lost,
    /// The user wants to stop.
    Stop,
    /// [`Session::deadline`](super::Session::deadline) has come.
    Timeout,
}
