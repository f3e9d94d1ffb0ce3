//! What the threads that decode and show tell the driver.

use raq_shared::exit::Failure;
use raq_shared::stats::FrameDecoded;

use crate::assembly::ReceivedFrame;

/// A report to the driver.
#[derive(Debug)]
pub(crate) enum Event {
    /// The decoder is ready for the format it was given.
    Prepared,
    /// A frame was decoded; its buffers come back.
    Decoded(ReceivedFrame),
    /// A frame was shown, or gave way to a newer one.
    Shown {
        /// When it was captured, 100 µs since the session began, 24 bits, wrapping.
        capture: u32,
        /// What is told of it.
        record: FrameDecoded,
    },
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
