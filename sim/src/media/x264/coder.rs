//! The sending half: takes each frame from the rung that fits.

use std::{cell::RefCell, rc::Rc, time::Duration};

use bytes::BytesMut;
use raq_send::{closings::Closings, frame_coder::Allowance};
use raq_shared::{exit::Failure, wire::update::UPDATE_HEADER_LEN};

use super::{
    account::Account,
    ladder::Ladder,
    log::{Log, Sent},
};
use crate::media::{Coded, Coder, film::Film, ideal::Sized};

/// Requests for a key frame count for nothing so soon after one (libwebrtc).
const KEY_AGAIN: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct X264Coder {
    ladder: Rc<RefCell<Ladder>>,
    log: Rc<RefCell<Log>>,
    sized: Sized,
    account: Account,
    /// Frames in [`KEY_AGAIN`].
    key_again: u32,
    newest: u32,
    key: Option<u32>,
    wants_key: bool,
    /// The frame sent last.
    base: Option<u32>,
    took: Duration,
    coded: u32,
}

impl X264Coder {
    pub(super) fn new(
        film: &Film,
        ladder: &Rc<RefCell<Ladder>>,
        log: &Rc<RefCell<Log>>,
        sized: Sized,
    ) -> Self {
        let fps = film.format().frame_rate.as_f64();
        Self {
            ladder: Rc::clone(ladder),
            log: Rc::clone(log),
            sized,
            account: Account::default(),
            key_again: (KEY_AGAIN.as_secs_f64() * fps).round() as u32,
            newest: 0,
            key: None,
            wants_key: true,
            base: None,
            took: Duration::ZERO,
            coded: 0,
        }
    }
}

impl Coder for X264Coder {
    fn capture(&mut self, frame: u32) -> Result<(), Failure> {
        self.newest = frame;
        Ok(())
    }

    fn code(
        &mut self,
        frame: u32,
        allowance: Allowance,
        capture: u32,
        datagrams: &mut Vec<BytesMut>,
    ) -> Result<Coded, Failure> {
        let Some((best, largest)) = self.account.allow(allowance.bytes) else {
            return Ok(Coded::default());
        };
        let key = self.wants_key;
        let ladder = self.ladder.borrow();
        let (rung, bytes) = ladder.choose(frame, key, best, largest);
        let room = allowance
            .datagram_bytes
            .saturating_sub(UPDATE_HEADER_LEN)
            .max(1);
        let count = u8::try_from(bytes.div_ceil(room).max(1)).unwrap_or(u8::MAX);
        let bytes = bytes + usize::from(count) * UPDATE_HEADER_LEN;
        self.sized.frame(frame, bytes, count, capture, datagrams);
        self.account.spend(bytes);
        let base = self.base.replace(frame).filter(|_| !key);
        self.log.borrow_mut().sent(frame, Sent { rung, base });
        if key {
            self.key = Some(frame);
            self.wants_key = false;
        }
        self.took += ladder.encoding(rung, key);
        self.coded += 1;
        Ok(Coded::default())
    }

    fn report(&mut self, _closings: &Closings) {}

    fn key_frame(&mut self) {
        let soon = |key: u32| self.newest < key.saturating_add(self.key_again);
        if !self.key.is_some_and(soon) {
            self.wants_key = true;
        }
    }

    fn keeps_account(&mut self, keeps: bool) {
        self.account.keep(keeps);
    }

    fn cpu(&self) -> Option<(Duration, u32)> {
        Some((self.took, self.coded))
    }
}
