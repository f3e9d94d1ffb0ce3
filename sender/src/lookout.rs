//! When to try another socket: a router may have forgotten the way of this one, or hold it to a
//! network that is gone. QUIC moves the connection along (RFC 9000, 9).

use std::time::Duration;

/// Silence after which something is wrong: both ends speak every 3 s when there is nothing to say.
const SILENCE: Duration = Duration::from_secs(5);
/// The same for who does not want to wait any longer.
const HURRY: Duration = Duration::from_secs(2);
/// From one socket to the next: quinn still listens at the one before, so that answers which are only
/// late find their way, but not at the one before that.
const AGAIN: Duration = Duration::from_secs(20);

/// Watches how many packets have come.
#[derive(Debug)]
pub(crate) struct Lookout {
    packets: u64,
    due: Duration,
}

impl Lookout {
    /// Of a connection made at `now`.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            packets: 0,
            due: now + SILENCE,
        }
    }

    /// When to look again, at the latest.
    pub(crate) fn deadline(&self) -> Duration {
        self.due
    }

    /// From `now` on a short silence is enough.
    pub(crate) fn hurry(&mut self, now: Duration) {
        self.due = self.due.min(now + HURRY);
    }

    /// Whether another socket is to be tried at `now`, where `packets` have come so far.
    pub(crate) fn look(&mut self, now: Duration, packets: u64) -> bool {
        if packets != self.packets {
            self.packets = packets;
            self.due = now + SILENCE;
            return false;
        }
        let silent = now >= self.due;
        if silent {
            self.due = now + AGAIN;
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_long_silence_is_met_with_other_sockets_now_and_then() {
        let mut lookout = Lookout::new(at(100));
        let mut packets = 1;
        let mut tries = Vec::new();
        for seconds in 100..200 {
            if !(110..150).contains(&seconds) {
                packets += 7;
            }
            if lookout.look(at(seconds), packets) {
                tries.push(seconds);
            }
        }
        assert_eq!(tries, [114, 134]);
    }

    #[test]
    fn who_is_in_a_hurry_waits_for_a_short_silence_only() {
        let mut lookout = Lookout::new(at(0));
        assert!(lookout.look(at(5), 0));
        lookout.hurry(at(6));
        assert!(!lookout.look(at(7), 0));
        assert!(lookout.look(at(8), 0));
        // An answer is worth waiting for the rest.
        lookout.hurry(at(9));
        assert!(!lookout.look(at(10), 1) && !lookout.look(at(14), 1));
        assert_eq!(lookout.deadline(), at(15));
    }

    #[test]
    fn it_asks_to_be_looked_at_when_silence_becomes_too_long() {
        let mut lookout = Lookout::new(at(1));
        assert!(!lookout.look(at(2), 9));
        let due = lookout.deadline();
        assert_eq!(due, at(2) + SILENCE);
        assert!(!lookout.look(due - Duration::from_nanos(1), 9));
        assert!(lookout.look(due, 9));
        assert!(lookout.deadline() > due);
        assert!(!lookout.look(lookout.deadline(), 10), "an answer came");
    }

    /// A program that was stopped looks late, and then what came meanwhile has been read.
    #[test]
    fn a_late_look_is_one_look() {
        let mut lookout = Lookout::new(at(1));
        assert!(lookout.look(at(1000), 0));
        assert!(!lookout.look(at(1000), 0));
    }
}
