//! Delays as the tables give them.

use serde::Serialize;

/// The median and the 95th percentile of delays, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Delay {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
}

impl Delay {
    /// Of delays in microseconds; none of no delays.
    pub(crate) fn of(mut delays: Vec<u64>) -> Option<Self> {
        delays.sort_unstable();
        // Nearest rank: the smallest value that at least this share does not exceed.
        let rank = |percent: usize| {
            let index = (delays.len() * percent).div_ceil(100).max(1) - 1;
            delays.get(index).map(|&us| us as f64 / 1000.0)
        };
        Some(Self {
            p50: rank(50)?,
            p95: rank(95)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_that_was_seen_is_taken() {
        let of = |delays: Vec<u64>| Delay::of(delays).map(|delay| (delay.p50, delay.p95));
        assert_eq!(of((1..=100).rev().collect()), Some((0.05, 0.095)));
        assert_eq!(of(vec![7000, 1000]), Some((1.0, 7.0)));
        assert_eq!(of(vec![7000]), Some((7.0, 7.0)));
        assert_eq!(of(Vec::new()), None);
    }
}
