//! What came and wants to be acknowledged, with quinn's choice of when.

use std::time::Duration;

use raq_shared::quic::PACKETS_PER_ACK;

use super::{
    ranges::{Ranges, varint},
    recovery::{GRANULARITY, MAX_ACK_DELAY},
};

/// How finely delays are told, as a power of two of microseconds: the default of RFC 9000.
const EXPONENT: u32 = 3;

/// An ACK frame.
#[derive(Debug, Clone)]
pub(super) struct Ack {
    /// Packets that came.
    pub(super) ranges: Ranges,
    /// Since the newest of them.
    pub(super) delay: Duration,
}

impl Ack {
    /// Its length (RFC 9000, section 19.3), bytes.
    pub(super) fn bytes(&self) -> u32 {
        let delay = self.delay.as_micros() as u64 >> EXPONENT;
        1 + varint(delay) + self.ranges.bytes()
    }
}

/// The receiving state of a connection.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// All that came.
    seen: Ranges,
    /// Of that, what the other end does not know to be acknowledged.
    unheard: Ranges,
    /// Packets since the last acknowledgement that want one, and when the first of them came.
    owed: u32,
    first: Option<Duration>,
    at_once: bool,
    /// The newest packet, and when it came.
    newest: (u64, Duration),
    /// From when on acknowledgements ride along with other things.
    rides: Option<Duration>,
}

impl Acks {
    /// Takes note of a packet; whether it is new.
    pub(super) fn received(&mut self, now: Duration, number: u64, wants: bool) -> bool {
        if self.seen.contains(number) {
            return false;
        }
        self.seen.insert(number);
        self.unheard.insert(number);
        if number >= self.newest.0 {
            self.newest = (number, now);
        }
        if !wants {
            return true;
        }
        self.owed += 1;
        self.at_once |= self.owed >= PACKETS_PER_ACK;
        if self.first.is_none() && !self.at_once {
            self.first = Some(now);
            self.rides = Some(now);
        }
        true
    }

    /// What just came wants an acknowledgement at once.
    pub(super) fn hurry(&mut self) {
        self.at_once = true;
    }

    /// When an acknowledgement must go.
    pub(super) fn wake(&self) -> Option<Duration> {
        match self.at_once {
            true => Some(Duration::ZERO),
            false => self.first.map(|first| first + MAX_ACK_DELAY),
        }
    }

    /// Whether it must go by `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.wake().is_some_and(|at| at <= now)
    }

    /// Whether it may go along with something else.
    pub(super) fn may_ride(&self, now: Duration) -> bool {
        self.unheard.largest().is_some() && self.rides.is_some_and(|at| at <= now)
    }

    /// The acknowledgement to send now.
    pub(super) fn frame(&self, now: Duration) -> Ack {
        Ack {
            ranges: self.unheard.clone(),
            delay: now.saturating_sub(self.newest.1),
        }
    }

    /// It was sent.
    pub(super) fn sent(&mut self, now: Duration, round_trip: Duration) {
        self.owed = 0;
        self.first = None;
        self.at_once = false;
        self.rides = Some(now + round_trip + MAX_ACK_DELAY + GRANULARITY);
    }

    /// The other end has got an acknowledgement that went up to this packet.
    pub(super) fn heard(&mut self, largest: u64) {
        self.unheard.remove_to(largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn many_packets_are_acknowledged_at_once_and_a_few_later() {
        let mut acks = Acks::default();
        assert!(acks.received(at(10), 0, true) && !acks.received(at(11), 0, true));
        assert_eq!(acks.wake(), Some(at(35)));
        assert!(!acks.is_due(at(34)) && acks.may_ride(at(10)));
        // In whatever order, and with gaps.
        for number in (1..15).rev() {
            acks.received(at(12), 2 * number, true);
        }
        assert!(!acks.is_due(at(12)));
        acks.received(at(12), 1, true);
        assert!(acks.is_due(at(12)));
        assert_eq!(acks.frame(at(13)).delay, at(1));
        acks.sent(at(13), at(50));
        assert_eq!(acks.wake(), None);
        // Until the other end may have heard of it.
        assert!(!acks.may_ride(at(88)) && acks.may_ride(at(89)));
        acks.heard(28);
        assert!(!acks.may_ride(at(89)));
        // One that wants none is named all the same.
        acks.received(at(90), 29, false);
        assert!(acks.wake().is_none() && acks.may_ride(at(90)));
        assert_eq!(acks.frame(at(90)).bytes(), 5);
    }
}
