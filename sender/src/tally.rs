//! The records of `--stats`, and the sums that end them.

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::stats::{FrameSent, SenderRecord, SenderSummary, StatsFile, used};

use crate::clock::Clock;
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
    stats: StatsFile,
    times: VecDeque<Times>,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    pub(crate) fn new(clock: Clock, stats: StatsFile) -> Self {
        Self {
            clock,
            stats,
            times: VecDeque::new(),
            first: None,
            last: Duration::ZERO,
        }
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
        self.stats.write(SenderRecord::Frame(FrameSent {
            frame: sent.number,
            capture_unix_us: self.clock.unix_us(sent.captured),
            sent_unix_us: self.clock.unix_us(now),
            level: sent.level,
            codewords: used(&sent.codewords),
            budget: sent.budget,
            bytes: sent.bytes,
            datagrams: sent.datagrams,
            left: sent.left,
            encode_ms: millis(encode),
            code_ms: millis(code),
        }));
    }

    /// Writes the last line.
    pub(crate) fn finish(&mut self, counts: &Counts, provider: &str, codebook_digest: String) {
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
        self.stats.write(SenderRecord::Summary(SenderSummary {
            frames_sent: counts.frames_sent,
            frames_skipped: counts.frames_skipped,
            bytes: counts.bytes,
            seconds: (seconds * 1e6).round() / 1e6,
            provider: provider.to_owned(),
            codebook_digest,
            codebook_shipped: counts.codebook_shipped,
        }));
    }
}

/// Milliseconds, to the microsecond.
fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
