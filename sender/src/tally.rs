//! The records of `--stats`, and the sums that end them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use raq_shared::stats::{
    ConnectionChange, ConnectionRecord, FrameSent, FrameSkipped, SenderRecord, SenderSummary,
    StatsFile, used,
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
    pub(crate) encode: Duration,
    pub(crate) code: Duration,
}

/// Notes what is sent.
#[derive(Debug)]
pub(crate) struct Tally {
    clock: Clock,
    stats: Option<StatsFile>,
    connections: u32,
    /// Of the sessions that have ended.
    counts: Counts,
    times: VecDeque<Times>,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            stats: None,
            connections: 0,
            counts: Counts::default(),
            times: VecDeque::new(),
            first: None,
            last: Duration::ZERO,
        }
    }

    /// From now on records go there.
    pub(crate) fn write_to(&mut self, stats: StatsFile) {
        self.stats = Some(stats);
    }

    /// Notes that a receiver wants frames.
    pub(crate) fn made(&mut self, peer: SocketAddr) {
        self.connections += 1;
        self.connection(ConnectionChange::Made, peer, None);
    }

    /// Notes that it wants no more of them, or is gone.
    pub(crate) fn lost(&mut self, peer: SocketAddr, reason: &str) {
        self.connection(ConnectionChange::Lost, peer, Some(reason.to_owned()));
    }

    fn connection(&mut self, change: ConnectionChange, peer: SocketAddr, reason: Option<String>) {
        let unix_us = self.clock.unix_us(self.clock.now());
        self.write(SenderRecord::Connection(ConnectionRecord {
            change,
            unix_us,
            peer: peer.to_string(),
            reason,
        }));
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
        let (encode, code) = match self.times.pop_front() {
            Some(times) => (times.encode, times.code),
            None => (Duration::ZERO, Duration::ZERO),
        };
        tracing::trace!(?sent, ?encode, ?code, "frame");
        self.write(SenderRecord::Frame(FrameSent {
            frame: sent.number,
            capture_unix_us: self.clock.unix_us(sent.captured),
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
            encode_ms: millis(encode),
            code_ms: millis(code),
        }));
    }

    /// Notes a frame that is not sent.
    pub(crate) fn skipped(&mut self, frame: &Captured, reason: Skip, bandwidth: &Estimator) {
        let number = frame.number;
        tracing::trace!(number, %reason, "frame skipped");
        self.write(SenderRecord::Skipped(FrameSkipped {
            frame: number,
            capture_unix_us: self.clock.unix_us(frame.captured),
            reason: reason.to_string(),
            estimate_kbps: bandwidth.estimate().kilobits_per_second(),
            queue_ms: millis(bandwidth.queue()),
        }));
    }

    /// Writes the last line; `skipped` frames were passed over while there was no session.
    pub(crate) fn finish(
        &mut self,
        skipped: u32,
        estimator: EstimatorName,
        provider: &str,
        codebook_digest: String,
    ) {
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
        self.write(SenderRecord::Summary(SenderSummary {
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
    }

    fn write(&mut self, record: SenderRecord) {
        if let Some(stats) = &mut self.stats {
            stats.write(record);
        }
    }
}

/// Milliseconds, to the microsecond.
fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
