//! How long a frame waits.

use std::collections::VecDeque;
use std::time::Duration;

/// Microseconds of a unit of the wire's capture times.
const UNIT: i64 = 100;
/// After so long they begin anew (24 bits), microseconds.
const WRAP: i64 = UNIT << 24;
/// The least delay is that of so long, microseconds. Clocks that drift apart by 200 ppm move by
/// 2 ms in it, so nothing else corrects for them.
const WINDOW: i64 = 10_000_000;
/// The most delays that are kept.
const KEPT: usize = 600;
/// Jitter is measured over so many frames.
const JUDGED: usize = 100;
/// Frames of a hundred that should be ready in time.
const IN_TIME: usize = 95;
/// The delay falls by no more than a tenth of the time that passes, as in libwebrtc (VCMTiming,
/// `kDelayMaxChangeMsPerS`); it rises at once. One that follows every frame makes gaps by the
/// hundred (moq-dev/moq #3477).
const FALL: i64 = 10;
/// Frames in a row that are late by more than any network delays them: one of the clocks has
/// jumped.
const JUMP: i64 = 10_000_000;
const JUMPED: usize = 3;

/// Learns the delay from capture to being ready; see [`super`].
#[derive(Debug)]
pub(super) struct Clock {
    latency: i64,
    /// In order of time, no older than [`WINDOW`], at most [`KEPT`].
    seen: VecDeque<Seen>,
    /// From capture until a frame is shown, receiver's clock less sender's.
    target: i64,
    /// Frames in a row that lie behind by more than [`JUMP`].
    jumped: usize,
    /// Room to sort in.
    sorted: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: i64,
    /// Receiver's clock when it was ready less sender's when it was captured.
    offset: i64,
}

/// When a frame is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// So long after it was ready.
    pub(super) wait: Duration,
    /// So long before it was ready its time had come.
    pub(super) late: Duration,
}

impl Clock {
    /// One that lets no frame wait longer than `latency`.
    pub(super) fn new(latency: Duration) -> Self {
        Self {
            latency: micros(latency),
            seen: VecDeque::with_capacity(KEPT),
            target: 0,
            jumped: 0,
            sorted: Vec::with_capacity(JUDGED),
        }
    }

    /// A frame captured at `capture` (100 µs, 24 bits) is ready at `ready`.
    pub(super) fn turn(&mut self, ready: Duration, capture: u32) -> Turn {
        let at = micros(ready);
        let elapsed = self.seen.back().map_or(0, |last| at - last.at);
        while self.seen.len() == KEPT || self.seen.front().is_some_and(|it| it.at < at - WINDOW) {
            self.seen.pop_front();
        }
        let raw = at - i64::from(capture) * UNIT;
        let least = self.least().unwrap_or(raw);
        let offset = least + wrapped(raw - least);
        let behind = offset > least + JUMP;
        self.jumped = if behind { self.jumped + 1 } else { 0 };
        let ahead = offset < least - self.latency;
        if self.seen.is_empty() || ahead || self.jumped == JUMPED {
            self.seen.clear();
            self.jumped = 0;
            self.target = offset;
        }
        let late = (offset - self.target).max(0);
        self.seen.push_back(Seen { at, offset });
        let least = self.least().unwrap_or(offset);
        self.follow(least, elapsed);
        let wait = (self.target - offset).clamp(0, self.latency);
        Turn {
            wait: Duration::from_micros(wait as u64),
            late: Duration::from_micros(late as u64),
        }
    }

    fn least(&self) -> Option<i64> {
        self.seen.iter().map(|it| it.offset).min()
    }

    /// Moves the target towards the delay at which frames are in time.
    fn follow(&mut self, least: i64, elapsed: i64) {
        let most = least + self.latency;
        let judged = self.seen.iter().rev().take(JUDGED).map(|it| it.offset);
        self.sorted.clear();
        // Those that are late anyway are no reason to let others wait.
        self.sorted.extend(judged.filter(|&offset| offset <= most));
        let count = self.sorted.len();
        if count > 0 {
            let place = (count * IN_TIME).div_ceil(100) - 1;
            let (_, &mut wanted, _) = self.sorted.select_nth_unstable(place);
            self.target = wanted.max(self.target - elapsed / FALL);
        }
        self.target = self.target.clamp(least, most);
    }
}

/// The difference of two times that are known but for multiples of [`WRAP`]: the one next to zero.
fn wrapped(difference: i64) -> i64 {
    (difference + WRAP / 2).rem_euclid(WRAP) - WRAP / 2
}

/// At most a few ten thousand years, so that sums do not overflow.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).map_or(i64::MAX / 8, |it| it.min(i64::MAX / 8))
}
