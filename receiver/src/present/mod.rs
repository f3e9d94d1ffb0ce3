//! Where decoded frames go: a window, a y4m stream, or nowhere; on a thread of its own.

mod null;
#[cfg(feature = "window")]
mod window;
mod y4m;

pub use y4m::Target;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use raq_shared::worker;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::event::Event;
use crate::options::Output;

/// Frames on their way to the sink; with those being decoded and shown, four pictures in memory.
const ON_THE_WAY: usize = 2;
/// How often a window looks for input while no frames come.
#[cfg(feature = "window")]
const WINDOW_PERIOD: Duration = Duration::from_millis(15);

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
    /// A frame; numbers only rise.
    Frame {
        /// Frame number.
        number: u32,
        /// The picture.
        frame: Frame,
    },
    /// The session is over; answered with [`Event::Drained`].
    Finish {
        /// Frames that the sender sent.
        frames_sent: u32,
        /// Frames that were decoded.
        frames_decoded: u32,
    },
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

/// A place for frames, opened.
enum Sink {
    Null(null::Null),
    #[cfg(feature = "window")]
    Window(Box<window::Window>),
    Y4m(Box<y4m::Y4m>),
}

impl Sink {
    fn open(output: &Output) -> Result<Self, Failure> {
        match output {
            Output::Null => Ok(Self::Null(null::Null)),
            #[cfg(feature = "window")]
            Output::Window => Ok(Self::Window(Box::new(window::Window::open()?))),
            #[cfg(not(feature = "window"))]
            Output::Window => Err(Failure::new(
                Exit::Usage,
                "this raq-recv was built without the feature window; choose --output FILE.y4m, - \
                 or null",
            )),
            Output::Stream(target) => Ok(Self::Y4m(Box::new(y4m::Y4m::open(target.clone())?))),
        }
    }

    fn begin(&mut self, format: VideoFormat, gap: Duration) -> Result<(), Failure> {
        match self {
            Self::Null(_) => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.begin(format),
            Self::Y4m(y4m) => y4m.begin(format, gap),
        }
    }

    /// Shows a frame and gives back one that is no longer needed.
    fn show(&mut self, number: u32, frame: Frame) -> Result<Option<Frame>, Failure> {
        match self {
            Self::Null(null) => Ok(Some(null.show(frame))),
            #[cfg(feature = "window")]
            Self::Window(window) => window.show(frame).map(Some),
            Self::Y4m(y4m) => y4m.show(number, frame),
        }
    }

    /// Ends a session; gives the number of repeated frames.
    fn finish(&mut self, frames_sent: u32) -> Result<u64, Failure> {
        match self {
            Self::Null(_) => Ok(0),
            #[cfg(feature = "window")]
            Self::Window(_) => Ok(0),
            Self::Y4m(y4m) => y4m.finish(frames_sent),
        }
    }

    /// How long to wait for frames before [`Self::idle`] wants its turn.
    fn period(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "window")]
            Self::Window(_) => Some(WINDOW_PERIOD),
            _ => None,
        }
    }

    /// Looks after user input; false when the user closed the window.
    fn idle(&mut self) -> bool {
        match self {
            #[cfg(feature = "window")]
            Self::Window(window) => window.update(),
            _ => true,
        }
    }
}

/// Opens `output` on a thread of its own, where it stays: windows belong to a thread. `stop` turns
/// true when the user closes the window.
///
/// # Errors
/// [`Failure`] where it cannot be opened.
pub(crate) fn start(
    output: &Output,
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
            run(sink, &show_receiver, &spare_sender, &events, &stop);
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

fn run(
    mut sink: Sink,
    shows: &Receiver<Show>,
    spare: &Sender<Frame>,
    events: &UnboundedSender<Event>,
    stop: &watch::Sender<bool>,
) {
    // After a failure the rest is only counted, so that the session can end in good order.
    let mut failed = false;
    let fail = |failed: &mut bool, failure: Failure| {
        *failed = true;
        let _ = events.send(Event::Failed(failure));
    };
    loop {
        let show = match sink.period() {
            None => shows.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(period) => shows.recv_timeout(period),
        };
        match show {
            Ok(Show::Begin { format, gap }) => {
                if let Err(failure) = sink.begin(format, gap) {
                    fail(&mut failed, failure);
                }
            }
            Ok(Show::Frame { number, frame }) if !failed => match sink.show(number, frame) {
                Ok(Some(frame)) => {
                    let _ = spare.send(frame);
                }
                Ok(None) => {}
                Err(failure) => fail(&mut failed, failure),
            },
            Ok(Show::Frame { frame, .. }) => {
                let _ = spare.send(frame);
            }
            Ok(Show::Finish {
                frames_sent,
                frames_decoded,
            }) => {
                let mut frames_repeated = 0;
                if !failed {
                    match sink.finish(frames_sent) {
                        Ok(repeated) => frames_repeated = repeated,
                        Err(failure) => fail(&mut failed, failure),
                    }
                }
                let _ = events.send(Event::Drained {
                    frames_decoded,
                    frames_repeated,
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if !failed && !sink.idle() {
            failed = true;
            stop.send_replace(true);
        }
    }
}
