//! How fast the path takes a frame's datagrams: from the spread they arrive with.
//!
//! A frame leaves as a *train* of datagrams faster than the path is thought to be. Where the path is
//! the narrower, it spreads them, and their bytes over that spread are what it carries; where it is
//! not, they arrive as they left, and all that is known is that it carries as much. One train is
//! too short to say much on a path that serves in bursts, so the bytes and spreads of several
//! are added up before they are divided (SQP, arXiv 2207.11857; Pudica, NSDI 2024; how many:
//! shared/docs/RATE.md).

use std::collections::VecDeque;
use std::time::Duration;

/// Frames that are added up.
const POOL: usize = 5;
/// Spread that comes with clocks and schedulers, as a share of that at departure …
const SLACK: f64 = 1.05;
/// … and besides.
const JITTER: Duration = Duration::from_micros(500);

/// What the trains say of the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It carries so many bytes per second.
    Carries(f64),
    /// It carries at least so many.
    AtLeast(f64),
}

/// The last frames' trains.
#[derive(Debug, Default)]
pub struct Trains {
    trains: VecDeque<Train>,
}

#[derive(Debug)]
struct Train {
    frame: u32,
    /// On the path, after those that `got` begins with.
    bytes: f64,
    /// From the first arrival, or where the path was busy from the one before it, to the last, s.
    got: f64,
    /// The same of departures, s.
    sent: f64,
    /// The last of them.
    last: Passage,
}

/// A datagram's departure and arrival, each on its own end's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// When it left.
    pub sent: Duration,
    /// When it arrived.
    pub arrived: Duration,
}

impl Trains {
    /// A datagram of `frame` passed in order, `bytes` of it since the one before on the path. `busy`
    /// is when the datagram before it arrived, where the path was busy from then on; it matters for the
    /// first of a frame only. Says whether that adds to what is known.
    pub fn note(
        &mut self,
        frame: u32,
        bytes: f64,
        passage: Passage,
        busy: Option<Duration>,
    ) -> bool {
        if let Some(train) = self.trains.back_mut()
            && train.frame == frame
        {
            let since = |a: Duration, b: Duration| a.saturating_sub(b).as_secs_f64();
            train.bytes += bytes;
            train.got += since(passage.arrived, train.last.arrived);
            train.sent += since(passage.sent, train.last.sent);
            train.last = passage;
            return true;
        }
        if self.trains.len() == POOL {
            self.trains.pop_front();
        }
        let got = busy.map(|from| passage.arrived.saturating_sub(from).as_secs_f64());
        self.trains.push_back(Train {
            frame,
            bytes: got.map_or(0.0, |_| bytes),
            got: got.unwrap_or(0.0),
            sent: 0.0,
            last: passage,
        });
        got.is_some()
    }

    /// What they say together; nothing where no frame had two datagrams.
    pub fn verdict(&self) -> Option<Verdict> {
        let sum = |of: fn(&Train) -> f64| self.trains.iter().map(of).sum::<f64>();
        let (bytes, got, sent) = (sum(|t| t.bytes), sum(|t| t.got), sum(|t| t.sent));
        if bytes <= 0.0 {
            return None;
        }
        // Datagrams that are read out of a socket at once have no spread at all.
        let rate = bytes / got.max(1e-6);
        let spread = got > SLACK * sent + JITTER.as_secs_f64();
        Some(match spread {
            true => Verdict::Carries(rate),
            false => Verdict::AtLeast(rate),
        })
    }

    /// Forgets all: the path is another one now.
    pub fn clear(&mut self) {
        self.trains.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trains of five datagrams of 1000 bytes, 33 ms apart, that leave and arrive at these rates in
    /// bytes per second.
    fn trains(frames: u32, sent: f64, got: f64) -> Trains {
        let mut trains = Trains::default();
        for frame in 0..frames {
            let start = Duration::from_millis(33 * u64::from(frame));
            for n in 0..5 {
                let passage = Passage {
                    sent: start + Duration::from_secs_f64(f64::from(n) * 1000.0 / sent),
                    arrived: start + Duration::from_secs_f64(0.05 + f64::from(n) * 1000.0 / got),
                };
                assert_eq!(trains.note(frame, 1000.0, passage, None), n > 0);
            }
        }
        trains
    }

    #[test]
    fn a_narrow_path_shows_its_rate_and_a_wide_one_that_it_is_wide() {
        let Some(Verdict::Carries(rate)) = trains(3, 200e3, 100e3).verdict() else {
            panic!("the trains were spread");
        };
        assert!((rate - 100e3).abs() < 1.0, "{rate}");
        let Some(Verdict::AtLeast(rate)) = trains(3, 200e3, 200e3).verdict() else {
            panic!("the trains were not spread");
        };
        assert!((rate - 200e3).abs() < 1.0, "{rate}");
        // Shorter than they left: they had waited together.
        let verdict = trains(1, 200e3, 400e3).verdict();
        assert!(matches!(verdict, Some(Verdict::AtLeast(_))), "{verdict:?}");
    }

    #[test]
    fn only_the_last_frames_count() {
        let mut trains = trains(20, 200e3, 100e3);
        for frame in 20..20 + POOL as u32 {
            for n in 0..2 {
                let at = Duration::from_millis(u64::from(33 * frame + 20 * n));
                let passage = Passage {
                    sent: Duration::from_millis(u64::from(33 * frame)),
                    arrived: at,
                };
                trains.note(frame, 1000.0, passage, None);
            }
        }
        let Some(Verdict::Carries(rate)) = trains.verdict() else {
            panic!("spread");
        };
        assert!((rate - 50e3).abs() < 1.0, "{rate}");
    }

    #[test]
    fn one_datagram_says_nothing_unless_the_path_was_busy() {
        let mut trains = Trains::default();
        let at = Duration::from_millis;
        let passage = |sent, arrived| Passage {
            sent: at(sent),
            arrived: at(arrived),
        };
        assert!(!trains.note(0, 500.0, passage(0, 50), None));
        assert_eq!(trains.verdict(), None);
        assert!(trains.note(1, 500.0, passage(33, 100), Some(at(50))));
        assert_eq!(trains.verdict(), Some(Verdict::Carries(10_000.0)));
        trains.clear();
        assert_eq!(trains.verdict(), None);
    }
}
