//! Where decoded frames go: a window, a y4m stream, or nowhere; on a thread of its own.

mod null;
mod sink;
mod stage;
#[cfg(feature = "window")]
mod window;
mod y4m;

pub use y4m::Target;

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::stats::FrameDecoded;
use raq_shared::video::VideoFormat;
use raq_shared::worker;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::event::Event;
use crate::options::Output;

use sink::Sink;
use stage::Stage;

/// Frames on their way to the sink; with those being decoded and shown, four pictures in memory.
const ON_THE_WAY: usize = 2;
/// Something to show.
#[derive(Debug)]
pub(crate) enum Show {
    /// A session begins.
    Begin {
        /// Its frames have this format.
        format: VideoFormat,
        /// Since the last frame of the session before.
        gap: Duration,
    },
    /// A frame; numbers only rise. Answered with [`Event::Shown`].
    Frame {
        /// When it was captured, 100 µs since the session began, 24 bits, wrapping.
        capture: u32,
        /// When it was decoded.
        ready: Instant,
        /// What to show.
        picture: Picture,
    },
    /// The session is over; answered with [`Event::Drained`].
    Finish {
        /// Frames that the sender sent.
        frames_sent: u32,
        /// Frames that were decoded.
        frames_decoded: u32,
    },
}

/// A decoded frame.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The frame.
    pub(crate) frame: Frame,
    /// What is told of it; it was ready when it says that it was shown.
    pub(crate) record: FrameDecoded,
}

/// The end that decodes: hands frames over and gets their buffers back.
#[derive(Debug)]
pub(crate) struct Presenter {
    shows: SyncSender<Show>,
    spare: Receiver<Frame>,
}

impl Presenter {
    /// Shows `show`; waits while the sink is slower. False when the sink is gone.
    pub(crate) fn show(&self, show: Show) -> bool {
        self.shows.send(show).is_ok()
    }

    /// A frame that was shown and can be filled again.
    pub(crate) fn spare(&self) -> Option<Frame> {
        self.spare.try_recv().ok()
    }
}

/// Opens `output` on a thread of its own, where it stays: windows belong to a thread. In a window
/// frames wait up to `latency` for their time. `stop` turns true when the user closes it.
///
/// # Errors
/// [`Failure`] where it cannot be opened.
pub(crate) fn start(
    output: &Output,
    latency: Duration,
    events: UnboundedSender<Event>,
    stop: watch::Sender<bool>,
) -> Result<(Presenter, JoinHandle<()>), Failure> {
    let (shows, show_receiver) = sync_channel(ON_THE_WAY);
    let (spare_sender, spare) = channel();
    let (opened, result) = channel();
    let output = output.clone();
    let panicked = {
        let events = events.clone();
        move |failure| drop(events.send(Event::Panicked(failure)))
    };
    let present = move || match Sink::open(&output) {
        Ok(sink) => {
            let _ = opened.send(Ok(()));
            Stage::new(sink, latency, spare_sender, events, stop).run(&show_receiver);
        }
        Err(failure) => {
            let _ = opened.send(Err(failure));
        }
    };
    let thread = worker::spawn("present", present, panicked)?;
    match result.recv() {
        Ok(opened) => opened?,
        Err(_) => {
            return Err(Failure::new(
                Exit::Failure,
                "the output failed to open; try again",
            ));
        }
    }
    Ok((Presenter { shows, spare }, thread))
}
