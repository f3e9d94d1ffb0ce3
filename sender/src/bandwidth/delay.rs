//! How long datagrams wait on the path: their delay above the least one seen.
//!
//! The two ends' clocks have different zeroes and may differ in speed, so the least delay is looked
//! for in a window that moves on, and what is old in it is moved by the drift of the clocks.

use std::collections::VecDeque;
use std::time::Duration;

/// Time over which delays are kept together.
const BUCKET: Duration = Duration::from_millis(500);
/// In this time a path is expected to be without a queue once.
pub const WINDOW: Duration = Duration::from_secs(10);
/// A queue that others build is seen against what was long before.
pub const MEMORY: Duration = Duration::from_secs(300);
/// A queue stands that does not go away for so long.
const STANDING: Duration = Duration::from_secs(1);
/// Clocks of computers differ by no more, s per s.
const MOST_DRIFT: f64 = 200e-6;
/// Delays so many buckets apart are compared to learn of the drift …
const DRIFT_SPAN: usize = 60;
/// … and so many pairs of them must agree …
const DRIFT_PAIRS: usize = 40;
/// … to this, µs per s: where queues come and go they do not.
const DRIFT_SPREAD: f64 = 40.0;

/// As many as there are in that time, and those at its ends.
const MOST: usize = (MEMORY.as_millis() / BUCKET.as_millis()) as usize + 2;

/// The least delays of the last minutes.
#[derive(Debug)]
pub struct Delay {
    buckets: VecDeque<Bucket>,
    /// How much the receiver's clock gains on ours, µs per s.
    drift: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// When it began, on the sender's clock.
    start: Duration,
    /// Least difference of the two clocks' times, µs.
    one_way: i64,
    /// Least round trip, without the time a report was held back.
    round_trip: Duration,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            buckets: VecDeque::with_capacity(MOST),
            drift: 0.0,
        }
    }
}

impl Delay {
    /// A datagram that left at `sent` arrived when the other clock was at `arrived`, and that was
    /// known a round trip after it left. Time is the sender's, `now`.
    pub fn note(&mut self, now: Duration, one_way: i64, round_trip: Duration) {
        match self.buckets.back_mut() {
            Some(last) if now < last.start + BUCKET => {
                last.one_way = last.one_way.min(one_way);
                last.round_trip = last.round_trip.min(round_trip);
            }
            _ => {
                self.learn_drift();
                self.buckets.push_back(Bucket {
                    start: now,
                    one_way,
                    round_trip,
                });
            }
        }
        while let Some(first) = self.buckets.front()
            && now > first.start + MEMORY
        {
            self.buckets.pop_front();
        }
    }

    /// Time in the queue of a datagram with this difference of times, against the least of the last
    /// `window`.
    pub fn queue(&self, one_way: i64, window: Duration) -> Duration {
        let least = self.least(window).unwrap_or(one_way);
        Duration::from_micros(u64::try_from(one_way.saturating_sub(least)).unwrap_or(0))
    }

    /// The queue that stood all through the last second, against the least delay of the last minutes.
    pub fn standing(&self) -> Duration {
        let least = self.least(STANDING);
        least.map_or(Duration::ZERO, |least| self.queue(least, MEMORY))
    }

    /// Least round trip of the last `window`.
    pub fn round_trip(&self, window: Duration) -> Option<Duration> {
        self.since(window).map(|bucket| bucket.round_trip).min()
    }

    /// What was long ago is not to be compared with any more: the path is another one.
    pub fn forget_before(&mut self, window: Duration) {
        let kept = self.since(window).count();
        self.buckets.drain(..self.buckets.len() - kept);
    }

    fn since(&self, window: Duration) -> impl Iterator<Item = &Bucket> {
        let newest = self.buckets.back().map_or(Duration::ZERO, |b| b.start);
        let recent = move |bucket: &&Bucket| newest < bucket.start + window;
        self.buckets.iter().filter(recent)
    }

    /// The least difference, as it would be now.
    fn least(&self, window: Duration) -> Option<i64> {
        let newest = self.buckets.back()?.start;
        let moved = |bucket: &Bucket| {
            let age = newest.saturating_sub(bucket.start).as_secs_f64();
            bucket.one_way.saturating_add((self.drift * age) as i64)
        };
        self.since(window).map(moved).min()
    }

    /// Takes the median of what the last pairs of delays some time apart say, if most of them agree. The
    /// clocks drift all the time alike, so what was learnt stays true when they do not.
    fn learn_drift(&mut self) {
        let Some(first) = self.buckets.len().checked_sub(DRIFT_SPAN + DRIFT_PAIRS) else {
            return;
        };
        let mut slopes = [0.0; DRIFT_PAIRS];
        for (n, slope) in slopes.iter_mut().enumerate() {
            let (a, b) = (
                &self.buckets[first + n],
                &self.buckets[first + n + DRIFT_SPAN],
            );
            let time = b.start.saturating_sub(a.start).as_secs_f64();
            *slope = b.one_way.saturating_sub(a.one_way) as f64 / time.max(1.0);
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let [low, middle, high] = [1, 2, 3].map(|quarter| slopes[quarter * DRIFT_PAIRS / 4]);
        if high - low < DRIFT_SPREAD {
            self.drift = middle.clamp(-MOST_DRIFT * 1e6, MOST_DRIFT * 1e6);
        }
    }
}

#[cfg(test)]
impl Delay {
    /// What is remembered.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Delays every 100 ms for `seconds`, in µs by the time.
    fn delays(seconds: u32, of: impl Fn(f64) -> f64) -> Delay {
        let mut delay = Delay::default();
        for n in 0..seconds * 10 {
            let now = f64::from(n) / 10.0;
            delay.note(at(now), of(now) as i64, at(0.1));
        }
        delay
    }

    #[test]
    fn the_queue_is_what_is_above_the_least_delay() {
        let delay = delays(5, |now| {
            if now < 1.0 {
                -7_000_000.0
            } else {
                -6_960_000.0
            }
        });
        assert_eq!(delay.queue(-6_960_000, WINDOW), at(0.04));
        assert_eq!(delay.queue(-7_000_000, WINDOW), Duration::ZERO);
        assert_eq!(delay.queue(-9_000_000, WINDOW), Duration::ZERO);
        assert_eq!(delay.round_trip(WINDOW), Some(at(0.1)));
    }

    #[test]
    fn what_is_long_ago_counts_only_as_standing() {
        let delay = delays(20, |now| if now < 1.0 { 0.0 } else { 50_000.0 });
        assert_eq!(delay.queue(50_000, WINDOW), Duration::ZERO);
        assert_eq!(delay.standing(), at(0.05));
        let mut delay = delay;
        delay.forget_before(WINDOW);
        assert_eq!(delay.standing(), Duration::ZERO);
    }

    #[test]
    fn clocks_that_drift_are_no_queue() {
        for drift in [-150.0, 100.0, 200.0] {
            // Every third delay sees a queue, of up to 30 ms.
            let queue =
                |now: f64| f64::from(u8::from(((now * 10.0) as u32).is_multiple_of(3))) * 30e3;
            let delay = delays(600, |now| now * drift + queue(now));
            let now = 600.0 * drift;
            for (queue, found) in [
                (0.0, delay.queue(now as i64, WINDOW)),
                (0.02, delay.queue((now + 20e3) as i64, WINDOW)),
                (0.0, delay.standing()),
            ] {
                let off = found.as_secs_f64() - queue;
                assert!(off.abs() < 0.001, "{off} s off at {drift} ppm");
            }
        }
    }

    #[test]
    fn a_queue_that_swings_teaches_no_drift() {
        let swings = |now: f64| 150e3 + 80e3 * (now / 3.0).sin();
        let delay = delays(250, |now| if now < 20.0 { 0.0 } else { swings(now) });
        let standing = delay.standing().as_secs_f64();
        assert!((0.06..0.24).contains(&standing), "{standing}");
        assert!(delay.queue(0, MEMORY) < at(0.001));
    }

    #[test]
    fn memory_is_bounded_whatever_the_times() {
        let mut delay = Delay::default();
        for n in 0..100_000u64 {
            delay.note(Duration::from_millis(100 * n), i64::MIN + n as i64, at(1.0));
            delay.note(Duration::from_millis(100 * n), i64::MAX, at(1.0));
        }
        assert!(delay.buckets.len() <= MOST, "{}", delay.buckets.len());
        assert!(delay.queue(i64::MAX, WINDOW) > Duration::ZERO);
    }
}
