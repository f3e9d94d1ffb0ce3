//! Queueing delay.

use crate::record::{DatagramRow, Direction};

/// How long the own bytes waited in the media direction: from being offered to having left the
/// queue. Those lost behind the queue count, those lost in it do not.
///
/// Bytes are counted, not rows: datagrams that share a packet are rows of their own where the mode
/// can tell them apart, and bare acknowledgements, which are small, hardly count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delays {
    /// Microseconds and bytes, ascending.
    sorted: Vec<(u64, u64)>,
    bytes: u64,
}

impl Delays {
    /// Of the records of a policy.
    pub fn of(datagrams: &[DatagramRow]) -> Self {
        let own = datagrams
            .iter()
            .filter(|row| row.is_own() && row.direction == Direction::Down);
        let mut sorted: Vec<_> = own
            .filter_map(|row| Some((row.queued_us()?, u64::from(row.bytes))))
            .collect();
        sorted.sort_unstable();
        let bytes = sorted.iter().map(|(_, bytes)| bytes).sum();
        Self { sorted, bytes }
    }

    /// What `percent` of the bytes, above 0 and at most 100, do not exceed, microseconds (nearest
    /// rank); none where nothing left the queue.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        let wanted = self.bytes as f64 * percent / 100.0;
        let mut below = 0;
        let found = self.sorted.iter().find(|(_, bytes)| {
            below += bytes;
            below as f64 >= wanted
        });
        found
            .or_else(|| self.sorted.last())
            .map(|(delay, _)| *delay)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::datagram;
    use super::*;
    use crate::record::{Kind, Loss};

    #[test]
    fn only_own_datagrams_that_left_count() {
        let mut rows = [1, 2, 3, 4, 5].map(|n| DatagramRow {
            left_us: Some(1000 * n + 10 * n),
            ..datagram(1000 * n)
        });
        rows[1].kind = Kind::Cross;
        rows[2].direction = Direction::Up;
        rows[3].left_us = None;
        rows[3].lost = Some(Loss::Queue);
        rows[4].lost = Some(Loss::Random);
        rows[4].bytes = 9 * rows[0].bytes;
        let delays = Delays::of(&rows);
        let found = [1.0, 10.0, 10.1, 50.0, 100.0].map(|percent| delays.percentile(percent));
        assert_eq!(found, [10, 10, 50, 50, 50].map(Some));
        assert_eq!(Delays::of(&rows[1..4]).percentile(50.0), None);
    }
}
