//! The datagrams that were sent, until reports have decided on them.

use std::collections::VecDeque;
use std::time::Duration;

/// Most datagrams that are remembered: two seconds at 20 Mbit/s. Of more the oldest is forgotten.
const MOST: usize = 4096;
/// A datagram is lost once so many that were sent later have arrived (RFC 9002, section 6.1.1).
const REORDERING: u64 = 3;

/// A datagram that has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Its frame.
    pub frame: u32,
    /// Its place in the frame.
    pub index: u8,
    /// Bytes on the path, headers included.
    pub bytes: u32,
    /// When it left.
    pub at: Duration,
}

/// What a report tells of a datagram for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The datagram.
    pub datagram: Datagram,
    /// Whether one that was sent later had arrived before.
    pub overtaken: bool,
    /// Bytes on the path of those of its frame that were sent between the one that was heard of
    /// before and this one, and did not arrive so far.
    pub missing: u32,
}

/// Which datagrams are on their way. Frames ascend, and places in a frame.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    /// Number of the first entry.
    first: u64,
    /// The number after the newest datagram that has arrived.
    arrived: u64,
    in_flight: u64,
}

#[derive(Debug)]
struct Entry {
    datagram: Datagram,
    heard: bool,
}

impl Ledger {
    /// A datagram left.
    pub fn sent(&mut self, datagram: Datagram) {
        if self.entries.len() == MOST {
            self.forget();
        }
        self.in_flight += u64::from(datagram.bytes);
        self.entries.push_back(Entry {
            datagram,
            heard: false,
        });
    }

    /// A datagram has arrived; `None` where that is known, or nothing is known of it.
    pub fn heard(&mut self, frame: u32, index: u8) -> Option<Heard> {
        let key = |entry: &Entry| (entry.datagram.frame, entry.datagram.index);
        let place = self.entries.binary_search_by_key(&(frame, index), key);
        let place = place.ok().filter(|&place| !self.entries[place].heard)?;
        self.entries[place].heard = true;
        let datagram = self.entries[place].datagram;
        let number = self.first + place as u64;
        if number < self.arrived {
            return Some(Heard {
                datagram,
                overtaken: true,
                missing: 0,
            });
        }
        let from = self.arrived.saturating_sub(self.first) as usize;
        let mut missing = 0;
        for entry in self.entries.range(from..place) {
            self.in_flight -= u64::from(entry.datagram.bytes);
            if entry.datagram.frame == frame {
                missing += entry.datagram.bytes;
            }
        }
        self.in_flight -= u64::from(datagram.bytes);
        self.arrived = number + 1;
        Some(Heard {
            datagram,
            overtaken: false,
            missing,
        })
    }

    /// Something has arrived that left at `at`: what left before is not on its way any more.
    pub fn passed(&mut self, at: Duration) {
        while let Some(entry) = self.entries.get((self.arrived - self.first) as usize)
            && entry.datagram.at < at
        {
            self.in_flight -= u64::from(entry.datagram.bytes);
            self.arrived += 1;
        }
    }

    /// The oldest datagram on which is decided, and whether it has arrived; to be asked until there
    /// is none.
    pub fn decided(&mut self) -> Option<(Datagram, bool)> {
        let first = self.entries.front()?;
        if !first.heard && self.first + REORDERING >= self.arrived {
            return None;
        }
        self.first += 1;
        let entry = self.entries.pop_front()?;
        Some((entry.datagram, entry.heard))
    }

    /// Bytes on their way: sent after the newest datagram that has arrived.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// When the oldest datagram left that is on its way.
    pub fn awaited(&self) -> Option<Duration> {
        let place = self.arrived.saturating_sub(self.first) as usize;
        self.entries.get(place).map(|entry| entry.datagram.at)
    }

    fn forget(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            if self.first >= self.arrived {
                self.in_flight -= u64::from(entry.datagram.bytes);
                self.arrived = self.first + 1;
            }
            self.first += 1;
        }
    }
}

#[cfg(test)]
impl Ledger {
    /// What is remembered.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(frame: u32, index: u8) -> Datagram {
        Datagram {
            frame,
            index,
            bytes: 100 + u32::from(index),
            at: Duration::from_millis(frame.into()),
        }
    }

    fn ledger(frames: u32, count: u8) -> Ledger {
        let mut ledger = Ledger::default();
        for frame in 0..frames {
            for index in 0..count {
                ledger.sent(datagram(frame, index));
            }
        }
        ledger
    }

    #[test]
    fn what_was_sent_before_the_newest_arrival_is_not_on_its_way() {
        let mut ledger = ledger(2, 3);
        assert_eq!(ledger.in_flight(), 606);
        let heard = ledger.heard(0, 2).unwrap();
        assert_eq!((heard.overtaken, heard.missing), (false, 201));
        assert_eq!(ledger.in_flight(), 303);
        assert!(ledger.heard(0, 1).unwrap().overtaken);
        assert_eq!(ledger.in_flight(), 303);
        // Only what misses of its own frame says anything about the time its datagrams took.
        assert_eq!(ledger.heard(1, 1).unwrap().missing, 100);
        assert_eq!(ledger.in_flight(), 102);
    }

    #[test]
    fn three_later_arrivals_make_a_loss() {
        let mut ledger = ledger(1, 6);
        for index in [1, 2] {
            ledger.heard(0, index);
            assert_eq!(ledger.decided(), None);
        }
        ledger.heard(0, 3);
        let decided: Vec<_> = std::iter::from_fn(|| ledger.decided()).collect();
        let expected = [(0, false), (1, true), (2, true), (3, true)];
        assert_eq!(decided, expected.map(|(n, came)| (datagram(0, n), came)));
        assert_eq!(ledger.heard(0, 0), None, "too late");
    }

    #[test]
    fn what_left_before_something_that_arrived_is_not_on_its_way() {
        let mut ledger = ledger(3, 2);
        ledger.passed(Duration::from_millis(2));
        assert_eq!(ledger.in_flight(), 201);
        assert!(ledger.heard(0, 1).unwrap().overtaken);
        ledger.passed(Duration::from_secs(1));
        ledger.passed(Duration::ZERO);
        assert_eq!(ledger.in_flight(), 0);
        let decided = std::iter::from_fn(|| ledger.decided()).count();
        assert_eq!(decided, 3, "the last three are still in doubt");
    }

    #[test]
    fn nothing_is_told_twice_and_nothing_unknown() {
        let mut ledger = ledger(2, 2);
        assert!(ledger.heard(1, 0).is_some());
        for (frame, index) in [(1, 0), (1, 2), (7, 0)] {
            assert_eq!(ledger.heard(frame, index), None, "{frame}.{index}");
        }
    }

    proptest! {
        #[test]
        fn bytes_on_their_way_are_those_after_the_newest_arrival(
            steps in prop::collection::vec((any::<bool>(), 0u32..400, 0u8..4), 0..600),
        ) {
            let mut ledger = Ledger::default();
            let mut sent: Vec<Datagram> = Vec::new();
            let mut newest = None;
            for (send, frame, index) in steps {
                if send {
                    let next = sent.len() as u32;
                    let datagram = datagram(next / 4, (next % 4) as u8);
                    sent.push(datagram);
                    ledger.sent(datagram);
                } else if ledger.heard(frame, index).is_some() {
                    newest = newest.max(Some((frame, index)));
                }
                while ledger.decided().is_some() {}
                let after = sent.iter().filter(|d| Some((d.frame, d.index)) > newest);
                prop_assert_eq!(ledger.in_flight(), after.map(|d| u64::from(d.bytes)).sum::<u64>());
            }
        }

        #[test]
        fn memory_is_bounded(count in 0usize..10_000) {
            let mut ledger = Ledger::default();
            for frame in 0..count {
                ledger.sent(datagram(frame as u32, 0));
            }
            prop_assert_eq!(ledger.in_flight(), 100 * count.min(MOST) as u64);
            prop_assert!(ledger.entries.len() <= MOST);
        }
    }
}
