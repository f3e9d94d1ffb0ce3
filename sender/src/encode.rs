//! The encode thread: pictures to latents on the grid.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use raq_shared::latent::Latents;
use raq_shared::model::Encoder;
use tokio::sync::mpsc::UnboundedSender;

use crate::capture::play::Captured;
use crate::clock::Clock;
use crate::event::{Encoded, Event};
use crate::mailbox::Mailbox;

/// What the encode thread works with.
pub(crate) struct EncodeThread {
    pub(crate) encoder: Encoder,
    pub(crate) clock: Clock,
    pub(crate) mailbox: Arc<Mailbox<Captured>>,
    /// Whether frames are to be encoded; without a connection there is no use for them.
    pub(crate) wanted: Arc<AtomicBool>,
    /// Latents to be filled; waiting for them is what slows the source down.
    pub(crate) empty: mpsc::Receiver<Latents>,
    pub(crate) events: UnboundedSender<Event>,
}

impl EncodeThread {
    /// Encodes until the source has ended or nobody wants latents any more.
    pub(crate) fn run(mut self) {
        while let Ok(mut latents) = self.empty.recv() {
            let Some(captured) = self.next() else {
                break;
            };
            let began = self.clock.now();
            match self.encoder.encode(&captured.frame) {
                Ok(raw) => latents.round_from(raw),
                Err(error) => {
                    let _ = self.events.send(Event::Failed(error.into()));
                    break;
                }
            }
            let encoded = Encoded {
                captured,
                latents,
                time: self.clock.now() - began,
            };
            if self.events.send(Event::Encoded(encoded)).is_err() {
                break;
            }
        }
        let _ = self.events.send(Event::EncodeEnd);
    }

    /// The next frame that is wanted.
    fn next(&self) -> Option<Captured> {
        loop {
            let captured = self.mailbox.take()?;
            if self.wanted.load(Ordering::Relaxed) {
                return Some(captured);
            }
            self.mailbox.give_back(captured);
            self.events.send(Event::Skipped(1)).ok()?;
        }
    }
}
