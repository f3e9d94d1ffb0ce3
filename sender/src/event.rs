//! What the threads tell the driver.

use std::time::Duration;

use raq_shared::exit::Failure;
use raq_shared::latent::Latents;

/// A report to the driver.
#[derive(Debug)]
pub(crate) enum Event {
    /// Frames of the source were passed over, for lack of time.
    Skipped(u32),
    /// The source has ended or failed; frames before it may still be encoded.
    SourceEnd {
        /// The number after the last frame.
        next: u32,
        /// Why it failed, if it did.
        failure: Option<Failure>,
    },
    /// The latents of a frame are ready.
    Encoded(Encoded),
    /// All frames of the source are encoded.
    EncodeEnd,
    /// A search is done.
    Searched {
        /// The frame, to be used again.
        encoded: Encoded,
        /// One index per position.
        indices: Vec<u16>,
        /// Time it took.
        time: Duration,
    },
    /// A thread cannot go on.
    Failed(Failure),
}

/// A frame after the encoder.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Frame number.
    pub(crate) number: u32,
    /// When it was captured.
    pub(crate) captured: Duration,
    /// Its latents on the grid.
    pub(crate) latents: Latents,
    /// Time the encoder took.
    pub(crate) time: Duration,
}
