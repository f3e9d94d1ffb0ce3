//! What was sent and not heard of.

use std::{collections::BTreeMap, time::Duration};

use goog_cc::{
    transport::{PacketResult, SentPacket},
    units::Timestamp,
};

use super::units::{self, timestamp};

/// Most datagrams that are remembered. Of more the oldest is forgotten.
const MOST: usize = 1 << 14;

#[derive(Debug)]
struct Sent {
    packet: SentPacket,
    reported_lost: bool,
}

/// The sender's side of transport-wide feedback, as libwebrtc's `TransportFeedbackAdapter` has it.
/// Datagrams go by numbers that ascend in the order of sending.
#[derive(Debug, Default)]
pub(super) struct History {
    sent: BTreeMap<u64, Sent>,
    /// Bytes later than the newest arrival.
    in_flight: u64,
    newest: Option<u64>,
}

impl History {
    /// A datagram was sent as `sequence`; says what is then in flight in the packet, too.
    pub(super) fn add(&mut self, sequence: u64, packet: &mut SentPacket) {
        if self.sent.len() == MOST {
            self.forget();
        }
        self.in_flight += units::bytes(packet.size);
        packet.data_in_flight = units::size(self.in_flight);
        let reported_lost = false;
        self.sent.insert(
            sequence,
            Sent {
                packet: *packet,
                reported_lost,
            },
        );
    }

    /// Bytes sent after the newest datagram known to have arrived.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Results of the datagrams that have arrived, in order of arrival, and of those that are
    /// missing before them; empty if no arrival is news.
    pub(super) fn results(&mut self, arrivals: &[(u64, Duration)]) -> Vec<PacketResult> {
        let mut received = Vec::new();
        for &(sequence, at) in arrivals {
            if self.sent.contains_key(&sequence) {
                self.advance(sequence);
            }
            if let Some(sent) = self.sent.remove(&sequence) {
                received.push(result(sent.packet, Some(at)));
            }
        }
        let Some(newest) = self.newest.filter(|_| !received.is_empty()) else {
            return Vec::new();
        };
        let missing = self
            .sent
            .range_mut(..newest)
            .filter(|(_, sent)| !sent.reported_lost);
        let lost = missing.map(|(_, sent)| {
            sent.reported_lost = true;
            result(sent.packet, None)
        });
        received.extend(lost);
        received
    }

    fn forget(&mut self) {
        if let Some((sequence, sent)) = self.sent.pop_first()
            && self.newest.is_none_or(|newest| sequence > newest)
        {
            self.in_flight -= units::bytes(sent.packet.size);
        }
    }

    /// Takes everything up to `sequence` out of flight.
    fn advance(&mut self, sequence: u64) {
        if self.newest.is_some_and(|newest| sequence <= newest) {
            return;
        }
        let from = self.newest.map_or(0, |newest| newest + 1);
        for (_, sent) in self.sent.range(from..=sequence) {
            self.in_flight -= units::bytes(sent.packet.size);
        }
        self.newest = Some(sequence);
    }
}

fn result(sent_packet: SentPacket, received: Option<Duration>) -> PacketResult {
    PacketResult {
        sent_packet,
        receive_time: received.map_or(Timestamp::plus_infinity(), timestamp),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(sequences: std::ops::Range<u64>) -> History {
        let mut history = History::default();
        for sequence in sequences {
            let mut packet = SentPacket {
                sequence_number: sequence as i64,
                size: units::size(100),
                ..Default::default()
            };
            history.add(sequence, &mut packet);
            assert_eq!(units::bytes(packet.data_in_flight), history.in_flight());
        }
        history
    }

    fn told(history: &mut History, arrived: &[u64]) -> Vec<(i64, bool)> {
        let arrivals: Vec<_> = arrived
            .iter()
            .map(|&n| (n, Duration::from_millis(n)))
            .collect();
        let results = history.results(&arrivals);
        results
            .iter()
            .map(|r| (r.sent_packet.sequence_number, r.is_received()))
            .collect()
    }

    #[test]
    fn what_is_missing_is_reported_once_and_may_still_arrive() {
        let mut history = history(0..10);
        assert_eq!(history.in_flight(), 1000);
        let expected = [(0, true), (2, true), (1, false)];
        assert_eq!(told(&mut history, &[0, 2]), expected);
        assert_eq!(history.in_flight(), 700);
        assert_eq!(told(&mut history, &[3, 1]), [(3, true), (1, true)]);
        assert_eq!(told(&mut history, &[3, 1]), []);
        assert_eq!(told(&mut history, &[]), []);
        assert_eq!(told(&mut history, &[1 << 40]), [], "it was never sent");
        assert_eq!(history.in_flight(), 600);
        assert_eq!(told(&mut history, &[9]).len(), 6);
        assert_eq!(history.in_flight(), 0);
    }

    #[test]
    fn what_was_sent_long_ago_is_forgotten() {
        let mut history = history(0..20_000);
        assert_eq!(history.in_flight(), 100 * MOST as u64);
        assert_eq!(told(&mut history, &[19_999]).len(), MOST);
        assert_eq!(history.in_flight(), 0);
    }
}
