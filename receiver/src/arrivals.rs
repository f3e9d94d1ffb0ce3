//! When datagrams arrived, until two reports have told it.

use std::time::Duration;

use raq_shared::tile::scene::Arrivals;
use raq_shared::wire::report::{Arrival, Echo, MAX_ARRIVALS, MAX_HELD};

/// The longest that an arrival waits for a report.
const PATIENCE: Duration = Duration::from_millis(20);
/// So many arrivals do not wait for more: a report tells of as many of the report before, too.
const ENOUGH: usize = MAX_ARRIVALS / 2;
/// Frames of which arrivals are told apart; what comes of older ones is not logged.
const FRAMES: usize = 64;

/// Datagrams of a frame that have arrived.
#[derive(Debug, Clone, Copy)]
struct Seen {
    frame: u32,
    arrived: Arrivals,
}

/// The arrivals that reports tell of: each in the report after it and in the next one.
#[derive(Debug)]
pub struct ArrivalLog {
    /// By the lowest bits of the frame number.
    seen: Vec<Option<Seen>>,
    /// What the last report was the first to tell.
    told: Vec<Arrival>,
    /// What no report has told, and since when.
    untold: Vec<Arrival>,
    waiting: Option<Duration>,
    /// Send time of the newest arrival, 100 µs, and when it was.
    newest: Option<(u32, Duration)>,
}

impl Default for ArrivalLog {
    fn default() -> Self {
        Self {
            seen: vec![None; FRAMES],
            told: Vec::with_capacity(MAX_ARRIVALS),
            untold: Vec::with_capacity(MAX_ARRIVALS),
            waiting: None,
            newest: None,
        }
    }
}

impl ArrivalLog {
    /// Takes the arrival of a datagram at `now`, by its frame and its place in it, those of parity
    /// last, that left at `sent`, 100 µs; false where it came before, or is of a frame that is long past.
    pub fn note(&mut self, now: Duration, frame: u32, index: u8, sent: u32) -> bool {
        let slot = &mut self.seen[frame as usize % FRAMES];
        let seen = slot.get_or_insert(Seen {
            frame,
            arrived: Arrivals::default(),
        });
        if seen.frame < frame {
            seen.frame = frame;
            seen.arrived = Arrivals::default();
        }
        if seen.frame > frame || !seen.arrived.insert(index) {
            return false;
        }
        if self.untold.len() == MAX_ARRIVALS {
            self.untold.remove(0);
        }
        self.untold.push(Arrival {
            frame: frame as u16,
            index,
            at: now.as_micros() as u32,
        });
        self.waiting.get_or_insert(now);
        self.newest = Some((sent & 0x00ff_ffff, now));
        true
    }

    /// Something that left at `sent`, 100 µs, arrived at `now`: the next report, which is due at once,
    /// gives that time back.
    pub fn beat(&mut self, now: Duration, sent: u32) {
        self.newest = Some((sent & 0x00ff_ffff, now));
        self.waiting = Some(now.saturating_sub(PATIENCE));
    }

    /// When a report should tell of what arrived.
    pub fn due(&self) -> Option<Duration> {
        let patience = if self.untold.len() < ENOUGH {
            PATIENCE
        } else {
            Duration::ZERO
        };
        self.waiting.map(|since| since + patience)
    }

    /// What a report made at `now` tells: the newest arrival's send time, and arrivals.
    pub fn tell(&mut self, now: Duration) -> (Echo, Vec<Arrival>) {
        let echo = self.newest.map(|(sent, at)| Echo {
            sent,
            held: now.saturating_sub(at).min(MAX_HELD),
        });
        let room = MAX_ARRIVALS - self.untold.len();
        let again = &self.told[self.told.len().saturating_sub(room)..];
        let arrivals = [again, &self.untold].concat();
        std::mem::swap(&mut self.told, &mut self.untold);
        self.untold.clear();
        self.waiting = None;
        (echo.unwrap_or_default(), arrivals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn note(log: &mut ArrivalLog, now: Duration, frame: u32, index: u8) -> bool {
        log.note(now, frame, index, 0x0100_0010)
    }

    #[test]
    fn an_arrival_is_told_in_two_reports() {
        let mut log = ArrivalLog::default();
        assert_eq!(log.tell(ms(0)), (Echo::default(), vec![]));
        assert_eq!(log.due(), None);
        assert!(note(&mut log, ms(10), 0, 1));
        assert!(note(&mut log, ms(12), 0, 0));
        assert_eq!(log.due(), Some(ms(30)));
        let arrival = |index, at| Arrival {
            frame: 0,
            index,
            at,
        };
        let (one, two, three) = (arrival(1, 10_000), arrival(0, 12_000), arrival(2, 40_000));
        let (echo, arrivals) = log.tell(ms(15));
        // The sum wraps.
        let held = ms(3);
        assert_eq!(echo, Echo { sent: 0x10, held });
        assert_eq!(arrivals, [one, two]);
        assert_eq!(log.due(), None, "nothing is untold");
        note(&mut log, ms(40), 0, 2);
        assert_eq!(log.tell(ms(40)).1, [one, two, three]);
        assert_eq!(log.tell(ms(50)).1, [three]);
        let (echo, arrivals) = log.tell(ms(60));
        assert_eq!((echo.held, arrivals), (ms(20), vec![]));
    }

    #[test]
    fn what_comes_twice_counts_once() {
        let mut log = ArrivalLog::default();
        assert!(note(&mut log, ms(1), 70, 3));
        assert!(!note(&mut log, ms(2), 70, 3));
        assert!(note(&mut log, ms(2), 70, 4));
        assert!(note(&mut log, ms(3), 7, 3), "another frame");
        assert!(!note(&mut log, ms(4), 6, 3), "frame 70 is 64 newer");
        assert_eq!(log.tell(ms(5)).1.len(), 3);
        assert!(!note(&mut log, ms(6), 70, 3), "told already");
        assert!(note(&mut log, ms(7), 134, 3));
    }

    #[test]
    fn many_do_not_wait_and_only_the_newest_are_kept() {
        let mut log = ArrivalLog::default();
        for index in 0..31 {
            note(&mut log, ms(1), 0, index);
        }
        assert_eq!(log.due(), Some(ms(21)));
        note(&mut log, ms(2), 0, 31);
        assert_eq!(log.due(), Some(ms(1)));
        assert_eq!(log.tell(ms(2)).1.len(), 32);
        for index in 32..250 {
            note(&mut log, ms(3), 0, index);
        }
        for _ in 0..2 {
            let told: Vec<_> = log.tell(ms(4)).1.iter().map(|it| it.index).collect();
            assert_eq!(told, (186..250).collect::<Vec<_>>());
        }
    }
}
