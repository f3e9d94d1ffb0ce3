//! A window.

mod display;
mod keys;
mod overlay;
mod scaler;

use std::fmt::Display;
use std::sync::Arc;

use minifb::Key;
use raq_shared::colours::Colours;
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::video::{Fraction, VideoFormat};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::album::Album;
use super::pixels;
use crate::figures::Figures;
use keys::Keys;
use overlay::Overlay;
use scaler::{Place, Scaler, proportions};

const TITLE: &str = "raq-recv";
/// Size before the first session, and the largest a window opens with; the user may resize it.
const WAITING: (usize, usize) = (640, 360);
const LARGEST: (usize, usize) = (1280, 720);
/// What tiny video gets, so that it can be grabbed.
const LEAST: usize = 64;

/// The window and the pictures on their way into it.
pub(super) struct Window {
    window: minifb::Window,
    keys: Keys,
    album: Album,
    figures: watch::Receiver<Figures>,
    overlay: Overlay,
    /// Whether the overlay is to be seen.
    telling: bool,
    scaler: Scaler,
    colours: Option<Colours>,
    aspect: Fraction,
    /// What the window shows.
    last: Option<Arc<Frame>>,
    bgra: Vec<u8>,
    pixels: Vec<u32>,
    /// Of the video.
    size: (usize, usize),
    /// Of the window, when it was last drawn.
    drawn: Option<(usize, usize)>,
}

impl Window {
    /// Opens an empty window; pictures that the user saves go into `album`.
    ///
    /// # Errors
    /// [`Failure`] where there is no display.
    pub(super) fn open(album: Album, figures: watch::Receiver<Figures>) -> Result<Self, Failure> {
        let keys = Keys::default();
        Ok(Self {
            window: new_window(&format!("{TITLE}: waiting"), WAITING, &keys)?,
            keys,
            album,
            figures,
            overlay: Overlay::default(),
            telling: false,
            scaler: Scaler::new(),
            colours: None,
            aspect: Fraction::new(1, 1),
            last: None,
            bgra: Vec::new(),
            pixels: Vec::new(),
            size: (0, 0),
            drawn: None,
        })
    }

    /// Opens it anew in the size of the frames to come.
    ///
    /// # Errors
    /// [`Failure`] where the display has gone.
    pub(super) fn begin(&mut self, format: VideoFormat) -> Result<(), Failure> {
        let size = (format.width as usize, format.height as usize);
        self.colours = Some(Colours::of(&format));
        if (self.size, self.aspect) != (size, format.aspect) {
            let (wide, high) = proportions(size, format.aspect);
            let scale = (LARGEST.0 as f64 / wide)
                .min(LARGEST.1 as f64 / high)
                .min(1.0);
            let side = |pixels: f64| ((pixels * scale).round() as usize).max(LEAST);
            let title = format!("{TITLE}: {}x{}", size.0, size.1);
            self.window = new_window(&title, (side(wide), side(high)), &self.keys)?;
            self.size = size;
            self.aspect = format.aspect;
            self.last = None;
        }
        Ok(())
    }

    /// Shows a frame.
    ///
    /// # Errors
    /// [`Failure`] where the display has gone.
    pub(super) fn show(&mut self, frame: &Arc<Frame>) -> Result<(), Failure> {
        self.last = Some(frame.clone());
        if let Some(colours) = self.colours {
            colours
                .bgra(frame, &mut self.bgra)
                .map_err(pixels::failure)?;
        }
        self.draw()
    }

    /// Looks after the window and what the user types; false when the user wants to end.
    ///
    /// # Errors
    /// [`Failure`] where the display has gone.
    pub(super) fn update(&mut self) -> Result<bool, Failure> {
        self.window.update();
        let mut stale = self.drawn != Some(self.window.get_size())
            || self.telling && self.figures.has_changed().unwrap_or(false);
        while let Some(key) = self.keys.next() {
            match key {
                Key::Q | Key::Escape => return Ok(false),
                Key::O => {
                    self.telling = !self.telling;
                    self.figures.mark_changed();
                    stale = true;
                }
                Key::S => self.save(),
                _ => {}
            }
        }
        if stale {
            self.draw()?;
        }
        if display::is_gone() {
            return Err(gone_elsewhere());
        }
        Ok(self.window.is_open())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        if display::is_gone() {
            return Err(gone_elsewhere());
        }
        let window = self.window.get_size();
        if window.0 == 0 || window.1 == 0 {
            return Ok(());
        }
        self.drawn = Some(window);
        if self.last.is_some() {
            let place = Place::of(self.size, self.aspect, window);
            let picture = (&*self.bgra, self.size);
            self.scaler.fill(picture, place, window, &mut self.pixels)?;
        } else {
            self.pixels.clear();
            self.pixels.resize(window.0 * window.1, 0);
            overlay::welcome(&mut self.pixels, window);
        }
        if self.telling {
            if self.figures.has_changed().unwrap_or(false) {
                self.overlay.tell(&self.figures.borrow_and_update());
            }
            self.overlay.draw(&mut self.pixels, window);
        }
        let drawn = self
            .window
            .update_with_buffer(&self.pixels, window.0, window.1);
        drawn.map_err(gone)
    }

    /// Saves what the window shows, as it came and without the overlay. A full disk is no reason to stop
    /// watching.
    fn save(&mut self) {
        let (Some(frame), Some(colours)) = (&self.last, self.colours) else {
            return tracing::info!("there is no picture to save yet");
        };
        match self.album.save(frame, colours, OffsetDateTime::now_utc()) {
            Ok(path) => tracing::info!("saved {}", path.display()),
            Err(failure) => tracing::error!("{failure}"),
        }
    }
}

fn gone_elsewhere() -> Failure {
    gone("the display has ended, or another program has closed the window")
}

fn gone(cause: impl Display) -> Failure {
    let text = format_args!("cannot show a frame: {cause}; choose --output FILE.y4m, - or null");
    Failure::new(Exit::Failure, text).telling("its window has gone")
}

fn new_window(
    title: &str,
    (width, height): (usize, usize),
    keys: &Keys,
) -> Result<minifb::Window, Failure> {
    let options = minifb::WindowOptions {
        resize: true,
        // Only for a moment, until the picture comes in the new size.
        scale_mode: minifb::ScaleMode::AspectRatioStretch,
        ..Default::default()
    };
    let mut window = minifb::Window::new(title, width, height, options).map_err(|e| {
        Failure::new(
            Exit::Device,
            format_args!("cannot open a window: {e}; choose --output web, FILE.y4m, - or null"),
        )
    })?;
    display::watch(&window);
    // The sender sets the pace.
    window.set_target_fps(0);
    window.set_input_callback(Box::new(keys.clone()));
    Ok(window)
}
