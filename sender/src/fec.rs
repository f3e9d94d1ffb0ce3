//! Whether a frame is to have parity, and how much.

use std::fmt;
use std::str::FromStr;

use crate::bandwidth::losses::Losses;
use crate::rate::PATH_OVERHEAD;

/// Whether frames may have parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fec {
    /// Never.
    #[default]
    Off,
    /// Where datagrams get lost, as [`Parting::best`] says.
    Auto,
}

const NAMES: [(&str, Fec); 2] = [("off", Fec::Off), ("auto", Fec::Auto)];

impl fmt::Display for Fec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, fec)| fec == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for Fec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        let found = found.map(|&(_, fec)| fec);
        found.ok_or_else(|| format!("{text:?} is no such thing; give off or auto"))
    }
}

/// How a frame's bytes are parted among datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// Datagrams of updates, at least 1.
    pub count: u8,
    /// Datagrams of parity.
    pub parity: u8,
}

/// Most datagrams of updates of a frame that gets parity.
const MOST: usize = 16;
/// Most datagrams of parity.
const MOST_PARITY: usize = 8;
/// Fewer bytes are not put into a datagram for the sake of parity.
const LEAST: usize = 150;
/// Quality that a share of lost datagrams costs: so many dB times its square root …
const LOSS_DB: f64 = 12.6;
/// … and what e times as many bytes give, dB.
const RATE_DB: f64 = 4.1;

impl Parting {
    /// Of `bytes` on the path, of which the picture uses `most` at most, in `count` datagrams or more,
    /// where losses come as they did: what gives the best picture. `uneven` is how much longer than the
    /// mean a frame's longest datagram is.
    ///
    /// Losses that come for want of room do not count: parity would make them worse.
    pub fn best(bytes: usize, most: usize, count: u8, uneven: f64, losses: &Losses) -> Self {
        let plain = Self { count, parity: 0 };
        let least = usize::from(count);
        let share = losses.share() * losses.random();
        if share <= 0.0 || least > MOST {
            return plain;
        }
        let score = |parting: Self, left: f64| {
            let picture = parting.picture(bytes, uneven).min(most);
            RATE_DB * (picture.max(1) as f64).ln() - LOSS_DB * left.max(0.0).sqrt()
        };
        let mut best = (score(plain, share), plain);
        let mut chain = Chain::new(share, losses.burst());
        for total in 1..=MOST + MOST_PARITY {
            chain.step();
            // Lost datagrams, on average, in frames that cannot be made whole.
            let mut left = share * total as f64;
            for parity in 0..=MOST_PARITY.min(total - 1) {
                left -= parity as f64 * chain.chance(parity);
                let count = total - parity;
                if parity > count || !(least..=MOST).contains(&count) {
                    continue;
                }
                let parting = Self {
                    count: count as u8,
                    parity: parity as u8,
                };
                if parting.picture(bytes, uneven) < count * LEAST {
                    continue;
                }
                let score = score(parting, left / total as f64);
                if score > best.0 {
                    best = (score, parting);
                }
            }
        }
        best.1
    }

    /// What is left of `bytes` on the path for the datagrams of updates, without the path's headers.
    pub fn picture(self, bytes: usize, uneven: f64) -> usize {
        let (count, parity) = (f64::from(self.count), f64::from(self.parity));
        let headers = (usize::from(self.count) + usize::from(self.parity)) * PATH_OVERHEAD;
        let room = bytes.saturating_sub(headers) as f64;
        (room * count / (count + uneven * parity)) as usize
    }
}

/// How many of the next datagrams get lost, where losses come in runs: a Markov chain of two states
/// (Gilbert 1960), begun anywhere.
struct Chain {
    /// Probability that the next one is lost, after an arrival and after a loss.
    lost: [f64; 2],
    /// Probability of so many losses, where the last datagram arrived and where it was lost.
    chances: [[f64; MOST_PARITY + 1]; 2],
}

impl Chain {
    fn new(share: f64, burst: f64) -> Self {
        let share = share.min(0.99);
        // Independent losses come in runs of 1 / (1 - share).
        let run = burst.max(1.0 / (1.0 - share));
        let again = 1.0 - 1.0 / run;
        let begins = (share / (1.0 - share) / run).min(1.0);
        let mut chances = [[0.0; MOST_PARITY + 1]; 2];
        (chances[0][0], chances[1][0]) = (1.0 - share, share);
        Self {
            lost: [begins, again],
            chances,
        }
    }

    /// One more datagram.
    fn step(&mut self) {
        let [arrived, lost] = self.chances;
        let [begins, again] = self.lost;
        for n in 0..=MOST_PARITY {
            self.chances[0][n] = arrived[n] * (1.0 - begins) + lost[n] * (1.0 - again);
            self.chances[1][n] = match n.checked_sub(1) {
                Some(fewer) => arrived[fewer] * begins + lost[fewer] * again,
                None => 0.0,
            };
        }
    }

    /// Probability of exactly `losses` so far.
    fn chance(&self, losses: usize) -> f64 {
        self.chances[0][losses] + self.chances[1][losses]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// `lost` of every `of` datagrams get lost, `run` in a row, while the queue is so long.
    fn losses(lost: u32, of: u32, run: u32, queue: Duration) -> Losses {
        let mut losses = Losses::default();
        for n in 0..40 * of * run {
            losses.note(n / run % of >= lost, queue);
        }
        losses
    }

    fn best(bytes: usize, count: u8, losses: &Losses) -> Parting {
        Parting::best(bytes, usize::MAX, count, 1.2, losses)
    }

    #[test]
    fn losses_ask_for_parity_and_more_for_more() {
        let with = |lost, of| best(2000, 4, &losses(lost, of, 1, Duration::ZERO)).parity;
        assert_eq!(best(2000, 4, &Losses::default()).parity, 0);
        assert_eq!(with(1, 400), 0, "what is rare costs less than parity");
        let some = [with(1, 30), with(1, 10), with(1, 4)];
        assert!(
            some[0] > 0 && some.is_sorted() && some[2] > some[0],
            "{some:?}"
        );
    }

    #[test]
    fn losses_for_want_of_room_ask_for_none() {
        let queue = Duration::from_millis(100);
        assert_eq!(best(2000, 4, &losses(1, 5, 1, queue)).parity, 0);
        assert!(best(2000, 4, &losses(1, 5, 1, Duration::ZERO)).parity > 0);
    }

    #[test]
    fn what_the_picture_cannot_use_goes_into_parity() {
        let few = losses(1, 60, 1, Duration::ZERO);
        let scarce = Parting::best(2000, usize::MAX, 4, 1.2, &few).parity;
        let spare = Parting::best(2000, 900, 4, 1.2, &few).parity;
        assert!(spare > scarce, "{spare} and {scarce}");
    }

    #[test]
    fn a_frame_has_no_more_than_its_bytes() {
        for queue in [Duration::ZERO, Duration::from_millis(9)] {
            for (lost, of, run) in [(1, 20, 1), (1, 5, 3), (1, 2, 1), (1, 2, 6), (9, 10, 4)] {
                let losses = losses(lost, of, run, queue);
                for bytes in [0, 100, 400, 1000, 4000, 100_000, usize::MAX >> 8] {
                    for count in [1, 2, 5, 16, 17, 255] {
                        let parting = best(bytes, count, &losses);
                        assert!(parting.count >= count, "{parting:?}");
                        assert!(parting.parity <= parting.count, "{parting:?}");
                        let picture = parting.picture(bytes, 1.2);
                        assert!(picture <= bytes);
                        let enough = usize::from(parting.count) * LEAST;
                        assert!(parting.parity == 0 || picture >= enough, "{parting:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for fec in [Fec::Off, Fec::Auto] {
            assert_eq!(fec.to_string().parse(), Ok(fec));
        }
        assert!("on".parse::<Fec>().unwrap_err().contains("off or auto"));
    }

    #[test]
    fn the_chance_of_losses_is_that_of_the_chain() {
        let (share, run) = (0.2, 1.25);
        let mut chain = Chain::new(share, run);
        for _ in 0..5 {
            chain.step();
        }
        // Such runs are those of independent losses.
        let binomial = [0.32768, 0.4096, 0.2048, 0.0512, 0.0064, 0.00032];
        for (losses, expected) in binomial.into_iter().enumerate() {
            let chance = chain.chance(losses);
            assert!((chance - expected).abs() < 1e-9, "{losses}: {chance}");
        }
        let mut bursts = Chain::new(share, 4.0);
        for _ in 0..5 {
            bursts.step();
        }
        assert!(bursts.chance(0) > 0.5 && bursts.chance(5) > 0.05);
    }
}
