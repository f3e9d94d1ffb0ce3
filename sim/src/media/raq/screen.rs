//! The receiving half: the product's decoder network.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc, time::Duration};

use raq_recv::assembly::ReceivedFrame;
use raq_shared::{
    exit::Failure,
    frame::{Frame, FrameSize},
    model::Decoder,
};

use crate::media::{Quality, Screen, Seen, display::Display, film::Film, stopwatch::Stopwatch};

pub(super) struct RaqScreen {
    decoder: Rc<RefCell<Decoder>>,
    size: FrameSize,
    display: Display,
    took: Duration,
}

impl fmt::Debug for RaqScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaqScreen").finish_non_exhaustive()
    }
}

impl RaqScreen {
    pub(super) fn new(decoder: &Rc<RefCell<Decoder>>, film: &Arc<Film>) -> Self {
        Self {
            decoder: Rc::clone(decoder),
            size: film.size(),
            display: Display::new(Arc::clone(film)),
            took: Duration::ZERO,
        }
    }
}

impl Screen for RaqScreen {
    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Seen, Failure> {
        let mut decoder = self.decoder.borrow_mut();
        let mut picture = Frame::new(self.size);
        let watch = Stopwatch::start();
        let (latents, depths) = decoder.inputs();
        latents.copy_from_slice(&frame.latents);
        depths.copy_from_slice(&frame.depths);
        decoder.decode(&mut picture)?;
        self.took += watch.time();
        Ok(Seen {
            shown: true,
            wants_key_frame: false,
            updates: Some(frame.updated_tiles),
            quality: Some(self.display.decoded(frame.number, picture)),
        })
    }

    fn show(&mut self, frame: u32) {
        self.display.show(frame);
    }

    fn against(&mut self, due: u32) -> Option<Quality> {
        self.display.against(due)
    }

    fn png(&mut self, due: u32) -> Result<Option<Vec<u8>>, Failure> {
        self.display.png(due)
    }

    fn cpu(&self) -> Option<Duration> {
        Some(self.took)
    }
}
