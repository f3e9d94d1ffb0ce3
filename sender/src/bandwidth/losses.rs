//! Which losses are the path's own, and how they come.
//!
//! A datagram that is lost while the queue is short was not lost for want of room: such losses say
//! nothing about the rate, and the bytes have used the path all the same. Unless the queue is never long because
//! the path drops what is too much: that is for [`Ceiling`](super::ceiling::Ceiling) to find out.

use std::time::Duration;

/// Weight of a datagram in the means.
const WEIGHT: f64 = 0.02;
/// Weight of a run of losses in their mean length.
const RUN_WEIGHT: f64 = 0.1;
/// A queue shorter than this overflows nowhere.
pub(super) const SHORT_QUEUE: Duration = Duration::from_millis(15);
/// Below this share losses are not told apart.
const FEW: f64 = 0.01;

/// Running means of losses.
#[derive(Debug)]
pub struct Losses {
    /// Share of all datagrams.
    all: f64,
    /// The same, where only losses with a short queue are noted.
    short: f64,
    /// The path's own are no more than this share.
    most: f64,
    /// Mean length of runs.
    run: f64,
    /// Losses since the last arrival.
    running: u32,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            all: 0.0,
            short: 0.0,
            most: 1.0,
            run: 1.0,
            running: 0,
        }
    }
}

impl Losses {
    /// A datagram arrived or not, in order of sending, while the queue was about so long.
    pub fn note(&mut self, arrived: bool, queue: Duration) {
        if arrived && self.running > 0 {
            self.run += RUN_WEIGHT * (f64::from(self.running) - self.run);
            self.running = 0;
        }
        self.running += u32::from(!arrived);
        let lost = if arrived { 0.0 } else { 1.0 };
        self.all += WEIGHT * (lost - self.all);
        if queue < SHORT_QUEUE {
            self.short += WEIGHT * (lost - self.short);
        }
    }

    /// The path's own are known to be no more than this share; nothing where that is not known.
    pub fn limit(&mut self, most: Option<f64>) {
        self.most = most.unwrap_or(1.0);
    }

    /// Share of datagrams lost, 0 to 1.
    pub fn share(&self) -> f64 {
        self.all
    }

    /// How much of the losses is the path's own, 0 to 1.
    pub fn random(&self) -> f64 {
        if self.all < FEW {
            0.0
        } else {
            (self.short.min(self.most) / self.all).min(1.0)
        }
    }

    /// Mean number of datagrams that are lost in a row, at least 1.
    pub fn burst(&self) -> f64 {
        self.run.max(1.0)
    }

    /// In so many datagrams a frame is lost altogether with probability `chance` at most, where losses
    /// come as they did: a Markov chain of two states (Gilbert 1960). Up to `most`.
    pub fn datagrams(&self, chance: f64, most: u8) -> u8 {
        // Losses that are independent come in runs of 1 / (1 - share).
        let run = self.burst().max(1.0 / (1.0 - self.all.min(0.99)));
        let again = 1.0 - 1.0 / run;
        let mut none = self.all;
        let mut count = 1;
        while none > chance && count < most {
            none *= again;
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_millis(100);

    #[test]
    fn losses_with_a_long_queue_are_not_the_paths_own() {
        let mut losses = Losses::default();
        for n in 0..1000 {
            losses.note(n % 5 != 0, SHORT);
        }
        assert!((losses.share() - 0.2).abs() < 0.03);
        assert!(losses.random() > 0.99);
        for n in 0..1000 {
            losses.note(true, SHORT);
            losses.note(n % 5 != 0, LONG);
        }
        assert!(losses.random() < 0.1, "{}", losses.random());
        for _ in 0..1000 {
            losses.note(true, SHORT);
        }
        assert_eq!(losses.random(), 0.0, "nothing is lost any more");
    }

    #[test]
    fn bursts_ask_for_more_datagrams() {
        let with = |lost: u32, of: u32, runs: u32| {
            let mut losses = Losses::default();
            for n in 0..50 * of * runs {
                losses.note(n / runs % of >= lost, SHORT);
            }
            losses
        };
        assert_eq!(Losses::default().datagrams(0.01, 12), 1);
        let half = with(1, 2, 1);
        assert!((half.burst() - 1.0).abs() < 0.01);
        let bursts = with(1, 2, 4);
        assert!((bursts.burst() - 4.0).abs() < 0.2, "{}", bursts.burst());
        assert!((6..=8).contains(&half.datagrams(0.01, 12)));
        assert_eq!(bursts.datagrams(0.01, 12), 12);
    }
}
