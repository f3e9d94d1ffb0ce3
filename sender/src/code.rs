//! The code thread: latents to datagrams, and reports to what the coder knows.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::BytesMut;
use raq_shared::exit::{Exit, Failure};
use raq_shared::wire::update::time_units;
use tokio::sync::mpsc::UnboundedSender;

use crate::choice::Picture;
use crate::clock::Clock;
use crate::closing_queue::ClosingQueue;
use crate::event::{Encoded, Event};
use crate::feedback::Feedback;
use crate::frame_coder::{Allowance, FrameCoder};
use crate::tempo::Tempo;

/// Makes a coder that knows of no receiver.
pub(crate) type MakeCoder = Box<dyn Fn() -> FrameCoder + Send>;

/// Something for the thread to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// What follows is for the session of this number, whose receiver has nothing yet.
    Begin(u32),
    /// Code a frame; answered with [`Event::Coded`].
    Code {
        /// The frame.
        encoded: Encoded,
        /// What it may take.
        allowance: Allowance,
        /// A list to be filled.
        datagrams: Vec<BytesMut>,
    },
    /// The receiver has closed frames: closings wait in the queue.
    Closings,
}

/// What the code thread works with.
pub(crate) struct CodeThread {
    pub(crate) make: MakeCoder,
    /// What there is time for, where that decides.
    pub(crate) tempo: Option<Tempo>,
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
        let mut current: Option<Current> = None;
        while let Ok(job) = self.jobs.recv() {
            if let Some(current) = &mut current {
                while let Some(closings) = self.closings.pop() {
                    current.feedback.take(&mut current.coder, &closings);
                }
            }
            match (job, &mut current) {
                (Job::Begin(session), _) => {
                    // The memory of the one before is free before this one takes its own.
                    drop(current.take());
                    self.closings.clear();
                    current = Some(Current {
                        session,
                        coder: (self.make)(),
                        feedback: Feedback::default(),
                    });
                }
                (Job::Closings, _) => {}
                (
                    Job::Code {
                        encoded,
                        allowance,
                        datagrams,
                    },
                    current,
                ) => {
                    let coded = match current {
                        Some(current) => self.code(current, encoded, allowance, datagrams),
                        None => Event::Failed(no_session()),
                    };
                    if self.events.send(coded).is_err() {
                        break;
                    }
                }
            }
        }
    }

    fn code(
        &mut self,
        current: &mut Current,
        encoded: Encoded,
        allowance: Allowance,
        mut datagrams: Vec<BytesMut>,
    ) -> Event {
        let coder = &mut current.coder;
        if let Some(tempo) = &self.tempo {
            coder.set_speed(tempo.speed());
        }
        let began = self.clock.now();
        let captured = &encoded.captured;
        let picture = Picture {
            target: &encoded.latents,
            luma: captured.frame.luma_tensor(),
        };
        let capture = time_units(captured.captured) as u32;
        let (clock, ends) = (self.clock, began + self.patience);
        let expired = || clock.now() >= ends;
        let coded = coder.encode(captured.number, picture, allowance, capture, expired);
        datagrams.clear();
        datagrams.append(coded);
        let time = self.clock.now() - began;
        if let Some(tempo) = &mut self.tempo {
            tempo.took(time, began.saturating_sub(encoded.captured.captured));
        }
        Event::Coded {
            session: current.session,
            level: coder.chooser().level(),
            codewords: coder.codewords(),
            time,
            encoded,
            datagrams,
        }
    }
}

/// The session whose frames are coded.
struct Current {
    session: u32,
    coder: FrameCoder,
    feedback: Feedback,
}

impl Drop for Current {
    fn drop(&mut self) {
        let mismatches = self.feedback.mismatches();
        if mismatches > 0 {
            tracing::warn!(
                "{mismatches} tiles of the receiver's picture differed from what they should be; \
                 please report this"
            );
        }
    }
}

fn no_session() -> Failure {
    let text = "a frame came before its session; please report this";
    Failure::new(Exit::Failure, text)
}
