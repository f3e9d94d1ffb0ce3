//! What the threads tell the driver.

use std::time::Duration;

use bytes::BytesMut;
use raq_shared::exit::Failure;
use raq_shared::latent::Latents;
use raq_shared::stage::MAX_STAGES;

use crate::capture::play::Captured;

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
    /// A frame is coded.
    Coded {
        /// The number of the session that it was coded for.
        session: u32,
        /// Its buffers, to be used again.
        encoded: Encoded,
        /// Its datagrams.
        datagrams: Vec<BytesMut>,
        /// Its quality level, 0..=96.
        level: u8,
        /// K̃ per stage, 0 for stages that the model does not have.
        codewords: [u16; MAX_STAGES],
        /// Time it took.
        time: Duration,
    },
    /// The receiver has the codebooks.
    Shipped {
        /// The number of the session that sent them.
        session: u32,
    },
    /// A thread cannot go on.
    Failed(Failure),
}

/// A frame after the encoder.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The picture.
    pub(crate) captured: Captured,
    /// Its latents on the grid.
    pub(crate) latents: Latents,
    /// Time the encoder took.
    pub(crate) time: Duration,
}
