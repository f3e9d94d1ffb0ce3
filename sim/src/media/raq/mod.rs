//! A clip, coded by raq itself: networks, choice and coding of the product.
//!
//! The networks run on the CPU with one thread and keep nothing between frames, so flows and
//! policies share them; so do the latents of the clip. Nothing depends on how long anything takes:
//! the choice is never cut short.

mod coder;
mod latents;
mod screen;

use std::{cell::RefCell, fmt, path::PathBuf, rc::Rc, sync::Arc};

use raq_shared::{
    codebooks::Codebooks,
    exit::Failure,
    model::{Decoder, Temporal},
    tile::TileGrid,
};

use super::{Agreement, Medium, film::Film};
use crate::{options::ModelArgs, rd::raq::Opened};
use coder::RaqCoder;
use latents::Encoding;
use screen::RaqScreen;

/// A model and a clip.
pub struct Raq {
    film: Arc<Film>,
    codebooks: Arc<Codebooks>,
    temporal: Temporal,
    encoding: Rc<RefCell<Encoding>>,
    decoder: Rc<RefCell<Decoder>>,
}

impl fmt::Debug for Raq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raq").finish_non_exhaustive()
    }
}

impl Raq {
    /// Opens the model in `folder`, or that which `RAQ_MODEL` or the program's surroundings name.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, where model or ONNX Runtime are missing or do not fit.
    pub fn open(film: &Arc<Film>, folder: Option<PathBuf>) -> Result<Self, Failure> {
        let Opened {
            model,
            codebooks,
            temporal,
        } = Opened::open(&ModelArgs {
            model: folder,
            ..ModelArgs::default()
        })?;
        let encoding = Encoding::new(Arc::clone(film), model.encoder()?, temporal.stages.dim())?;
        let mut decoder = model.decoder()?;
        decoder.prepare(film.size())?;
        Ok(Self {
            film: Arc::clone(film),
            codebooks: Arc::new(codebooks),
            temporal,
            encoding: Rc::new(RefCell::new(encoding)),
            decoder: Rc::new(RefCell::new(decoder)),
        })
    }

    /// The medium of a flow, at its beginning.
    pub fn medium(&self) -> Medium {
        let coder = RaqCoder::new(&self.encoding, &self.film, &self.temporal);
        let screen = RaqScreen::new(&self.decoder, &self.film);
        Medium {
            agreement: Agreement {
                video: self.film.format(),
                codebooks: Arc::clone(&self.codebooks),
                temporal: self.temporal.clone(),
            },
            coder: Box::new(coder),
            screen: Box::new(screen),
        }
    }

    /// Tiles of a picture.
    pub fn tiles(&self) -> u32 {
        TileGrid::of(self.film.size()).tiles() as u32
    }
}
