//! What the threads that decode and show tell the driver.

use raq_shared::exit::Failure;

use crate::assembly::ReceivedFrame;

/// A report to the driver.
#[derive(Debug)]
pub(crate) enum Event {
    /// The decoder is ready for the format it was given.
    Prepared,
    /// A frame was decoded; its buffers come back.
    Decoded(Decoded),
    /// Everything of the session is decoded and written.
    Drained {
        /// Frames decoded, in whole or in part.
        frames_decoded: u32,
        /// Frames written again in the place of missing ones.
        frames_repeated: u64,
    },
    /// The decoder or the sink cannot go on.
    Failed(Failure),
    /// One of the two threads is no more: it will answer nothing.
    Panicked(Failure),
}

/// A frame that was decoded.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The frame as it was received.
    pub(crate) frame: ReceivedFrame,
    /// When it was ready to be shown, time of day in microseconds since 1970.
    pub(crate) shown_unix_us: u64,
    /// Time in the decoder network, milliseconds.
    pub(crate) decode_ms: f64,
}
