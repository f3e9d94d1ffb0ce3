//! The threads that capture, encode and code. They go on from one connection to the next; without
//! one, frames are passed over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::latent::Latents;
use raq_shared::model::Encoder;
use raq_shared::worker;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::capture::play::{Captured, Limits, Player, Source};
use crate::clock::Clock;
use crate::closing_queue::ClosingQueue;
use crate::code::{CodeThread, Job, MakeCoder};
use crate::encode::EncodeThread;
use crate::event::{Encoded, Event};
use crate::mailbox::Mailbox;
use crate::options::Effort;
use crate::tempo::Tempo;

/// Pictures under way: one being filled, one waiting, one being encoded, one being coded.
const FRAMES: usize = 4;
/// Latents under way: one being filled, one being coded.
const LATENTS: usize = 2;
/// A choice that takes longer than a frame is due takes no longer than this.
const LONG_CHOICE: Duration = Duration::from_millis(150);

/// What the threads work with.
pub(crate) struct Parts {
    pub(crate) source: Source,
    pub(crate) limits: Limits,
    pub(crate) encoder: Encoder,
    /// Components of a latent.
    pub(crate) dim: usize,
    pub(crate) coder: MakeCoder,
    pub(crate) effort: Effort,
}

/// The threads' ends that the driver holds.
pub(crate) struct Pipeline {
    mailbox: Arc<Mailbox<Captured>>,
    empty_latents: mpsc::Sender<Latents>,
    jobs: mpsc::Sender<Job>,
    /// What the code thread should know, shared with it.
    pub(crate) closings: Arc<ClosingQueue>,
    pub(crate) events: UnboundedReceiver<Event>,
    /// The other end of `events`.
    pub(crate) tell: UnboundedSender<Event>,
    /// Whether frames are to be encoded.
    wanted: Arc<AtomicBool>,
    /// Taken when it starts.
    capture: Option<Player>,
    threads: Vec<JoinHandle<()>>,
    source: SourceEnd,
    /// Why a thread cannot go on, or the source ended early.
    pub(crate) failure: Option<Failure>,
    /// Frames passed over while there was no session.
    pub(crate) skipped: u32,
}

/// How far the end of the source has come through the threads.
#[derive(Debug, Default)]
struct SourceEnd {
    /// The number after its last frame.
    next: Option<u32>,
    encoded: bool,
    stopped: bool,
}

impl Pipeline {
    /// Starts the encode and code threads; capture begins with [`Self::want`].
    ///
    /// # Errors
    /// [`Failure`] where the system gives no threads, or the video has an impossible size.
    pub(crate) fn start(parts: Parts, clock: Clock) -> Result<Self, Failure> {
        let Parts {
            source,
            limits,
            encoder,
            dim,
            coder,
            effort,
        } = parts;
        let format = source.format();
        let size = format.size();
        let size = size.map_err(|e| Failure::new(Exit::Failure, e))?;
        let (tell, events) = unbounded_channel();
        let buffer = || Captured {
            number: 0,
            captured: Duration::ZERO,
            frame: Frame::new(size),
        };
        let mailbox = Arc::new(Mailbox::new((0..FRAMES).map(|_| buffer()).collect()));
        let (empty_latents, empty) = mpsc::channel();
        for _ in 0..LATENTS {
            // The receiver is right here.
            let _ = empty_latents.send(Latents::new(size.grid(), dim));
        }
        let (jobs, job_receiver) = mpsc::channel();
        let closings = Arc::new(ClosingQueue::default());
        let wanted = Arc::new(AtomicBool::new(false));
        let encode = EncodeThread {
            encoder,
            clock,
            mailbox: mailbox.clone(),
            wanted: wanted.clone(),
            empty,
            events: tell.clone(),
        };
        let interval = format.frame_rate.time_of(1);
        let code = CodeThread {
            make: coder,
            tempo: (effort == Effort::Auto).then(|| Tempo::new(interval)),
            clock,
            patience: patience(interval),
            jobs: job_receiver,
            closings: closings.clone(),
            events: tell.clone(),
        };
        let capture = Player {
            source,
            limits,
            clock,
            mailbox: mailbox.clone(),
            events: tell.clone(),
        };
        let threads = vec![
            worker::spawn("encode", || encode.run(), panicked(&tell))?,
            worker::spawn("code", || code.run(), panicked(&tell))?,
        ];
        Ok(Self {
            mailbox,
            empty_latents,
            jobs,
            closings,
            events,
            tell,
            wanted,
            capture: Some(capture),
            threads,
            source: SourceEnd::default(),
            failure: None,
            skipped: 0,
        })
    }

    /// Encodes frames from now on; the first time, capture begins.
    ///
    /// # Errors
    /// [`Failure`] where the system gives no thread.
    pub(crate) fn want(&mut self) -> Result<(), Failure> {
        self.wanted.store(true, Ordering::Relaxed);
        match self.capture.take() {
            Some(player) => {
                let on_panic = panicked(&self.tell);
                worker::spawn("capture", || player.run(), on_panic).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Passes frames over from now on.
    pub(crate) fn unwant(&self) {
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// Whether frames were ever wanted.
    pub(crate) fn has_begun(&self) -> bool {
        self.capture.is_none()
    }

    /// Gives the code thread something to do.
    pub(crate) fn job(&self, job: Job) {
        // The thread ends only after this sender is gone.
        let _ = self.jobs.send(job);
    }

    /// Captures no more.
    pub(crate) fn stop_source(&mut self) {
        self.source.stopped = true;
        self.mailbox.close();
    }

    /// The number after the source's last frame, once every frame of it has come through. A source
    /// that was stopped is not waited for: it may be blocked in a read.
    pub(crate) fn source_end(&self) -> Option<u32> {
        let SourceEnd {
            next,
            encoded,
            stopped,
        } = self.source;
        match next {
            _ if !encoded => None,
            None if stopped => Some(0),
            next => next,
        }
    }

    /// Takes what the threads say that is not for a session.
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Skipped(frames) => self.skipped = self.skipped.saturating_add(frames),
            Event::Encoded(encoded) => self.pass_over(encoded),
            // It was being coded when its session ended, which has counted it.
            Event::Coded { encoded, .. } => self.recycle(encoded),
            Event::Shipped { .. } => {}
            Event::SourceEnd { next, failure } => {
                self.source.next = Some(next);
                self.failure = self.failure.take().or(failure);
            }
            Event::EncodeEnd => self.source.encoded = true,
            Event::Failed(failure) => {
                self.failure.get_or_insert(failure);
            }
        }
    }

    /// Takes a frame back that nobody sends.
    pub(crate) fn pass_over(&mut self, encoded: Encoded) {
        self.skipped = self.skipped.saturating_add(1);
        self.recycle(encoded);
    }

    /// Gives the buffers of a frame back to the threads.
    pub(crate) fn recycle(&self, encoded: Encoded) {
        self.mailbox.give_back(encoded.captured);
        // The encode thread may have ended already.
        let _ = self.empty_latents.send(encoded.latents);
    }

    /// Ends the encode and code threads. The capture thread may hang in a read, so it is not waited
    /// for.
    pub(crate) fn end(self) {
        let Self {
            mailbox,
            threads,
            jobs,
            empty_latents,
            events,
            ..
        } = self;
        // Without these ends the threads have nothing left to do.
        drop((jobs, empty_latents, events));
        mailbox.close();
        for thread in threads {
            // A panic was told while the session ran.
            let _ = thread.join();
        }
    }
}

fn panicked(events: &UnboundedSender<Event>) -> impl FnOnce(Failure) + Send + use<> {
    let events = events.clone();
    move |failure| drop(events.send(Event::Failed(failure)))
}

/// How long the choice may take for a frame when frames come so far apart: on a machine that is too
/// slow the frame rate falls before the picture does.
fn patience(interval: Duration) -> Duration {
    (3 * interval).min(LONG_CHOICE).max(interval)
}
