//! When to try another socket: a router may have forgotten the way of this one, or hold it to a
//! network that is gone. QUIC moves the connection along (RFC 9000, 9), but not before the
//! handshake is confirmed (RFC 9001, 4.1.2): one whose way changed within it is lost.

use std::time::Duration;

/// Silence after which something is wrong: both ends speak every 3 s when there is nothing to say.
const SILENCE: Duration = Duration::from_secs(5);
/// The same for who does not want to wait any longer.
const HURRY: Duration = Duration::from_secs(2);
/// From one socket to the next: quinn still listens at the one before, so that answers which are only
/// late find their way, but not at the one before that.
const AGAIN: Duration = Duration::from_secs(20);
/// How long the receiver may take to confirm the handshake, at least, and in round trips: either is
/// enough for what completes it to be sent three times.
const CONFIRMATION: Duration = Duration::from_secs(3);
const CONFIRMATION_ROUND_TRIPS: u32 = 8;

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// How many packets have come.
    pub(crate) packets: u64,
    /// Whether the receiver has confirmed the handshake.
    pub(crate) confirmed: bool,
}

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Stay,
    /// Try another socket.
    Move,
    /// Give it up: the receiver has not completed the handshake, and hears this end no more.
    Leave,
}

/// Watches what comes.
#[derive(Debug)]
pub(crate) struct Lookout {
    packets: u64,
    due: Duration,
    /// Until when the handshake is to be confirmed; none where it is.
    confirmation: Option<Duration>,
}

impl Lookout {
    /// Of a connection made at `now`.
    pub(crate) fn new(now: Duration, rtt: Duration) -> Self {
        Self {
            packets: 0,
            due: now + SILENCE,
            confirmation: Some(now + CONFIRMATION.max(rtt * CONFIRMATION_ROUND_TRIPS)),
        }
    }

    /// When to look again, at the latest.
    pub(crate) fn deadline(&self) -> Duration {
        self.confirmation.map_or(self.due, |at| at.min(self.due))
    }

    /// From `now` on a short silence is enough.
    pub(crate) fn hurry(&mut self, now: Duration) {
        self.due = self.due.min(now + HURRY);
    }

    /// What to do at `now`.
    pub(crate) fn look(&mut self, now: Duration, seen: Seen) -> Advice {
        if seen.confirmed {
            self.confirmation = None;
        }
        if self.confirmation.is_some_and(|at| now >= at) {
            return Advice::Leave;
        }
        if seen.packets != self.packets {
            self.packets = seen.packets;
            self.due = now + SILENCE;
            return Advice::Stay;
        }
        if now < self.due {
            return Advice::Stay;
        }
        self.due = now + AGAIN;
        // Before it is confirmed, nothing is heard from another address either.
        match self.confirmation {
            None => Advice::Move,
            Some(_) => Advice::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// With packets that have come over a confirmed connection.
    fn moves(lookout: &mut Lookout, seconds: u64, packets: u64) -> bool {
        let confirmed = true;
        match lookout.look(at(seconds), Seen { packets, confirmed }) {
            Advice::Stay => false,
            Advice::Move => true,
            Advice::Leave => panic!("{lookout:?} at {seconds}"),
        }
    }

    fn lookout(seconds: u64) -> Lookout {
        Lookout::new(at(seconds), Duration::from_millis(80))
    }

    #[test]
    fn a_long_silence_is_met_with_other_sockets_now_and_then() {
        let mut lookout = lookout(100);
        let mut packets = 1;
        let mut tries = Vec::new();
        for seconds in 100..200 {
            if !(110..150).contains(&seconds) {
                packets += 7;
            }
            if moves(&mut lookout, seconds, packets) {
                tries.push(seconds);
            }
        }
        assert_eq!(tries, [114, 134]);
    }

    #[test]
    fn who_is_in_a_hurry_waits_for_a_short_silence_only() {
        let mut lookout = lookout(0);
        assert!(moves(&mut lookout, 5, 0));
        lookout.hurry(at(6));
        assert!(!moves(&mut lookout, 7, 0));
        assert!(moves(&mut lookout, 8, 0));
        // An answer is worth waiting for the rest.
        lookout.hurry(at(9));
        assert!(!moves(&mut lookout, 10, 1) && !moves(&mut lookout, 14, 1));
        assert_eq!(lookout.deadline(), at(15));
    }

    #[test]
    fn it_asks_to_be_looked_at_when_silence_becomes_too_long() {
        let mut lookout = lookout(1);
        assert!(!moves(&mut lookout, 2, 9));
        let due = lookout.deadline();
        assert_eq!(due, at(2) + SILENCE);
        let seen = Seen {
            packets: 9,
            confirmed: true,
        };
        assert_eq!(
            lookout.look(due - Duration::from_nanos(1), seen),
            Advice::Stay
        );
        assert_eq!(lookout.look(due, seen), Advice::Move);
        assert!(lookout.deadline() > due);
        let answer = Seen {
            packets: 10,
            ..seen
        };
        assert_eq!(lookout.look(lookout.deadline(), answer), Advice::Stay);
    }

    /// A program that was stopped looks late, and then what came meanwhile has been read.
    #[test]
    fn a_late_look_is_one_look() {
        let mut lookout = lookout(1);
        assert!(moves(&mut lookout, 1000, 0));
        assert!(!moves(&mut lookout, 1000, 0));
    }

    /// Packets may well come: the receiver repeats its half of the handshake.
    #[test]
    fn a_handshake_that_is_not_confirmed_is_left() {
        for (rtt, patience) in [(80, 3), (1000, 8)] {
            let mut lookout = Lookout::new(at(1), Duration::from_millis(rtt));
            let mut seen = Seen {
                packets: 3,
                confirmed: false,
            };
            assert_eq!(lookout.look(at(1), seen), Advice::Stay);
            for seconds in 1..=patience {
                seen.packets += seconds % 2;
                assert_eq!(lookout.look(at(seconds), seen), Advice::Stay);
                assert!(lookout.deadline() <= at(1 + patience));
            }
            let confirmed = Seen {
                confirmed: true,
                ..seen
            };
            let mut late = Lookout::new(at(1), Duration::from_millis(rtt));
            assert_eq!(lookout.look(at(1 + patience), seen), Advice::Leave);
            assert_eq!(late.look(at(1 + patience), confirmed), Advice::Stay);
        }
    }
}
