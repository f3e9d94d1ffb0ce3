//! The thread that turns received frames into pictures.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use raq_shared::calendar::unix_now;
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::FrameSize;
use raq_shared::model::Decoder;
use raq_shared::stats::{FrameDecoded, millis, used};
use raq_shared::video::VideoFormat;
use raq_shared::worker;
use tokio::sync::mpsc::UnboundedSender;

use crate::assembly::ReceivedFrame;
use crate::event::Event;
use crate::present::{Presenter, Shown};

/// Something for the thread to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// A session begins; answered with [`Event::Prepared`].
    Prepare(VideoFormat),
    /// A frame; answered with [`Event::Decoded`].
    Frame {
        frame: ReceivedFrame,
        /// When nothing more of it was waited for.
        arrived_unix_us: u64,
    },
    /// The session is over; answered with [`Event::Drained`] when all is written.
    Drain {
        /// Frames that the sender sent.
        frames_sent: u32,
    },
}

/// Frames that may wait for the decoder. The newest always may: it holds all that came before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// The most frames.
    pub(crate) frames: usize,
    /// The longest time that decoding them may take, as far as can be told beforehand.
    pub(crate) time: Duration,
}

/// Work for the thread.
#[derive(Debug)]
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    limit: Limit,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    frames: usize,
    /// Of a frame, in the mean of the last ones.
    decode_time: Duration,
    closed: bool,
}

impl Jobs {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job; [`Self::overrun`] says what gives way to it.
    pub(crate) fn push(&self, job: Job) {
        let mut waiting = self.lock();
        waiting.frames += usize::from(matches!(job, Job::Frame { .. }));
        waiting.jobs.push_back(job);
        self.changed.notify_one();
    }

    /// Takes out a frame that waits and is not worth decoding any more; call it until it gives
    /// `None`.
    pub(crate) fn overrun(&self) -> Option<ReceivedFrame> {
        let mut waiting = self.lock();
        let time = waiting.decode_time * waiting.frames as u32;
        let fits = waiting.frames <= self.limit.frames && time <= self.limit.time;
        if fits || waiting.frames <= 1 {
            return None;
        }
        let is_frame = |job: &Job| matches!(job, Job::Frame { .. });
        let oldest = waiting.jobs.iter().position(is_frame)?;
        let Some(Job::Frame { frame, .. }) = waiting.jobs.remove(oldest) else {
            return None;
        };
        waiting.frames -= 1;
        Some(frame)
    }

    /// Notes how long a frame took.
    fn took(&self, time: Duration) {
        let mut waiting = self.lock();
        waiting.decode_time = (waiting.decode_time * 3 + time) / 4;
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
                waiting.frames -= usize::from(matches!(job, Job::Frame { .. }));
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

/// Starts the thread; it ends after [`Jobs::close`], and with it the presenter's. The decoder is given to
/// `after` then.
///
/// # Errors
/// [`Failure`] where the system gives no thread.
pub(crate) fn start(
    decoder: Decoder,
    jobs: Arc<Jobs>,
    presenter: Presenter,
    events: UnboundedSender<Event>,
    after: impl FnOnce(Decoder) + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    let panicked = {
        let events = events.clone();
        move |failure| drop(events.send(Event::Panicked(failure)))
    };
    let mut decoding = Decoding {
        decoder,
        jobs,
        presenter,
        events,
        session: None,
        last: None,
    };
    let run = move || {
        while let Some(job) = decoding.jobs.next() {
            decoding.job(job);
        }
        after(decoding.decoder);
    };
    worker::spawn("decode", run, panicked)
}

struct Decoding {
    decoder: Decoder,
    jobs: Arc<Jobs>,
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
            Job::Frame {
                frame,
                arrived_unix_us,
            } => self.frame(frame, arrived_unix_us),
            Job::Drain { frames_sent } => {
                let frames_decoded = self.session.take().map_or(0, |it| it.frames_decoded);
                self.presenter.finish(frames_sent, frames_decoded);
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
        let gap = self.last.map(|last| last.elapsed()).unwrap_or_default();
        self.presenter.begin(format, gap);
        let _ = self.events.send(Event::Prepared);
        Ok(())
    }

    #[allow(clippy::disallowed_methods, reason = "this is where frames are ready")]
    fn frame(&mut self, received: ReceivedFrame, arrived_unix_us: u64) -> Result<(), Failure> {
        let Some(current) = self.session.as_mut().filter(|current| !current.failed) else {
            return Ok(());
        };
        let start = Instant::now();
        let (latents, depths) = self.decoder.inputs();
        latents.copy_from_slice(&received.latents);
        depths.copy_from_slice(&received.depths);
        let decode = |frame: &mut _| self.decoder.decode(frame);
        let frame = self.presenter.fill(current.size, decode)?;
        let ready = Instant::now();
        let took = ready - start;
        self.jobs.took(took);
        current.frames_decoded += 1;
        self.last = Some(Instant::now());
        let record = FrameDecoded {
            frame: received.number,
            arrived_unix_us,
            shown_unix_us: unix_now().as_micros() as u64,
            playout_wait_ms: 0.0,
            late: false,
            superseded: false,
            level: received.level,
            codewords: used(&received.codewords),
            datagrams_received: received.datagrams_received,
            datagrams_expected: received.datagrams_expected,
            concealed_tiles: received.concealed_tiles,
            decode_ms: millis(took),
        };
        let capture = received.capture;
        // The presenter may be busy; the buffers need not wait for it.
        let _ = self.events.send(Event::Decoded(received));
        self.presenter.show(Shown {
            capture,
            ready,
            frame,
            record,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
