//! What a session wants done.

use std::sync::Arc;

use bytes::Bytes;
use raq_shared::codebooks::Codebooks;
use raq_shared::video::VideoFormat;

use super::End;
use crate::assembly::ReceivedFrame;

/// Something to do, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Get ready to decode video of this format, then say [`Input::Prepared`](super::Input::Prepared).
    Prepare(VideoFormat),
    /// Write these bytes to the control stream.
    Control(Vec<u8>),
    /// Send this datagram, a report.
    Datagram(Bytes),
    /// The frames to come are coded with these codebooks.
    Codebooks {
        /// The codebooks.
        codebooks: Arc<Codebooks>,
        /// Whether the sender had to send them.
        shipped: bool,
    },
    /// Decode this frame.
    Frame(ReceivedFrame),
    /// No frames follow: finish what was given out, then say [`Input::Drained`](super::Input::Drained).
    Drain {
        /// Frames that the sender sent, as far as known.
        frames_sent: u32,
    },
    /// The session is over; deliver what was written before closing the connection.
    End(End),
}
