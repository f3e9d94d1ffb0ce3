//! The sending half: the product's coder on latents of a clip.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use bytes::BytesMut;
use raq_send::{
    choice::{Picture, Speed},
    closings::Closings,
    feedback::Feedback,
    frame_coder::{Allowance, FrameCoder},
};
use raq_shared::{
    exit::{Exit, Failure},
    model::Temporal,
    tile::TileGrid,
};

use super::latents::Encoding;
use crate::media::{Coded, Coder, film::Film, stopwatch::Stopwatch};

#[derive(Debug)]
pub(super) struct RaqCoder {
    encoding: Rc<RefCell<Encoding>>,
    film: Arc<Film>,
    stages: usize,
    coder: FrameCoder,
    feedback: Feedback,
    took: Duration,
    captured: u32,
}

impl RaqCoder {
    pub(super) fn new(
        encoding: &Rc<RefCell<Encoding>>,
        film: &Arc<Film>,
        temporal: &Temporal,
    ) -> Self {
        let Temporal {
            stages,
            basis,
            tables,
        } = temporal;
        let grid = TileGrid::of(film.size());
        Self {
            encoding: Rc::clone(encoding),
            film: Arc::clone(film),
            stages: stages.numbers().count(),
            coder: FrameCoder::new(grid, stages, basis, tables, Speed::default()),
            feedback: Feedback::default(),
            took: Duration::ZERO,
            captured: 0,
        }
    }
}

impl Coder for RaqCoder {
    fn capture(&mut self, frame: u32) -> Result<(), Failure> {
        // Frames that are skipped later are encoded as well, as in the product.
        self.took += self.encoding.borrow_mut().of(frame)?.took;
        self.captured += 1;
        Ok(())
    }

    fn code(
        &mut self,
        frame: u32,
        allowance: Allowance,
        capture: u32,
        datagrams: &mut Vec<BytesMut>,
    ) -> Result<Coded, Failure> {
        if self.feedback.mismatches() > 0 {
            return Err(broken(format_args!(
                "before frame {frame} the receiver's picture differs from what it should be"
            )));
        }
        let made = self.encoding.borrow_mut().of(frame)?;
        let picture = Picture {
            target: &made.latents,
            luma: self.film.frame(frame).luma_tensor(),
        };
        let watch = Stopwatch::start();
        let coded = self
            .coder
            .encode(frame, picture, allowance, capture, || false);
        self.took += watch.time();
        datagrams.append(coded);
        let bytes: usize = datagrams.iter().map(BytesMut::len).sum();
        if bytes > allowance.bytes {
            return Err(broken(format_args!(
                "frame {frame} takes {bytes} bytes of {allowance:?}"
            )));
        }
        if datagrams.is_empty() {
            return Ok(Coded::default());
        }
        let chooser = self.coder.chooser();
        let updates: usize = chooser.updates().map(<[_]>::len).sum();
        Ok(Coded {
            level: Some(chooser.level()),
            codewords: self.coder.codewords()[..self.stages].to_vec(),
            updates: Some(updates as u32),
        })
    }

    fn report(&mut self, closings: &Closings) {
        self.feedback.take(&mut self.coder, closings);
    }

    fn cpu(&self) -> Option<(Duration, u32)> {
        Some((self.took, self.captured))
    }
}

fn broken(what: std::fmt::Arguments<'_>) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("the codec made a mistake: {what}; please report this"),
    )
}
