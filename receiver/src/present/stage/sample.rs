//! Frames for tests.

use std::sync::Arc;
use std::time::Instant;

use raq_shared::frame::{Frame, FrameSize};
use raq_shared::stats::FrameDecoded;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};

use super::super::Picture;

/// The record of frame `number`, ready at 7.
pub(in super::super) fn record(number: u32) -> FrameDecoded {
    FrameDecoded {
        frame: number,
        arrived_unix_us: 6,
        shown_unix_us: 7,
        playout_wait_ms: 0.0,
        late: false,
        superseded: false,
        level: 1,
        codewords: Vec::new(),
        datagrams_received: 1,
        datagrams_expected: 1,
        concealed_tiles: 0,
        decode_ms: 1.0,
    }
}

/// Their format.
pub(in super::super) fn format() -> VideoFormat {
    VideoFormat {
        width: 32,
        height: 32,
        frame_rate: FrameRate::new(30, 1).unwrap(),
        aspect: Fraction::new(1, 1),
        chroma_siting: ChromaSiting::Jpeg,
        colour_range: ColourRange::Full,
    }
}

/// A small frame.
pub(in super::super) fn frame() -> Arc<Frame> {
    Arc::new(Frame::new(FrameSize::new(32, 32).unwrap()))
}

/// Frame `number`, which is to be told of, captured when a thirtieth of a second's frames are.
pub(in super::super) fn picture_at(number: u32, ready: Instant) -> Picture {
    Picture {
        number,
        capture: number * 333,
        ready,
        frame: frame(),
        record: Some(record(number)),
    }
}

/// The same, ready now.
pub(in super::super) fn picture(number: u32) -> Picture {
    picture_at(number, super::now())
}
