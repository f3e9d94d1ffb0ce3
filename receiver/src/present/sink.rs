//! One output of any kind.

use std::sync::Arc;
use std::time::Duration;

#[cfg(not(all(feature = "loopback", feature = "web", feature = "window")))]
use raq_shared::exit::Exit;
use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use tokio::sync::watch;

use super::album::Album;
#[cfg(feature = "loopback")]
use super::loopback;
use super::snapshots::Snapshots;
#[cfg(feature = "web")]
use super::web;
#[cfg(feature = "window")]
use super::window;
use super::y4m;
use crate::figures::Figures;
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
    #[cfg(feature = "web")]
    Web(web::Web),
    #[cfg(feature = "loopback")]
    Loopback(loopback::Loopback),
    Snapshots(Snapshots),
    Y4m(Box<y4m::Y4m>),
}

impl Sink {
    pub(super) fn open(
        output: &Output,
        #[cfg_attr(not(any(feature = "web", feature = "window")), allow(unused_variables))]
        figures: watch::Receiver<Figures>,
    ) -> Result<Self, Failure> {
        match output {
            Output::Null => Ok(Self::Null),
            #[cfg(feature = "window")]
            Output::Window { album } => {
                let album = Album::new(album);
                let window = window::Window::open(album, figures)?;
                Ok(Self::Window(Box::new(window)))
            }
            #[cfg(not(feature = "window"))]
            Output::Window { .. } => Err(without("window")),
            #[cfg(feature = "web")]
            Output::Web(address) => Ok(Self::Web(web::Web::open(address, figures)?)),
            #[cfg(not(feature = "web"))]
            Output::Web(_) => Err(without("web")),
            Output::Snapshots { album, every } => {
                let snapshots = Snapshots::open(Album::new(album), *every)?;
                Ok(Self::Snapshots(snapshots))
            }
            #[cfg(feature = "loopback")]
            Output::Device(path) => Ok(Self::Loopback(loopback::Loopback::open(path)?)),
            #[cfg(not(feature = "loopback"))]
            Output::Device(_) => Err(without("loopback")),
            Output::Stream(target) => Ok(Self::Y4m(Box::new(y4m::Y4m::open(target.clone())?))),
        }
    }

    /// A session begins, `gap` after the last frame of the one before.
    pub(super) fn begin(&mut self, format: VideoFormat, gap: Duration) -> Result<(), Failure> {
        match self {
            Self::Null => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.begin(format),
            #[cfg(feature = "web")]
            Self::Web(web) => {
                web.begin(format);
                Ok(())
            }
            #[cfg(feature = "loopback")]
            Self::Loopback(device) => device.begin(format),
            Self::Snapshots(snapshots) => {
                snapshots.begin(format);
                Ok(())
            }
            Self::Y4m(y4m) => y4m.begin(format, gap),
        }
    }

    /// Shows a frame.
    pub(super) fn show(&mut self, number: u32, frame: &Arc<Frame>) -> Result<(), Failure> {
        match self {
            Self::Null => Ok(()),
            #[cfg(feature = "window")]
            Self::Window(window) => window.show(frame),
            #[cfg(feature = "web")]
            Self::Web(web) => {
                web.show(number, frame);
                Ok(())
            }
            #[cfg(feature = "loopback")]
            Self::Loopback(device) => device.show(frame),
            Self::Snapshots(snapshots) => snapshots.show(number, frame),
            Self::Y4m(y4m) => y4m.show(number, frame),
        }
    }

    /// Ends a session; gives the number of repeated frames.
    pub(super) fn finish(&mut self, frames_sent: u32) -> Result<u64, Failure> {
        match self {
            Self::Null | Self::Snapshots(_) => Ok(0),
            #[cfg(feature = "loopback")]
            Self::Loopback(_) => Ok(0),
            #[cfg(feature = "window")]
            Self::Window(_) => Ok(0),
            #[cfg(feature = "web")]
            Self::Web(web) => {
                web.finish();
                Ok(0)
            }
            Self::Y4m(y4m) => y4m.finish(frames_sent),
        }
    }

    /// Nothing more will come.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        match self {
            Self::Y4m(y4m) => y4m.close(),
            _ => Ok(()),
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
    pub(super) fn idle(&mut self) -> Result<bool, Failure> {
        match self {
            #[cfg(feature = "window")]
            Self::Window(window) => window.update(),
            _ => Ok(true),
        }
    }
}

#[cfg(not(all(feature = "loopback", feature = "web", feature = "window")))]
fn without(feature: &str) -> Failure {
    let text = format_args!(
        "this raq-recv was built without the feature {feature}; choose --output FILE.y4m, - or null"
    );
    Failure::new(Exit::Usage, text)
}
