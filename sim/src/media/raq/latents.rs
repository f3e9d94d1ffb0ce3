//! The latents of a clip, each made when it is first needed.

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use raq_shared::{exit::Failure, latent::Latents, model::Encoder};

use crate::media::{film::Film, stopwatch::Stopwatch};

/// An encoder network, and what it made of a clip's frames.
pub(super) struct Encoding {
    film: Arc<Film>,
    encoder: Encoder,
    dim: usize,
    /// By the clip's frames.
    made: Vec<Option<Made>>,
}

/// The latents of a frame, and how long the network took for them.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) latents: Rc<Latents>,
    pub(super) took: Duration,
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoding").finish_non_exhaustive()
    }
}

impl Encoding {
    /// Nothing is made yet; `dim` numbers make a latent.
    ///
    /// # Errors
    /// [`Failure`] where the network fails.
    pub(super) fn new(film: Arc<Film>, mut encoder: Encoder, dim: usize) -> Result<Self, Failure> {
        encoder.prepare(film.size())?;
        Ok(Self {
            made: vec![None; film.clip().frames.len()],
            film,
            encoder,
            dim,
        })
    }

    /// The latents of frame `number` of the source.
    ///
    /// # Errors
    /// [`Failure`] where the network fails.
    pub(super) fn of(&mut self, number: u32) -> Result<Made, Failure> {
        let made = &mut self.made[self.film.index(number)];
        if let Some(made) = made {
            return Ok(made.clone());
        }
        let frame = self.film.frame(number);
        let mut latents = Latents::new(frame.size().grid(), self.dim);
        let watch = Stopwatch::start();
        latents.round_from(self.encoder.encode(frame)?);
        let new = Made {
            took: watch.time(),
            latents: Rc::new(latents),
        };
        Ok(made.insert(new).clone())
    }
}
