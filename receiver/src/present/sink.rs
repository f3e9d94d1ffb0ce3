//! A window, a y4m stream, or nowhere.

use std::sync::Arc;
use std::time::Duration;

#[cfg(not(feature = "window"))]
use raq_shared::exit::Exit;
use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;

#[cfg(feature = "window")]
use super::window;
use super::y4m;
use crate::options::Output;

/// How often a window looks for input while no frames come.
#[cfg(feature = "window")]
const WINDOW_PERIOD: Duration = Duration::from_millis(15);

/// A place for frames, opened.
pub(super) enum Sink {
    /// Frames are decoded and forgotten.
    Null,
    #[cfg(feature = "window")]
    Window(Box<window::Window>),
    Y4m(Box<y4m::Y4m>),
}

impl Sink {
    pub(super) fn open(output: &Output) -> Result<Self, Failure> {
        match output {
            Output::Null => Ok(Self::Null),
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

    /// A session begins, `gap` after the last frame of the one before.
    pub(super) fn begin(&mut self, format: VideoFormat, gap: Duration) -> Result<(), Failure> {
        match self {
            Self::Null => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.begin(format),
            Self::Y4m(y4m) => y4m.begin(format, gap),
        }
    }

    /// Shows a frame.
    pub(super) fn show(&mut self, number: u32, frame: &Arc<Frame>) -> Result<(), Failure> {
        match self {
            Self::Null => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.show(frame),
            Self::Y4m(y4m) => y4m.show(number, frame),
        }
    }

    /// Ends a session; gives the number of repeated frames.
    pub(super) fn finish(&mut self, frames_sent: u32) -> Result<u64, Failure> {
        match self {
            Self::Null => Ok(0),
            #[cfg(feature = "window")]
            Self::Window(_) => Ok(0),
            Self::Y4m(y4m) => y4m.finish(frames_sent),
        }
    }

    /// How long to wait for frames before [`Self::idle`] wants its turn.
    pub(super) fn period(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "window")]
            Self::Window(_) => Some(WINDOW_PERIOD),
            _ => None,
        }
    }

    /// Looks after user input; false when the user closed the window.
    pub(super) fn idle(&mut self) -> bool {
        match self {
            #[cfg(feature = "window")]
            Self::Window(window) => window.update(),
            _ => true,
        }
    }
}
