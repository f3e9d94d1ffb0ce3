//! Queueing delay.

use crate::record::{DatagramRow, Direction};

/// How long the own datagrams waited in the media direction, microseconds, ascending: from being
/// offered to having left the queue. Those lost behind the queue count, those lost in it do not.
pub fn delays(datagrams: &[DatagramRow]) -> Vec<u64> {
    let own = datagrams
        .iter()
        .filter(|row| row.is_own() && row.direction == Direction::Down);
    let mut delays: Vec<_> = own.filter_map(DatagramRow::queued_us).collect();
    delays.sort_unstable();
    delays
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
        assert_eq!(delays(&rows), [10, 50]);
    }
}
