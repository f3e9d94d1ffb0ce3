//! The thread that shows frames, each in its time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use raq_shared::exit::Failure;
use raq_shared::frame::Frame;
use raq_shared::stats::millis;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::sink::Sink;
use super::{ON_THE_WAY, Picture, Show};
use crate::event::Event;
use crate::playout::{Due, Playout, Ready};

/// What the thread works with.
pub(super) struct Stage {
    sink: Sink,
    latency: Duration,
    spare: Sender<Frame>,
    events: UnboundedSender<Event>,
    stop: watch::Sender<bool>,
    /// Where its times begin.
    start: Instant,
    /// Frames of the session that wait for their time; only a live sink has any.
    playout: Option<Playout<Picture>>,
    /// Frames sent and decoded, once the session is over.
    finish: Option<(u32, u32)>,
    /// After a failure the rest is only counted, so that the session can end in good order.
    failed: bool,
}

impl Stage {
    /// Shows on `sink`, where it is live up to `latency` after frames are ready.
    pub(super) fn new(
        sink: Sink,
        latency: Duration,
        spare: Sender<Frame>,
        events: UnboundedSender<Event>,
        stop: watch::Sender<bool>,
    ) -> Self {
        Self {
            sink,
            latency,
            spare,
            events,
            stop,
            start: now(),
            playout: None,
            finish: None,
            failed: false,
        }
    }

    /// Shows what comes until nothing more can.
    pub(super) fn run(mut self, shows: &Receiver<Show>) {
        loop {
            match self.receive(shows) {
                Ok(show) => self.take(show),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What came meanwhile may be newer than what is due.
            for show in shows.try_iter().take(ON_THE_WAY) {
                self.take(show);
            }
            self.play();
            self.finish();
            if !self.failed && !self.sink.idle() {
                self.failed = true;
                self.stop.send_replace(true);
            }
        }
    }

    fn receive(&self, shows: &Receiver<Show>) -> Result<Show, RecvTimeoutError> {
        let wake = self.playout.as_ref().and_then(Playout::wake);
        let wait = wake.map(|at| (self.start + at).saturating_duration_since(now()));
        match wait.into_iter().chain(self.sink.period()).min() {
            None => shows.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(period) => shows.recv_timeout(period),
        }
    }

    fn take(&mut self, show: Show) {
        match show {
            Show::Begin { format, gap } => {
                // The decoder has waited for the end of the session before.
                self.playout = self.sink.is_live().then(|| Playout::new(self.latency));
                if let Err(failure) = self.sink.begin(format, gap) {
                    self.fail(failure);
                }
            }
            Show::Frame {
                capture,
                ready,
                picture,
            } => {
                let Some(playout) = &mut self.playout else {
                    return self.show(picture);
                };
                let given_up = playout.ready(Ready {
                    number: picture.record.frame,
                    capture,
                    at: ready.saturating_duration_since(self.start),
                    picture,
                });
                if let Some(due) = given_up {
                    self.settle(due);
                }
            }
            Show::Finish {
                frames_sent,
                frames_decoded,
            } => self.finish = Some((frames_sent, frames_decoded)),
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
        let record = &mut picture.record;
        record.playout_wait_ms = millis(due.wait);
        record.late = due.late;
        record.superseded = !due.shown;
        if due.shown {
            return self.show(picture);
        }
        tracing::debug!(frame = due.number, late = due.late, "superseded");
        record.shown_unix_us = unix_us();
        let _ = self.spare.send(picture.frame);
        let _ = self.events.send(Event::Shown(picture.record));
    }

    fn show(&mut self, picture: Picture) {
        let Picture { frame, mut record } = picture;
        if self.failed {
            let _ = self.spare.send(frame);
        } else {
            match self.sink.show(record.frame, frame) {
                Ok(Some(frame)) => drop(self.spare.send(frame)),
                Ok(None) => {}
                Err(failure) => self.fail(failure),
            }
            if self.sink.is_live() {
                record.shown_unix_us = unix_us();
            }
        }
        let _ = self.events.send(Event::Shown(record));
    }

    /// Ends the session once nothing waits.
    fn finish(&mut self) {
        if self.playout.as_ref().is_some_and(|it| it.wake().is_some()) {
            return;
        }
        let Some((frames_sent, frames_decoded)) = self.finish.take() else {
            return;
        };
        let mut frames_repeated = 0;
        if !self.failed {
            match self.sink.finish(frames_sent) {
                Ok(repeated) => frames_repeated = repeated,
                Err(failure) => self.fail(failure),
            }
        }
        let _ = self.events.send(Event::Drained {
            frames_decoded,
            frames_repeated,
        });
    }

    fn fail(&mut self, failure: Failure) {
        self.failed = true;
        let _ = self.events.send(Event::Failed(failure));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the thread that shows is where its playout's time comes from"
)]
fn now() -> Instant {
    Instant::now()
}

#[allow(
    clippy::disallowed_methods,
    reason = "times are reported, nothing depends on them"
)]
fn unix_us() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.unwrap_or_default().as_micros() as u64
}

#[cfg(test)]
mod tests;
