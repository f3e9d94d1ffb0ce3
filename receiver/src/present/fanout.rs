//! One decoder, several outputs.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, FrameSize};
use raq_shared::stats::FrameDecoded;
use raq_shared::video::VideoFormat;
use raq_shared::worker;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::mailbox::{Full, MOST, Mailbox, Reader};
use super::outputs::{Finishing, Working};
use super::sink::Sink;
use super::stage::Stage;
use super::{Picture, Show};
use crate::event::Event;
use crate::figures::Figures;
use crate::options::Output;

/// Frames on their way to an output that shows the newest, or that is waited for.
const ON_THE_WAY: usize = 2;
/// The most that waits for a file beside other outputs, bytes.
const QUEUE: usize = 64 << 20;

/// A decoded frame.
#[derive(Debug)]
pub(crate) struct Shown {
    /// When it was captured, 100 µs since the session began, 24 bits, wrapping.
    pub(crate) capture: u32,
    /// When it was decoded.
    pub(crate) ready: Instant,
    /// The frame, from [`Presenter::fill`].
    pub(crate) frame: Arc<Frame>,
    /// What is told of it.
    pub(crate) record: FrameDecoded,
}

/// The end that decodes: hands frames to all outputs.
#[derive(Debug)]
pub(crate) struct Presenter {
    outlets: Vec<Outlet>,
    events: UnboundedSender<Event>,
    /// Frames of one size; those that nobody else holds can be filled.
    frames: Vec<Arc<Frame>>,
}

/// The way to an output.
#[derive(Debug)]
struct Outlet {
    mailbox: Arc<Mailbox>,
    /// Whether it shows the newest frames only.
    live: bool,
    full: Full,
    /// Whether it tells of frames, as one of them does.
    tells: bool,
}

impl Presenter {
    /// Fills a frame that nobody shows any more, or a new one.
    ///
    /// # Errors
    /// What `fill` gives.
    pub(crate) fn fill<E>(
        &mut self,
        size: FrameSize,
        fill: impl FnOnce(&mut Frame) -> Result<(), E>,
    ) -> Result<Arc<Frame>, E> {
        let is_free =
            |frame: &mut Arc<Frame>| frame.size() == size && Arc::get_mut(frame).is_some();
        let free = self.frames.iter_mut().position(is_free);
        let free = free.unwrap_or_else(|| {
            self.frames.retain(|frame| frame.size() == size);
            self.frames.push(Arc::new(Frame::new(size)));
            self.frames.len() - 1
        });
        let frame = &mut self.frames[free];
        fill(Arc::make_mut(frame))?;
        Ok(frame.clone())
    }

    /// A session begins, `gap` after the last frame of the one before.
    pub(crate) fn begin(&self, format: VideoFormat, gap: Duration) {
        for outlet in &self.outlets {
            if !outlet.live && outlet.full == Full::Replace {
                let bytes = format.size().map_or(QUEUE, |size| {
                    size.padded_width() * size.padded_height() * 3 / 2
                });
                outlet.mailbox.set_room((QUEUE / bytes).max(ON_THE_WAY));
            }
            outlet.mailbox.put(Show::Begin { format, gap }, outlet.full);
        }
    }

    /// Shows a frame; numbers only rise. Answered with [`Event::Shown`].
    pub(crate) fn show(&self, shown: Shown) {
        let Shown {
            capture,
            ready,
            frame,
            record,
        } = shown;
        let number = record.frame;
        let mut record = Some(record);
        for outlet in &self.outlets {
            let picture = Picture {
                number,
                capture,
                ready,
                frame: frame.clone(),
                record: if outlet.tells { record.take() } else { None },
            };
            let replaced = outlet.mailbox.put(Show::Frame(picture), outlet.full);
            let Some(Picture {
                capture,
                record: Some(mut record),
                ..
            }) = replaced
            else {
                continue;
            };
            record.superseded = true;
            let _ = self.events.send(Event::Shown { capture, record });
        }
    }

    /// The session is over; answered with [`Event::Drained`] when every output is done.
    pub(crate) fn finish(&self, frames_sent: u32, frames_decoded: u32) {
        let finishing = Arc::new(Finishing::new(self.outlets.len(), frames_decoded));
        for outlet in &self.outlets {
            let finishing = finishing.clone();
            let show = Show::Finish {
                frames_sent,
                finishing,
            };
            outlet.mailbox.put(show, outlet.full);
        }
    }
}

impl Drop for Presenter {
    fn drop(&mut self) {
        for outlet in &self.outlets {
            outlet.mailbox.close();
        }
    }
}

/// The threads that present; they end after the [`Presenter`].
#[derive(Debug)]
pub(crate) struct Presenting {
    threads: Vec<JoinHandle<()>>,
    working: Arc<Working>,
}

impl Presenting {
    /// Waits for all of them.
    pub(crate) fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // A panic was told as an event.
            let _ = thread.join();
        }
    }

    /// Why an output failed although the others went on.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.working.failure()
    }
}

/// Opens every output on a thread of its own, where it stays: windows belong to a thread. On live
/// ones frames wait up to `latency` for their time. `stop` turns true when the user closes one;
/// `figures` are what they may show besides.
///
/// # Errors
/// [`Failure`] where one cannot be opened.
pub(crate) fn start(
    outputs: &[Output],
    latency: Duration,
    events: &UnboundedSender<Event>,
    stop: &watch::Sender<bool>,
    figures: &watch::Receiver<Figures>,
) -> Result<(Presenter, Presenting), Failure> {
    let working = Arc::new(Working::new(outputs.len()));
    // What a screen shows is told rather than what a file holds.
    let lead = outputs.iter().position(Output::is_live).unwrap_or(0);
    let mut presenter = Presenter {
        outlets: Vec::new(),
        events: events.clone(),
        frames: Vec::new(),
    };
    let mut threads = Vec::new();
    for (number, output) in outputs.iter().enumerate() {
        let live = output.is_live();
        let alone = outputs.len() == 1;
        let mailbox = Arc::new(Mailbox::new(if live || alone { ON_THE_WAY } else { MOST }));
        presenter.outlets.push(Outlet {
            mailbox: mailbox.clone(),
            live,
            full: if alone { Full::Wait } else { Full::Replace },
            tells: number == lead,
        });
        let (opened, result) = channel();
        let panicked = {
            let events = events.clone();
            move |failure| drop(events.send(Event::Panicked(failure)))
        };
        let present = {
            let (output, events, stop) = (output.clone(), events.clone(), stop.clone());
            let figures = figures.clone();
            let working = working.clone();
            let mailbox = Reader(mailbox);
            move || match Sink::open(&output, figures) {
                Ok(sink) => {
                    let _ = opened.send(Ok(()));
                    Stage::new(sink, live, latency, working, events, stop).run(&mailbox.0);
                }
                Err(failure) => {
                    let _ = opened.send(Err(failure));
                }
            }
        };
        threads.push(worker::spawn("present", present, panicked)?);
        match result.recv() {
            Ok(opened) => opened?,
            Err(_) => {
                return Err(Failure::new(
                    Exit::Failure,
                    "the output failed to open; try again",
                ));
            }
        }
    }
    Ok((presenter, Presenting { threads, working }))
}

#[cfg(test)]
mod tests;
