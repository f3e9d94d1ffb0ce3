//! The thread that turns received frames into pictures.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, FrameSize};
use raq_shared::model::Decoder;
use raq_shared::video::VideoFormat;
use raq_shared::worker;
use tokio::sync::mpsc::UnboundedSender;

use crate::assembly::ReceivedFrame;
use crate::event::{Decoded, Event};
use crate::present::{Presenter, Show};

/// Something for the thread to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// A session begins; answered with [`Event::Prepared`].
    Prepare(VideoFormat),
    /// A frame; answered with [`Event::Decoded`].
    Frame(ReceivedFrame),
    /// The session is over; answered with [`Event::Drained`] when all is written.
    Drain {
        /// Frames that the sender sent.
        frames_sent: u32,
    },
}

/// Work for the thread: frames beyond the limit push out the oldest frame that still waits.
#[derive(Debug)]
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    frame_limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    frames: usize,
    closed: bool,
}

impl Jobs {
    pub(crate) fn new(frame_limit: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            frame_limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; gives back a frame that had waited too long to be of use.
    pub(crate) fn push(&self, job: Job) -> Option<ReceivedFrame> {
        let mut waiting = self.lock();
        let mut dropped = None;
        if matches!(job, Job::Frame(_)) {
            waiting.frames += 1;
            if waiting.frames > self.frame_limit
                && let Some(oldest) = waiting
                    .jobs
                    .iter()
                    .position(|job| matches!(job, Job::Frame(_)))
                && let Some(Job::Frame(frame)) = waiting.jobs.remove(oldest)
            {
                waiting.frames -= 1;
                dropped = Some(frame);
            }
        }
        waiting.jobs.push_back(job);
        self.changed.notify_one();
        dropped
    }

    /// Ends the thread once it has done what waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                waiting.frames -= usize::from(matches!(job, Job::Frame(_)));
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Starts the thread; it ends after [`Jobs::close`], and with it the presenter's.
///
/// # Errors
/// [`Failure`] where the system gives no thread.
pub(crate) fn start(
    decoder: Decoder,
    jobs: Arc<Jobs>,
    presenter: Presenter,
    events: UnboundedSender<Event>,
) -> Result<JoinHandle<()>, Failure> {
    let panicked = {
        let events = events.clone();
        move |failure| drop(events.send(Event::Panicked(failure)))
    };
    let mut decoding = Decoding {
        decoder,
        presenter,
        events,
        session: None,
        last: None,
    };
    let run = move || {
        while let Some(job) = jobs.next() {
            decoding.job(job);
        }
    };
    worker::spawn("decode", run, panicked)
}

struct Decoding {
    decoder: Decoder,
    presenter: Presenter,
    events: UnboundedSender<Event>,
    session: Option<Current>,
    /// When the last frame of all sessions was decoded.
    last: Option<Instant>,
}

/// What belongs to one session.
struct Current {
    size: FrameSize,
    frames_decoded: u32,
    /// The decoder has failed: later frames are not tried, the driver ends the session.
    failed: bool,
}

impl Decoding {
    fn job(&mut self, job: Job) {
        let done = match job {
            Job::Prepare(format) => self.prepare(format),
            Job::Frame(frame) => self.frame(frame),
            Job::Drain { frames_sent } => {
                let frames_decoded = self.session.take().map_or(0, |it| it.frames_decoded);
                self.presenter.show(Show::Finish {
                    frames_sent,
                    frames_decoded,
                });
                Ok(())
            }
        };
        if let Err(failure) = done {
            if let Some(current) = &mut self.session {
                current.failed = true;
            }
            let _ = self.events.send(Event::Failed(failure));
        }
    }

    fn prepare(&mut self, format: VideoFormat) -> Result<(), Failure> {
        let size = format.size().map_err(|e| Failure::new(Exit::Failure, e))?;
        self.decoder.prepare(size)?;
        self.session = Some(Current {
            size,
            frames_decoded: 0,
            failed: false,
        });
        self.presenter.show(Show::Begin {
            format,
            gap: self.last.map(|last| last.elapsed()).unwrap_or_default(),
        });
        let _ = self.events.send(Event::Prepared);
        Ok(())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "times are reported, nothing depends on them"
    )]
    fn frame(&mut self, received: ReceivedFrame) -> Result<(), Failure> {
        let Some(current) = self.session.as_mut().filter(|current| !current.failed) else {
            return Ok(());
        };
        let start = Instant::now();
        let (latents, depths) = self.decoder.inputs();
        latents.copy_from_slice(&received.latents);
        depths.copy_from_slice(&received.depths);
        let mut frame = spare_frame(&self.presenter, current.size);
        self.decoder.decode(&mut frame)?;
        let decode_ms = start.elapsed().as_secs_f64() * 1e3;
        current.frames_decoded += 1;
        self.last = Some(Instant::now());
        let shown = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.presenter.show(Show::Frame {
            number: received.number,
            frame,
        });
        let _ = self.events.send(Event::Decoded(Decoded {
            frame: received,
            shown_unix_us: shown.as_micros() as u64,
            decode_ms: (decode_ms * 1e3).round() / 1e3,
        }));
        Ok(())
    }
}

/// A frame that was shown before, or a new one where none of this size is free.
fn spare_frame(presenter: &Presenter, size: FrameSize) -> Frame {
    while let Some(frame) = presenter.spare() {
        if frame.size() == size {
            return frame;
        }
    }
    Frame::new(size)
}

#[cfg(test)]
mod tests;
