//! How much delays change from frame to frame by themselves.
//!
//! On a path that delays datagrams by chance a frame's train is spread by that as well, and nothing
//! in one train tells the two apart. What does is that chance builds no queue: of several frames one
//! is hardly delayed, while in a queue all are.

use std::time::Duration;

/// Frames of which one is expected to see no more than the queue.
const FRAMES: usize = 5;
/// Changes of which the median is taken: fades and outages are rarer than every other frame.
const CHANGES: usize = 48;
/// Less is no jitter.
const LEAST: Duration = Duration::from_millis(3);
/// What delays may exceed their least by, in medians of their changes.
const REACH: u32 = 2;

/// Delays of the last frames, and how much they change.
#[derive(Debug, Default)]
pub struct Jitter {
    /// The newest frame.
    frame: u32,
    /// The least time in the queue of each of the last frames, in a ring.
    queues: [Option<Duration>; FRAMES],
    newest: usize,
    one_way: Changes,
    round_trip: Changes,
    trip: Option<Duration>,
}

impl Jitter {
    /// A datagram of `frame` spent so much time in the queue, or what looks like one.
    pub fn passed(&mut self, frame: u32, queue: Duration) {
        if let Some(least) = &mut self.queues[self.newest]
            && self.frame == frame
        {
            *least = queue.min(*least);
            return;
        }
        let [last, before] = [0, 1].map(|n| self.queues[(self.newest + FRAMES - n) % FRAMES]);
        if let (Some(last), Some(before)) = (last, before) {
            self.one_way.note(last.abs_diff(before));
        }
        self.frame = frame;
        self.newest = (self.newest + 1) % FRAMES;
        self.queues[self.newest] = Some(queue);
    }

    /// A report came this long after the newest datagram that it tells of had left.
    pub fn heard(&mut self, round_trip: Duration) {
        if let Some(last) = self.trip.replace(round_trip) {
            self.round_trip.note(round_trip.abs_diff(last));
        }
    }

    /// The queue that all of the last frames met.
    pub fn queue(&self) -> Duration {
        let least = self.queues.iter().flatten().min();
        least.copied().unwrap_or_default()
    }

    /// What one-way delays exceed their least by without a queue; nothing on a steady path.
    pub fn one_way(&self) -> Duration {
        self.one_way.reach()
    }

    /// The same of round trips.
    pub fn round_trip(&self) -> Duration {
        self.round_trip.reach()
    }
}

/// The last changes of something.
#[derive(Debug)]
struct Changes {
    micros: [u32; CHANGES],
    /// How many there were.
    count: usize,
    median: Duration,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            micros: [0; CHANGES],
            count: 0,
            median: Duration::ZERO,
        }
    }
}

impl Changes {
    fn note(&mut self, change: Duration) {
        let micros = u32::try_from(change.as_micros()).unwrap_or(u32::MAX);
        self.micros[self.count % CHANGES] = micros;
        self.count += 1;
        let mut sorted = self.micros;
        let sorted = &mut sorted[..self.count.min(CHANGES)];
        let middle = sorted.len() / 2;
        let (_, &mut median, _) = sorted.select_nth_unstable(middle);
        self.median = Duration::from_micros(median.into());
    }

    fn reach(&self) -> Duration {
        match self.median > LEAST {
            true => REACH * self.median,
            false => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Frames of two datagrams each that meet these queues, ms.
    fn met(queues: impl Iterator<Item = u64>) -> Jitter {
        let mut jitter = Jitter::default();
        for (frame, queue) in queues.enumerate() {
            jitter.passed(frame as u32, ms(queue));
            jitter.passed(frame as u32, ms(queue + 7));
        }
        jitter
    }

    #[test]
    fn delays_by_chance_are_jitter_and_no_queue() {
        let jitter = met((0..100).map(|frame| [0, 40, 15, 25, 10][frame % 5]));
        assert_eq!(jitter.queue(), ms(0));
        assert_eq!(jitter.one_way(), ms(2 * 15));
    }

    #[test]
    fn a_queue_is_no_jitter_even_where_a_fade_tears_at_it() {
        let fade = |frame: u64| {
            if frame % 20 < 4 {
                200 * (frame % 20)
            } else {
                12
            }
        };
        let jitter = met((0..104).map(fade).chain([12; 5]));
        assert_eq!((jitter.queue(), jitter.one_way()), (ms(12), ms(0)));
        let grows = met((0..40).map(|frame| 2 * frame));
        assert_eq!((grows.queue(), grows.one_way()), (ms(70), ms(0)));
    }

    #[test]
    fn round_trips_are_told_by_themselves() {
        let mut jitter = met([0; 60].into_iter());
        for n in 0..60 {
            jitter.heard(ms(100 + 20 * (n % 2)));
        }
        assert_eq!((jitter.one_way(), jitter.round_trip()), (ms(0), ms(40)));
        assert_eq!(Jitter::default().queue(), Duration::ZERO);
    }
}
