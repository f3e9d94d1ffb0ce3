//! The records of `--stats`, the figures of every interval, and the sums that end them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use raq_shared::exit::Failure;
use raq_shared::meter::{Known, Window};
use raq_shared::observe::{ObserveArgs, Observers};
use raq_shared::stats::{
    ConnectionChange, ConnectionRecord, FrameSent, FrameSkipped, SenderRecord, SenderSummary,
    columns, millis, used,
};

use crate::bandwidth::{Estimator, EstimatorName};
use crate::capture::play::Captured;
use crate::clock::Clock;
use crate::rate::Skip;
use crate::session::{Counts, Sent};

/// Times of frames that are on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) number: u32,
    /// When its coding was over.
    pub(crate) coded: Duration,
    pub(crate) encode: Duration,
    pub(crate) code: Duration,
}

/// Notes what is sent.
#[derive(Debug)]
pub(crate) struct Tally {
    clock: Clock,
    observers: Observers,
    window: Window,
    /// Frames that figures have told to be skipped.
    told_skipped: u32,
    /// Why nothing more is to be sent.
    failure: Option<Failure>,
    connections: u32,
    /// Of the sessions that have ended.
    counts: Counts,
    times: VecDeque<Times>,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    pub(crate) fn new(clock: Clock, observers: Observers) -> Self {
        Self {
            clock,
            observers,
            window: Window::default(),
            told_skipped: 0,
            failure: None,
            connections: 0,
            counts: Counts::default(),
            times: VecDeque::new(),
            first: None,
            last: Duration::ZERO,
        }
    }

    /// From now on records go where `args` say.
    ///
    /// # Errors
    /// [`Failure`] where that cannot be written.
    pub(crate) fn open(&mut self, args: &ObserveArgs) -> Result<(), Failure> {
        self.observers.open(args, &columns::sender(args.rows()))
    }

    /// Why nothing more is to be sent, once: nobody reads standard output any more.
    pub(crate) fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// When [`Self::tick`] has something to tell; never before there was a session.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.window.since() + self.observers.period();
        (self.connections > 0).then(|| self.clock.instant(due))
    }

    /// Whether anything was sent since the last figures.
    pub(crate) fn has_untold(&self) -> bool {
        !self.window.is_empty()
    }

    /// Tells the figures since the last time. `skipped` frames were, in the session that is under way
    /// and while there was none.
    pub(crate) fn tick(&mut self, skipped: u32, known: &Known) {
        let skipped = self.counts.frames_skipped.saturating_add(skipped);
        self.window
            .skipped(skipped.saturating_sub(self.told_skipped));
        self.told_skipped = skipped;
        let now = self.clock.now();
        let unix = Duration::from_micros(self.clock.unix_us(now));
        let figures = self.window.close(now, unix, known);
        let told = self.observers.interval(figures, SenderRecord::Interval);
        self.note(told);
    }

    /// Notes that a receiver wants frames.
    pub(crate) fn made(&mut self, peer: SocketAddr) {
        if self.connections == 0 {
            self.window.begin(self.clock.now());
        }
        self.connections += 1;
        self.observers.began();
        self.connection(ConnectionChange::Made, peer, None);
    }

    /// Notes that it wants no more of them, or is gone.
    pub(crate) fn lost(&mut self, peer: SocketAddr, reason: &str) {
        self.observers.ended("no connection");
        self.connection(ConnectionChange::Lost, peer, Some(reason.to_owned()));
    }

    fn connection(&mut self, change: ConnectionChange, peer: SocketAddr, reason: Option<String>) {
        let unix_us = self.clock.unix_us(self.clock.now());
        let told = self
            .observers
            .event(&SenderRecord::Connection(ConnectionRecord {
                change,
                unix_us,
                peer: peer.to_string(),
                reason,
            }));
        self.note(told);
    }

    /// Adds what a session did.
    pub(crate) fn session_ended(&mut self, counts: &Counts) {
        self.times.clear();
        self.counts.add(counts);
    }

    /// Notes how long a frame took that will be sent.
    pub(crate) fn coded(&mut self, times: Times) {
        self.times.push_back(times);
    }

    /// Notes a frame of which no more datagrams go from now on.
    pub(crate) fn sent(&mut self, sent: Sent) {
        if sent.left == 0 {
            return;
        }
        let now = self.clock.now();
        self.first.get_or_insert(sent.captured);
        self.last = now;
        // Frames that were skipped after their coding left times behind.
        while self
            .times
            .front()
            .is_some_and(|times| times.number < sent.number)
        {
            self.times.pop_front();
        }
        let times = self.times.pop_front().unwrap_or(Times {
            number: sent.number,
            coded: now,
            encode: Duration::ZERO,
            code: Duration::ZERO,
        });
        tracing::trace!(?sent, ?times, "frame");
        let record = FrameSent {
            frame: sent.number,
            capture_unix_us: self.clock.unix_us(sent.captured),
            coded_unix_us: self.clock.unix_us(times.coded),
            sent_unix_us: self.clock.unix_us(now),
            level: sent.level,
            codewords: used(&sent.codewords),
            budget: sent.budget,
            limit: sent.limit.to_string(),
            estimate_kbps: sent.estimate.kilobits_per_second(),
            queue_ms: millis(sent.queue),
            bytes: sent.bytes,
            datagrams: sent.datagrams,
            parity: sent.parity,
            left: sent.left,
            encode_ms: millis(times.encode),
            code_ms: millis(times.code),
        };
        self.window.sent(&record);
        let told = self.observers.frame(&SenderRecord::Frame(record));
        self.note(told);
    }

    /// Notes a frame that is not sent.
    pub(crate) fn skipped(&mut self, frame: &Captured, reason: Skip, bandwidth: &Estimator) {
        let number = frame.number;
        tracing::trace!(number, %reason, "frame skipped");
        let record = FrameSkipped {
            frame: number,
            capture_unix_us: self.clock.unix_us(frame.captured),
            reason: reason.to_string(),
            estimate_kbps: bandwidth.estimate().kilobits_per_second(),
            queue_ms: millis(bandwidth.queue()),
        };
        self.window.not_sent(&record);
        let told = self.observers.frame(&SenderRecord::Skipped(record));
        self.note(told);
    }

    /// Writes the last line; `skipped` frames were passed over while there was no session.
    pub(crate) fn finish(
        &mut self,
        skipped: u32,
        estimator: EstimatorName,
        provider: &str,
        codebook_digest: String,
    ) {
        let untold = self.counts.frames_skipped.saturating_add(skipped) > self.told_skipped;
        if untold || !self.window.is_empty() {
            self.tick(skipped, &Known::default());
        }
        self.observers.ended("done");
        let mut counts = self.counts;
        counts.frames_skipped = counts.frames_skipped.saturating_add(skipped);
        let seconds = self
            .last
            .saturating_sub(self.first.unwrap_or(self.last))
            .as_secs_f64();
        tracing::info!(
            "{} frames sent, {} skipped, {} bytes in {seconds:.1} s",
            counts.frames_sent,
            counts.frames_skipped,
            counts.bytes
        );
        if counts.datagrams_dropped > 0 {
            tracing::info!(
                "{} datagrams became too old to leave",
                counts.datagrams_dropped
            );
        }
        let told = self.observers.event(&SenderRecord::Summary(SenderSummary {
            connections: self.connections,
            frames_sent: counts.frames_sent,
            frames_skipped: counts.frames_skipped,
            bytes: counts.bytes,
            seconds: (seconds * 1e6).round() / 1e6,
            estimator: estimator.to_string(),
            provider: provider.to_owned(),
            codebook_digest,
            codebook_shipped: counts.codebook_shipped,
        }));
        self.note(told);
    }

    fn note(&mut self, told: Result<(), Failure>) {
        if let Err(failure) = told {
            self.failure.get_or_insert(failure);
        }
    }
}
