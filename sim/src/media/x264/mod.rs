//! A clip coded by x264, carried by the same sessions: codec against codec over the same network.
//!
//! x264 cannot be asked for a frame of a given size, so the clip is encoded beforehand at a ladder
//! of rates: `-preset veryfast` (or `media.preset`) `-tune zerolatency`, no B frames, a decoder
//! buffer of one frame's worth of the rate. The coder follows the network by taking each frame from the rung that fits.
//! A frame can be decoded when all its datagrams came and the one sent before it was decoded;
//! otherwise the screen stands still and a key frame is asked for, as WebRTC does it.
//!
//! The model favours x264 where it has to choose: changing the rung costs nothing, a frame after
//! skipped ones or after a key frame takes no more bytes than in the ladder and looks like there,
//! and no datagram is smaller than it must be.

mod account;
mod coder;
mod ladder;
mod log;
mod preset;
mod rung;
mod screen;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
};

use super::{Medium, film::Film, ideal::carrier};
use crate::rd::ffmpeg::{Ffmpeg, HOW_TO_GET};
use coder::X264Coder;
use ladder::Ladder;
use log::Log;
pub use preset::Preset;
use screen::X264Screen;

/// A clip as x264 codes it.
#[derive(Debug)]
pub struct X264 {
    film: Arc<Film>,
    ladder: Rc<RefCell<Ladder>>,
    most: Bitrate,
}

impl X264 {
    /// Encodes the clip at rates from `least` to `most`.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, where ffmpeg or its libx264 are missing or fail, or where
    /// temporary files cannot be written.
    pub fn open(
        film: &Arc<Film>,
        ffmpeg: Option<Ffmpeg>,
        preset: Preset,
        least: Bitrate,
        most: Bitrate,
    ) -> Result<Self, Failure> {
        let usable = ffmpeg.filter(|ffmpeg| ffmpeg.has_encoder("libx264"));
        let ffmpeg = usable.ok_or_else(|| {
            let text = format_args!(
                "media.source = \"x264\" needs ffmpeg with libx264, which is not installed; \
                 {HOW_TO_GET}"
            );
            Failure::new(Exit::Failure, text)
        })?;
        Ok(Self {
            film: Arc::clone(film),
            ladder: Rc::new(RefCell::new(Ladder::encode(
                film, ffmpeg, preset, least, most,
            )?)),
            most,
        })
    }

    /// The medium of a flow, at its beginning.
    ///
    /// # Errors
    /// [`Failure`] where no picture takes so much.
    pub fn medium(&self) -> Result<Medium, Failure> {
        let (agreement, sized) = carrier(self.film.format().frame_rate, self.most)?;
        let log = Rc::new(RefCell::new(Log::default()));
        let coder = X264Coder::new(&self.film, &self.ladder, &log, sized);
        let screen = X264Screen::new(&self.film, &self.ladder, &log);
        Ok(Medium {
            agreement,
            coder: Box::new(coder),
            screen: Box::new(screen),
        })
    }
}
