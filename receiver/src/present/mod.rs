//! Where decoded frames go: a window, a page, files, or nowhere; each on a thread of its own.
//!
//! ```text
//! decoder ─► Presenter ─┬─► mailbox ─► Stage ─► window       newest frames only
//!            one Frame, ├─► mailbox ─► Stage ─► page         newest frames only
//!            shared     └─► mailbox ─► Stage ─► file         a queue
//! ```
//!
//! An output that is slower than the decoder misses frames, and the others do not notice; one that
//! is alone is waited for. One that fails leaves the others.

mod album;
mod encoder;
mod fanout;
#[cfg(feature = "loopback")]
mod loopback;
mod mailbox;
mod outputs;
mod pixels;
mod sink;
mod snapshots;
mod stage;
mod telling;
#[cfg(feature = "web")]
mod web;
#[cfg(feature = "window")]
mod window;
mod y4m;

pub(crate) use fanout::{Presenter, Presenting, Shown, start};
pub use y4m::Target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use raq_shared::frame::Frame;
use raq_shared::stats::FrameDecoded;
use raq_shared::video::VideoFormat;

use outputs::Finishing;

/// Something for an output to show.
#[derive(Clone, Debug)]
enum Show {
    /// A session begins.
    Begin {
        /// Its frames have this format.
        format: VideoFormat,
        /// Since the last frame of the session before.
        gap: Duration,
    },
    /// A frame; numbers only rise.
    Frame(Picture),
    /// The session is over.
    Finish {
        /// Frames that the sender sent.
        frames_sent: u32,
        /// Where every output says that it is done.
        finishing: Arc<Finishing>,
    },
}

/// A decoded frame on its way to an output.
#[derive(Clone, Debug)]
struct Picture {
    /// Frame number.
    number: u32,
    /// When it was captured, 100 µs since the session began, 24 bits, wrapping.
    capture: u32,
    /// When it was decoded.
    ready: Instant,
    /// What to show.
    frame: Arc<Frame>,
    /// What is told of it, by one output: it was ready when it says that it was shown.
    record: Option<FrameDecoded>,
}
