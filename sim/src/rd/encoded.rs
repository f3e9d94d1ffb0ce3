//! What every codec gives back, raq's and the others': bytes and decoded pictures.

use std::time::Duration;

use raq_shared::frame::Frame;

/// A clip encoded once. Quality is measured from these pictures by [`super::record`], the same
/// way for every codec.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// How the codec was set, for the files: `60 kbit/s`, `crf 51`, `q 31`.
    pub setting: String,
    /// One for each frame of the clip, in order.
    pub frames: Vec<EncodedFrame>,
    /// Time for encoding all frames, by the clock on the wall.
    pub encode_time: Duration,
}

/// One frame, sent and received.
#[derive(Debug, Clone)]
pub struct EncodedFrame {
    /// Bytes that were sent for it, without container and network headers.
    pub bytes: u64,
    /// What a receiver shows.
    pub picture: Frame,
}
