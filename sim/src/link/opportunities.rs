//! Moments at which a link carries one packet's worth: the model of mahimahi.

use std::sync::Arc;

/// Bytes that an opportunity carries.
pub(super) const OPPORTUNITY: u32 = 1500;
const MILLISECOND: u64 = 1_000_000;

/// Opportunities at whole milliseconds, in a loop as long as the time of the last. They are
/// counted from 0 on, through all rounds.
#[derive(Debug, Clone)]
pub(super) struct Opportunities {
    times: Arc<[u32]>,
    /// Length of a round in ms.
    round: u64,
}

impl Opportunities {
    /// Times in ms, in order. None where the last is not after 0.
    pub(super) fn new(times: Arc<[u32]>) -> Option<Self> {
        let round = u64::from(*times.last()?);
        (round > 0).then_some(Self { times, round })
    }

    /// When the opportunity of this number comes, in nanoseconds.
    pub(super) fn time(&self, number: u64) -> u64 {
        let count = self.times.len() as u64;
        let (rounds, index) = (number / count, (number % count) as usize);
        let millis = rounds.saturating_mul(self.round) + u64::from(self.times[index]);
        millis.saturating_mul(MILLISECOND)
    }

    /// The number of the first opportunity at `at` nanoseconds or later: so many come before.
    pub(super) fn first_from(&self, at: u64) -> u64 {
        let millis = at.div_ceil(MILLISECOND);
        // The last opportunities of a round come at the same time as the first of the next.
        let rounds = millis.saturating_sub(1) / self.round;
        let rest = millis - rounds * self.round;
        let index = self.times.partition_point(|&time| u64::from(time) < rest);
        rounds * self.times.len() as u64 + index as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opportunities_are_counted_through_the_rounds() {
        let some = Opportunities::new([0, 0, 3, 10].into()).unwrap();
        let times: Vec<u64> = (0..9).map(|n| some.time(n) / MILLISECOND).collect();
        assert_eq!(times, [0, 0, 3, 10, 10, 10, 13, 20, 20]);
        for at in 0..60 {
            let at = at * MILLISECOND / 2;
            let first = (0..).find(|&n| some.time(n) >= at).unwrap();
            assert_eq!(some.first_from(at), first, "{at} ns");
        }
        assert!(Opportunities::new([0, 0].into()).is_none());
        assert!(Opportunities::new([].into()).is_none());
    }
}
