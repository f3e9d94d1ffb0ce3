//! A page to watch in: the live picture and plots, served on this machine.
//!
//! The output only puts the newest frame where every browser finds it, so no browser can hold it up.
//! Pictures travel as they are, planes of samples, and nothing is lost on top of what the codec leaves
//! out. For 640×360 at 30 frames a second that takes 1 % of a core here and 21 % in Chromium without a
//! GPU; as JPEG it took 12 % and 24 %. It is 83 Mbit/s a browser: over a slow network fewer arrive.

mod guard;
mod page;
mod picture;
mod server;
mod viewer;

use std::io::{self, Write as _};
use std::sync::Arc;

use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::video::{ColourRange, VideoFormat};
use tokio::sync::watch;

use crate::figures::Figures;
use crate::options::WebAddress;

/// What browsers show.
#[derive(Clone, Debug, Default)]
struct Scene {
    /// That of the session, if there is one.
    format: Option<VideoFormat>,
    newest: Option<Newest>,
}

/// The newest frame.
#[derive(Clone, Debug)]
struct Newest {
    number: u32,
    range: ColourRange,
    frame: Arc<Frame>,
}

/// The page.
pub(super) struct Web {
    scene: watch::Sender<Scene>,
    /// Ends with it.
    _server: server::Server,
}

impl Web {
    /// Serves the page on `address` and says where on standard error.
    ///
    /// # Errors
    /// [`Failure`] where the address cannot be had.
    pub(super) fn open(
        address: &WebAddress,
        figures: watch::Receiver<Figures>,
    ) -> Result<Self, Failure> {
        let (sender, scene) = watch::channel(Scene::default());
        let server = server::Server::start(address, scene, figures)?;
        if !server.address().ip().is_loopback() {
            tracing::warn!(
                "the page is not encrypted: whoever can listen on the network sees it; without \
                 an address it stays on this machine"
            );
        }
        // No part of the log: without it the page cannot be found. Where standard error is closed,
        // nobody is to know.
        let _ = writeln!(io::stderr(), "watch at {}", server.url());
        Ok(Self {
            scene: sender,
            _server: server,
        })
    }

    /// A session begins.
    pub(super) fn begin(&self, format: VideoFormat) {
        self.scene.send_replace(Scene {
            format: Some(format),
            newest: None,
        });
    }

    /// Shows a frame.
    pub(super) fn show(&self, number: u32, frame: &Arc<Frame>) {
        self.scene.send_modify(|scene| {
            let range = scene.format.map(|format| format.colour_range);
            scene.newest = Some(Newest {
                number,
                range: range.unwrap_or(ColourRange::Unspecified),
                frame: frame.clone(),
            });
        });
    }

    /// The session is over; the last picture stays.
    pub(super) fn finish(&self) {
        self.scene.send_modify(|scene| scene.format = None);
    }
}
