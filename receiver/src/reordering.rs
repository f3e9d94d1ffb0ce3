//! How late datagrams come behind ones of newer frames.

use std::collections::VecDeque;
use std::time::Duration;

/// Once anything was overtaken, the margin is at least this …
const LEAST: Duration = Duration::from_millis(2);
/// … and never more than this.
const MOST: Duration = Duration::from_millis(60);
/// The margin halves in so many seconds.
const HALF_LIFE: f64 = 10.0;
/// Frames whose first arrival is remembered.
const FRAMES: usize = 64;

/// The margin: how long what is missing of a frame may still come once something newer is there.
///
/// On a link that keeps the order it is 0. It grows at once to a quarter more than was needed.
#[derive(Debug)]
pub struct Reordering {
    /// Frames and when the first of their datagrams arrived, in order of these times.
    firsts: VecDeque<(u32, Duration)>,
    margin: Duration,
    /// When the margin was brought up to date.
    at: Duration,
}

impl Default for Reordering {
    fn default() -> Self {
        Self {
            firsts: VecDeque::with_capacity(FRAMES),
            margin: Duration::ZERO,
            at: Duration::ZERO,
        }
    }
}

impl Reordering {
    /// Takes the arrival of a datagram of `frame`, in time or too late.
    pub fn note(&mut self, now: Duration, frame: u32) {
        if !self.margin.is_zero() {
            let seconds = now.saturating_sub(self.at).as_secs_f64();
            let less = self.margin.mul_f64((-seconds / HALF_LIFE).exp2());
            self.margin = less.max(LEAST);
        }
        self.at = now;
        if let Some(overtaken) = self.overtaken(frame) {
            let late = now.saturating_sub(overtaken);
            let needed = late.saturating_add(late / 4).clamp(LEAST, MOST);
            self.margin = self.margin.max(needed);
        }
        if !self.firsts.iter().any(|&(of, _)| of == frame) {
            if self.firsts.len() == FRAMES {
                self.firsts.pop_front();
            }
            self.firsts.push_back((frame, now));
        }
    }

    /// When the first datagram of a frame newer than `frame` arrived.
    pub fn overtaken(&self, frame: u32) -> Option<Duration> {
        let newer = self.firsts.iter().find(|&&(of, _)| of > frame);
        newer.map(|&(_, at)| at)
    }

    /// How long after that something of the older frame may still come. It changes only as
    /// datagrams arrive.
    pub fn margin(&self) -> Duration {
        self.margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn in_order_nothing_is_waited_for() {
        let mut order = Reordering::default();
        for n in 0..500 {
            order.note(ms(10 * n), n as u32 / 3);
        }
        assert_eq!(order.margin(), ms(0));
        assert_eq!(order.overtaken(166), None);
    }

    #[test]
    fn the_margin_follows_what_was_seen() {
        let mut order = Reordering::default();
        order.note(ms(0), 1);
        order.note(ms(3), 2);
        order.note(ms(8), 1);
        assert_eq!(order.overtaken(1), Some(ms(3)));
        assert_eq!(order.overtaken(0), Some(ms(0)), "the earliest newer one");
        assert_eq!(order.margin(), ms(5) + ms(5) / 4);
        order.note(ms(8), 0);
        assert_eq!(order.margin(), ms(10));
        order.note(ms(10_008), 3);
        assert_eq!(order.margin(), ms(5), "halves in ten seconds");
        order.note(ms(100_000), 4);
        assert_eq!(order.margin(), LEAST);
        order.note(ms(200_000), 3);
        assert_eq!(order.margin(), MOST);
        let (frames, room) = (order.firsts.len(), order.firsts.capacity());
        for frame in 5..1000 {
            order.note(ms(300_000), frame);
        }
        assert_eq!((frames, order.firsts.len()), (5, FRAMES));
        assert_eq!(order.firsts.capacity(), room);
    }
}
