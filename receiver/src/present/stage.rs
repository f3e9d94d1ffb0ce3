//! The thread that shows frames, each in its time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use raq_shared::calendar::unix_now;
use raq_shared::exit::Failure;
use raq_shared::stats::millis;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::mailbox::{MOST, Mailbox, Taken};
use super::outputs::{Finishing, Working};
use super::sink::Sink;
use super::{Picture, Show};
use crate::event::Event;
use crate::playout::{Due, Playout, Ready};

/// What the thread of an output works with.
pub(super) struct Stage {
    sink: Sink,
    /// Whether frames come onto a screen as they are given, so that their times matter.
    live: bool,
    latency: Duration,
    working: Arc<Working>,
    events: UnboundedSender<Event>,
    stop: watch::Sender<bool>,
    /// Where its times begin.
    start: Instant,
    /// Frames of the session that wait for their time; only a live sink has any.
    playout: Option<Playout<Picture>>,
    /// Frames sent, and whom to tell, once the session is over.
    finish: Option<(u32, Arc<Finishing>)>,
    /// After a failure the rest is only counted, so that the session can end in good order.
    failed: bool,
    in_session: bool,
}

impl Stage {
    /// Shows on `sink`, where it is `live` up to `latency` after frames are ready.
    pub(super) fn new(
        sink: Sink,
        live: bool,
        latency: Duration,
        working: Arc<Working>,
        events: UnboundedSender<Event>,
        stop: watch::Sender<bool>,
    ) -> Self {
        Self {
            sink,
            live,
            latency,
            working,
            events,
            stop,
            start: now(),
            playout: None,
            finish: None,
            failed: false,
            in_session: false,
        }
    }

    /// Shows what comes until nothing more can.
    pub(super) fn run(mut self, mailbox: &Mailbox) {
        loop {
            match mailbox.take(self.patience()) {
                Taken::Show(show) => self.take(show),
                Taken::Nothing => {}
                Taken::Closed => return self.close(),
            }
            // What came meanwhile may be newer than what is due.
            if self.playout.is_some() {
                for _ in 0..MOST {
                    let Taken::Show(show) = mailbox.take(Some(Duration::ZERO)) else {
                        break;
                    };
                    self.take(show);
                }
            }
            self.play();
            self.finish();
            if !self.failed {
                self.idle();
            }
        }
    }

    fn idle(&mut self) {
        match self.sink.idle() {
            Ok(true) => {}
            Ok(false) => {
                self.failed = true;
                self.stop.send_replace(true);
            }
            Err(failure) if self.in_session => drop(self.fail(failure)),
            // Nobody listens for what happens; whoever waits for senders waits for this, too.
            Err(failure) => {
                if self.fail(failure.clone()) {
                    self.working.note(failure);
                    self.stop.send_replace(true);
                }
            }
        }
    }

    fn close(mut self) {
        if !self.failed
            && let Err(failure) = self.sink.close()
        {
            self.working.note(failure);
        }
    }

    /// How long there is nothing to do but for what comes.
    fn patience(&self) -> Option<Duration> {
        let wake = self.playout.as_ref().and_then(Playout::wake);
        let wait = wake.map(|at| (self.start + at).saturating_duration_since(now()));
        wait.into_iter().chain(self.sink.period()).min()
    }

    fn take(&mut self, show: Show) {
        match show {
            Show::Begin { format, gap } => {
                // The decoder has waited for the end of the session before.
                self.playout = self.live.then(|| Playout::new(self.latency));
                self.in_session = true;
                if !self.failed
                    && let Err(failure) = self.sink.begin(format, gap)
                {
                    self.fail(failure);
                }
            }
            Show::Frame(picture) => {
                let Some(playout) = &mut self.playout else {
                    return self.show(picture);
                };
                let given_up = playout.ready(Ready {
                    number: picture.number,
                    capture: picture.capture,
                    at: picture.ready.saturating_duration_since(self.start),
                    picture,
                });
                if let Some(due) = given_up {
                    self.settle(due);
                }
            }
            Show::Finish {
                frames_sent,
                finishing,
            } => self.finish = Some((frames_sent, finishing)),
        }
    }

    /// Shows what is due.
    fn play(&mut self) {
        let at = now().saturating_duration_since(self.start);
        while let Some(due) = self.playout.as_mut().and_then(|it| it.next(at)) {
            self.settle(due);
        }
    }

    fn settle(&mut self, due: Due<Picture>) {
        let mut picture = due.picture;
        if let Some(record) = &mut picture.record {
            record.playout_wait_ms = millis(due.wait);
            record.late = due.late;
            record.superseded = !due.shown;
        }
        if due.shown {
            return self.show(picture);
        }
        tracing::debug!(frame = due.number, late = due.late, "superseded");
        self.tell(picture, true);
    }

    fn show(&mut self, picture: Picture) {
        if self.failed {
            return self.tell(picture, false);
        }
        if let Err(failure) = self.sink.show(picture.number, &picture.frame) {
            self.fail(failure);
        }
        self.tell(picture, self.live);
    }

    /// Tells of a frame, if that is its task; it happened `now`, or when the frame was ready.
    fn tell(&self, picture: Picture, now: bool) {
        let Some(mut record) = picture.record else {
            return;
        };
        if now {
            record.shown_unix_us = unix_now().as_micros() as u64;
        }
        let capture = picture.capture;
        let _ = self.events.send(Event::Shown { capture, record });
    }

    /// Ends the session once nothing waits.
    fn finish(&mut self) {
        if self.playout.as_ref().is_some_and(|it| it.wake().is_some()) {
            return;
        }
        let Some((frames_sent, finishing)) = self.finish.take() else {
            return;
        };
        let mut frames_repeated = 0;
        if !self.failed {
            match self.sink.finish(frames_sent) {
                Ok(repeated) => frames_repeated = repeated,
                Err(failure) => drop(self.fail(failure)),
            }
        }
        self.in_session = false;
        finishing.done(frames_repeated, &self.events);
    }

    /// Whether no output works any more.
    fn fail(&mut self, failure: Failure) -> bool {
        self.failed = true;
        self.working.lose(failure, &self.events)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the thread that shows is where its playout's time comes from"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
