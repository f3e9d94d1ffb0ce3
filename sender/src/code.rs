//! The code thread: latents to datagrams, and reports to what the coder knows.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use raq_shared::wire::update::TIME_UNITS;
use tokio::sync::mpsc::UnboundedSender;

use crate::choice::Picture;
use crate::clock::Clock;
use crate::closing_queue::ClosingQueue;
use crate::event::{Encoded, Event};
use crate::feedback::Feedback;
use crate::frame_coder::{Allowance, FrameCoder, Stamp};

/// Something for the thread to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Code a frame; answered with [`Event::Coded`].
    Code {
        /// The frame.
        encoded: Encoded,
        /// What it may take.
        allowance: Allowance,
        /// A list to be filled.
        datagrams: Vec<Bytes>,
    },
    /// The receiver has closed frames: closings wait in the queue.
    Closings,
}

/// What the code thread works with.
pub(crate) struct CodeThread {
    pub(crate) coder: FrameCoder,
    pub(crate) clock: Clock,
    /// How long the choice may take for a frame.
    pub(crate) patience: Duration,
    pub(crate) jobs: mpsc::Receiver<Job>,
    /// What the receiver tells.
    pub(crate) closings: Arc<ClosingQueue>,
    pub(crate) events: UnboundedSender<Event>,
}

impl CodeThread {
    /// Codes until no more jobs can come.
    pub(crate) fn run(mut self) {
        let mut feedback = Feedback::default();
        while let Ok(job) = self.jobs.recv() {
            while let Some(closings) = self.closings.pop() {
                feedback.take(&mut self.coder, &closings);
            }
            match job {
                Job::Closings => {}
                Job::Code {
                    encoded,
                    allowance,
                    mut datagrams,
                } => {
                    let began = self.clock.now();
                    self.code(&encoded, allowance, began, &mut datagrams);
                    let coded = Event::Coded {
                        level: self.coder.chooser().level(),
                        codewords: self.coder.codewords(),
                        time: self.clock.now() - began,
                        encoded,
                        datagrams,
                    };
                    if self.events.send(coded).is_err() {
                        break;
                    }
                }
            }
        }
        if feedback.mismatches() > 0 {
            tracing::warn!(
                "{} tiles of the receiver's picture differed from what they should be; please \
                 report this",
                feedback.mismatches()
            );
        }
    }

    fn code(
        &mut self,
        encoded: &Encoded,
        allowance: Allowance,
        now: Duration,
        datagrams: &mut Vec<Bytes>,
    ) {
        let captured = &encoded.captured;
        let picture = Picture {
            target: &encoded.latents,
            luma: captured.frame.luma_tensor(),
        };
        let delay = units(now.saturating_sub(captured.captured));
        let stamp = Stamp {
            capture: units(captured.captured) as u32,
            send_delay: u16::try_from(delay).unwrap_or(u16::MAX),
        };
        let (clock, ends) = (self.clock, now + self.patience);
        let expired = || clock.now() >= ends;
        let coded = self
            .coder
            .encode(captured.number, picture, allowance, stamp, expired);
        datagrams.clear();
        datagrams.extend_from_slice(coded);
    }
}

/// In the units of the wire.
fn units(time: Duration) -> u128 {
    time.as_micros() * u128::from(TIME_UNITS) / 1_000_000
}
