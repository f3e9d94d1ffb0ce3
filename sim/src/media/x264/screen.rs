//! The receiving half: shows what can be decoded, and asks for a key frame otherwise.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use raq_recv::assembly::ReceivedFrame;
use raq_shared::exit::Failure;

use super::{
    ladder::Ladder,
    log::{Log, Sent},
};
use crate::media::{Quality, Screen, Seen, display::Display, film::Film};

#[derive(Debug)]
pub(super) struct X264Screen {
    ladder: Rc<RefCell<Ladder>>,
    log: Rc<RefCell<Log>>,
    display: Display,
    /// The frame decoded last.
    decoded: Option<u32>,
    took: Duration,
}

impl X264Screen {
    pub(super) fn new(
        film: &Arc<Film>,
        ladder: &Rc<RefCell<Ladder>>,
        log: &Rc<RefCell<Log>>,
    ) -> Self {
        Self {
            ladder: Rc::clone(ladder),
            log: Rc::clone(log),
            display: Display::new(Arc::clone(film)),
            decoded: None,
            took: Duration::ZERO,
        }
    }
}

impl Screen for X264Screen {
    fn needs_order(&self) -> bool {
        true
    }

    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Seen, Failure> {
        let sent = self.log.borrow_mut().closed(frame.number);
        let decodable =
            |sent: &Sent| frame.is_complete() && (sent.base.is_none() || sent.base == self.decoded);
        let Some(Sent { rung, base }) = sent.filter(decodable) else {
            return Ok(Seen {
                wants_key_frame: true,
                ..Seen::default()
            });
        };
        let mut ladder = self.ladder.borrow_mut();
        let (picture, took) = ladder.picture(rung, frame.number, base.is_none())?;
        self.took += took;
        self.decoded = Some(frame.number);
        Ok(Seen {
            shown: true,
            quality: Some(self.display.decoded(frame.number, picture)),
            ..Seen::default()
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
