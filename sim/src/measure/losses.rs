//! Lost datagrams, by cause.

use super::share;
use crate::record::{DatagramRow, Direction, Loss};

/// Shares of the own datagrams offered to the media direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Losses {
    /// Lost to the queue: caused by sending too much.
    pub queue_share: Option<f64>,
    /// Lost at random, which nobody can help.
    pub random_share: Option<f64>,
    /// Lost while the link was away.
    pub outage_share: Option<f64>,
}

impl Losses {
    /// Of all flows.
    pub fn of(datagrams: &[DatagramRow]) -> Self {
        let own = |row: &&DatagramRow| row.is_own() && row.direction == Direction::Down;
        let offered = datagrams.iter().filter(own).count() as f64;
        let lost = |cause| {
            let lost = datagrams
                .iter()
                .filter(own)
                .filter(|row| row.lost == Some(cause));
            share(lost.count() as f64, offered)
        };
        Self {
            queue_share: lost(Loss::Queue),
            random_share: lost(Loss::Random),
            outage_share: lost(Loss::Outage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::datagram;
    use super::*;
    use crate::record::Kind;

    #[test]
    fn causes_are_told_apart_and_cross_traffic_is_not_ours() {
        let mut rows = vec![datagram(0); 12];
        for (row, cause) in rows
            .iter_mut()
            .zip([Loss::Queue, Loss::Random, Loss::Random])
        {
            row.lost = Some(cause);
        }
        for row in &mut rows[10..] {
            row.kind = Kind::Cross;
            row.lost = Some(Loss::Queue);
        }
        let losses = Losses::of(&rows);
        assert_eq!(losses.queue_share, Some(0.1));
        assert_eq!(losses.random_share, Some(0.2));
        assert_eq!(losses.outage_share, Some(0.0));
        assert_eq!(Losses::of(&[]).queue_share, None);
    }
}
