//! The code thread: latents to datagrams, and reports to what the coder knows.

use std::sync::mpsc;
use std::time::Duration;

use bytes::BytesMut;
use raq_shared::wire::report::Report;
use raq_shared::wire::update::time_units;
use tokio::sync::mpsc::UnboundedSender;

use crate::choice::Picture;
use crate::clock::Clock;
use crate::event::{Encoded, Event};
use crate::feedback::Feedback;
use crate::frame_coder::{Allowance, FrameCoder};

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
        datagrams: Vec<BytesMut>,
    },
    /// The receiver tells what it has.
    Report(Report),
}

/// What the code thread works with.
pub(crate) struct CodeThread {
    pub(crate) coder: FrameCoder,
    pub(crate) clock: Clock,
    /// How long the choice may take for a frame.
    pub(crate) patience: Duration,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) events: UnboundedSender<Event>,
}

impl CodeThread {
    /// Codes until no more jobs can come.
    pub(crate) fn run(mut self) {
        let mut feedback = Feedback::default();
        while let Ok(job) = self.jobs.recv() {
            match job {
                Job::Report(report) => feedback.take(&mut self.coder, &report),
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
        datagrams: &mut Vec<BytesMut>,
    ) {
        let captured = &encoded.captured;
        let picture = Picture {
            target: &encoded.latents,
            luma: captured.frame.luma_tensor(),
        };
        let capture = time_units(captured.captured) as u32;
        let (clock, ends) = (self.clock, now + self.patience);
        let expired = || clock.now() >= ends;
        let coded = self
            .coder
            .encode(captured.number, picture, allowance, capture, expired);
        datagrams.clear();
        datagrams.append(coded);
    }
}
