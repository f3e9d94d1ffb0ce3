//! How much of something a peer may do: more is no accident, and it is cut off.

use std::time::Duration;

/// A token bucket: `rate` events a second in the long run, as many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flood {
    rate: f64,
    /// Events that are still allowed.
    left: f64,
    /// When `left` was right.
    at: Duration,
}

impl Flood {
    /// Allows `rate` events a second.
    pub fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        Self {
            rate,
            left: rate,
            at: Duration::ZERO,
        }
    }

    /// Whether an event at `now`, time since any fixed moment, is one too many. One that is costs
    /// nothing.
    pub fn is_too_much(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.left = (self.left + self.rate * since.as_secs_f64()).min(self.rate);
        let too_much = self.left < 1.0;
        if !too_much {
            self.left -= 1.0;
        }
        too_much
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `count` events, evenly spread over `span`, are too many.
    fn too_many(flood: &mut Flood, from: Duration, count: u32, span: Duration) -> usize {
        let events = (0..count).map(|number| from + span * number / count.max(1));
        events.filter(|&at| flood.is_too_much(at)).count()
    }

    #[test]
    fn bursts_and_streams_within_the_rate_pass() {
        let mut flood = Flood::new(100);
        assert_eq!(too_many(&mut flood, Duration::ZERO, 100, Duration::ZERO), 0);
        let second = Duration::from_secs(1);
        assert_eq!(too_many(&mut flood, second, 5900, 59 * second), 0);
    }

    #[test]
    fn more_does_not() {
        let mut flood = Flood::new(100);
        assert_eq!(too_many(&mut flood, Duration::ZERO, 101, Duration::ZERO), 1);
        let hour = Duration::from_secs(3600);
        let found = too_many(&mut flood, hour, 2000, Duration::from_secs(10));
        assert!((890..=905).contains(&found), "{found}");
    }

    #[test]
    fn time_that_stands_still_or_runs_back_gives_nothing() {
        let mut flood = Flood::new(1);
        assert!(!flood.is_too_much(Duration::from_secs(9)));
        assert!(flood.is_too_much(Duration::from_secs(9)));
        assert!(flood.is_too_much(Duration::ZERO));
        assert!(flood.is_too_much(Duration::from_millis(9_999)));
        assert!(!flood.is_too_much(Duration::from_secs(10)));
    }
}
