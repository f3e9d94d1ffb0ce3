//! When frames are shown, so that they follow each other as they were captured although the
//! network delays them unequally.
//!
//! Of every frame it is known when it was captured, on the sender's clock, and when it was ready,
//! on the receiver's. The least difference over some seconds is the delay that cannot be avoided; the
//! delay that 95 of the last 100 frames keep to is the one to show them at, if it is no more than
//! the latency above the least. So nothing waits on a steady link, whatever the latency is. A late
//! frame is shown at once, and none is waited for. How the delay rises and falls is in `clock`.
//!
//! ```text
//! ready ──► Playout::ready ──► wake ──► Playout::next ──► on the screen, or superseded
//! ```

mod clock;

use std::collections::VecDeque;
use std::time::Duration;

use clock::Clock;

/// Pictures that may wait; one more makes the oldest come early.
const MOST: usize = 32;
/// Frames are late from here on; less is not seen.
const LATE: Duration = Duration::from_millis(5);
/// The longest latency.
pub const MAX_LATENCY: Duration = Duration::from_secs(1);

/// A frame that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready<T> {
    /// Frame number.
    pub number: u32,
    /// When it was captured, 100 µs since the session began, 24 bits, wrapping.
    pub capture: u32,
    /// When it was ready.
    pub at: Duration,
    /// The picture.
    pub picture: T,
}

/// A frame whose wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due<T> {
    /// Frame number.
    pub number: u32,
    /// The picture.
    pub picture: T,
    /// Since it was ready.
    pub wait: Duration,
    /// Whether it was ready over 5 ms after its time.
    pub late: bool,
    /// Whether it is to be shown; otherwise a newer one is due as well, or was shown.
    pub shown: bool,
}

/// What became of the frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames shown.
    pub shown: u32,
    /// Frames that were ready over 5 ms after their time.
    pub late: u32,
    /// Frames that were not shown because a newer one was due, or shown already.
    pub superseded: u32,
}

/// Pictures of a session that wait for their time; see the module. Times are since any fixed
/// moment and do not run backwards.
#[derive(Debug)]
pub struct Playout<T> {
    /// None where nothing waits.
    clock: Option<Clock>,
    /// In order of their numbers, at most [`MOST`].
    waiting: VecDeque<Waiting<T>>,
    /// The newest that was due.
    newest: Option<u32>,
    counts: Counts,
}

#[derive(Debug)]
struct Waiting<T> {
    ready: Ready<T>,
    late: bool,
    due: Duration,
}

impl<T> Playout<T> {
    /// One that lets no frame wait longer than `latency`, at most [`MAX_LATENCY`]. Zero shows every
    /// frame at once and leaves none out.
    pub fn new(latency: Duration) -> Self {
        let latency = latency.min(MAX_LATENCY);
        Self {
            clock: (!latency.is_zero()).then(|| Clock::new(latency)),
            waiting: VecDeque::with_capacity(MOST),
            newest: None,
            counts: Counts::default(),
        }
    }

    /// Takes a frame that is ready; gives back one that will not be shown: this one where a newer
    /// one was shown, or the oldest where nobody asked for what is due.
    pub fn ready(&mut self, ready: Ready<T>) -> Option<Due<T>> {
        let newest = self.waiting.back().map(|it| it.ready.number);
        if newest.max(self.newest) >= Some(ready.number) {
            let waiting = Waiting {
                due: ready.at,
                late: true,
                ready,
            };
            return Some(self.settle(waiting, Duration::ZERO, false));
        }
        let mut due = ready.at;
        let mut late = false;
        if let Some(clock) = &mut self.clock {
            let turn = clock.turn(ready.at, ready.capture);
            due += turn.wait;
            late = turn.late > LATE;
        }
        let crowded = self.waiting.len() == MOST;
        let oldest = crowded.then(|| self.waiting.pop_front()).flatten();
        self.waiting.push_back(Waiting { ready, late, due });
        if self.waiting.len() == MOST {
            self.waiting[0].due = Duration::ZERO;
        }
        oldest.map(|oldest| self.settle(oldest, Duration::ZERO, false))
    }

    /// The next frame that is due at `now`; call it until it gives `None`.
    pub fn next(&mut self, now: Duration) -> Option<Due<T>> {
        let last = self.waiting.iter().rposition(|it| it.due <= now)?;
        let first = self.waiting.pop_front()?;
        self.newest = Some(first.ready.number);
        let wait = now.saturating_sub(first.ready.at);
        // Without a clock every frame is shown.
        let shown = last == 0 || self.clock.is_none();
        Some(self.settle(first, wait, shown))
    }

    /// When [`Self::next`] has something; may have passed.
    pub fn wake(&self) -> Option<Duration> {
        self.waiting.iter().map(|it| it.due).min()
    }

    /// What became of the frames so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn settle(&mut self, waiting: Waiting<T>, wait: Duration, shown: bool) -> Due<T> {
        let Waiting { ready, late, .. } = waiting;
        let count = if shown {
            &mut self.counts.shown
        } else {
            &mut self.counts.superseded
        };
        *count += 1;
        self.counts.late += u32::from(late);
        Due {
            number: ready.number,
            picture: ready.picture,
            wait,
            late,
            shown,
        }
    }
}

#[cfg(test)]
mod tests;
