//! Delays as the tables give them.

use std::collections::HashMap;

use raq_shared::stats::{FrameDecoded, FrameSent};
use serde::Serialize;

/// The median and the 95th percentile of delays, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Delay {
    /// Half of them are not longer.
    pub p50: f64,
    /// 95 of 100 are not longer.
    pub p95: f64,
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

    /// From the capture of frames to their picture; none where no frame arrived.
    pub fn between(sent: &[FrameSent], decoded: &[FrameDecoded]) -> Option<Self> {
        Self::of_each(sent, decoded, |sent, decoded| {
            decoded.shown_unix_us.checked_sub(sent.capture_unix_us)
        })
    }

    /// The part of that which the programs take: without the time from the end of coding to the
    /// arrival, in which datagrams leave as fast as the path carries them.
    pub(crate) fn added(sent: &[FrameSent], decoded: &[FrameDecoded]) -> Option<Self> {
        Self::of_each(sent, decoded, |sent, decoded| {
            let coding = sent.coded_unix_us.checked_sub(sent.capture_unix_us)?;
            let showing = decoded.shown_unix_us.checked_sub(decoded.arrived_unix_us)?;
            Some(coding + showing)
        })
    }

    /// Of what `delay` gives, in microseconds, of frames that arrived.
    fn of_each(
        sent: &[FrameSent],
        decoded: &[FrameDecoded],
        delay: impl Fn(&FrameSent, &FrameDecoded) -> Option<u64>,
    ) -> Option<Self> {
        let sent: HashMap<_, _> = sent.iter().map(|frame| (frame.frame, frame)).collect();
        let delays = decoded
            .iter()
            .filter_map(|frame| delay(sent.get(&frame.frame)?, frame));
        Self::of(delays.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sample::{decoded, sent};

    #[test]
    fn a_delay_that_was_seen_is_taken() {
        let of = |delays: Vec<u64>| Delay::of(delays).map(|delay| (delay.p50, delay.p95));
        assert_eq!(of((1..=100).rev().collect()), Some((0.05, 0.095)));
        assert_eq!(of(vec![7000, 1000]), Some((1.0, 7.0)));
        assert_eq!(of(vec![7000]), Some((7.0, 7.0)));
        assert_eq!(of(Vec::new()), None);
    }

    #[test]
    fn delays_are_joined_by_frame_number() {
        let all: Vec<_> = (0..100)
            .map(|n| sent(n, 1_000_000 * u64::from(n)))
            .collect();
        // Frame n takes n ms; frame 50 is lost.
        let shown: Vec<_> = (0..100u32)
            .rev()
            .filter(|&n| n != 50)
            .map(|n| decoded(n, 1_001_000 * u64::from(n)))
            .collect();
        assert_eq!(
            Delay::between(&all, &shown),
            Some(Delay {
                p50: 49.0,
                p95: 95.0
            })
        );
        assert_eq!(Delay::between(&all, &[]), None);
        assert_eq!(
            Delay::between(&all[..1], &[decoded(0, 7000)]),
            Some(Delay { p50: 7.0, p95: 7.0 })
        );
    }

    #[test]
    fn what_the_path_takes_is_not_added() {
        let (mut sent, mut decoded) = (sent(3, 10_000), decoded(3, 90_000));
        (sent.coded_unix_us, decoded.arrived_unix_us) = (15_000, 70_000);
        let all = Delay::between(&[sent.clone()], &[decoded.clone()]);
        assert_eq!(all.map(|delay| delay.p50), Some(80.0));
        let added = Delay::added(&[sent], &[decoded]);
        assert_eq!(added.map(|delay| delay.p50), Some(25.0));
    }
}
