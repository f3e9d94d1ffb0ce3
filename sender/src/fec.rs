//! Whether a frame is to have parity, and how much.

use std::fmt;
use std::str::FromStr;

use crate::bandwidth::losses::Losses;

/// Whether frames may have parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fec {
    /// Never.
    #[default]
    Off,
    /// Where datagrams get lost and the path carries more than frames take, beyond `--max-rate` as well;
    /// see [`parity`].
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

/// From this share of losses on frames are to have parity …
const LOSSY: f64 = 0.02;
/// … and from this on where they come in bursts: in runs of so many on average.
const FEW: f64 = 0.005;
const BURST: f64 = 1.5;
/// Share of datagrams that may be lost all the same.
const LEFT: f64 = 0.002;
/// Most datagrams of parity of a frame.
pub const MOST: u8 = 8;

/// How many datagrams of parity a frame of `count` is to have, where there is room for `room`: as few as
/// leave little lost, if losses come in runs as they did, otherwise all. None where hardly anything gets
/// lost. Losses for want of room do not count: parity would make them worse.
pub fn parity(count: u8, room: u8, losses: &Losses) -> u8 {
    let share = losses.share() * losses.random();
    let bursts = losses.burst() >= BURST && share >= FEW;
    if count == 0 || !(share >= LOSSY || bursts) {
        return 0;
    }
    let most = room.min(MOST).min(u8::MAX - count);
    let enough = (0..most).find(|&parity| left(count, parity, share, losses.burst()) <= LEFT);
    enough.unwrap_or(most)
}

/// Share of datagrams that are lost in frames which cannot be made whole.
fn left(count: u8, parity: u8, share: f64, burst: f64) -> f64 {
    let mut chain = Chain::new(share, burst);
    let total = u32::from(count) + u32::from(parity);
    for _ in 0..total {
        chain.step();
    }
    let made: f64 = (0..=parity.min(MOST))
        .map(|lost| f64::from(lost) * chain.chance(lost.into()))
        .sum();
    (share - made / f64::from(total)).max(0.0)
}

/// How many of the next datagrams get lost, where losses come in runs: a Markov chain of two states
/// (Gilbert 1960), begun anywhere.
struct Chain {
    /// Probability that the next one is lost, after an arrival and after a loss.
    lost: [f64; 2],
    /// Probability of so many losses, where the last datagram arrived and where it was lost.
    chances: [[f64; MOST as usize + 1]; 2],
}

impl Chain {
    fn new(share: f64, burst: f64) -> Self {
        let share = share.min(0.99);
        // Independent losses come in runs of 1 / (1 - share).
        let run = burst.max(1.0 / (1.0 - share));
        let again = 1.0 - 1.0 / run;
        let begins = (share / (1.0 - share) / run).min(1.0);
        let mut chances = [[0.0; MOST as usize + 1]; 2];
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
        for n in 0..=usize::from(MOST) {
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

    /// The last `lost` of every `of` datagrams get lost, `run` in a row, while the queue is so long; then
    /// one arrives.
    fn losses(lost: u32, of: u32, run: u32, queue: Duration) -> Losses {
        let mut losses = Losses::default();
        for n in 0..40 * of * run {
            losses.note(n / run % of < of - lost, queue);
        }
        losses.note(true, queue);
        losses
    }

    const SHORT: Duration = Duration::ZERO;

    #[test]
    fn losses_ask_for_parity_and_more_for_more() {
        let with = |lost, of, run| parity(4, 9, &losses(lost, of, run, SHORT));
        assert_eq!(parity(4, 9, &Losses::default()), 0);
        assert_eq!(with(1, 400, 1), 0, "hardly any");
        let some = [with(1, 30, 1), with(1, 10, 1), with(1, 4, 1)];
        assert!(
            some[0] > 0 && some.is_sorted() && some[2] > some[0],
            "{some:?}"
        );
        assert!(
            with(1, 10, 3) > with(1, 10, 1),
            "bursts take several at once"
        );
        assert!(
            with(1, 100, 3) > with(1, 100, 1),
            "bursts count from fewer on"
        );
        assert_eq!(with(9, 10, 1), MOST);
    }

    #[test]
    fn there_is_no_more_than_there_is_room_for() {
        for (lost, of, run) in [(1, 20, 1), (1, 5, 3), (1, 2, 1), (9, 10, 4), (1, 1, 9)] {
            let losses = losses(lost, of, run, SHORT);
            for count in [0, 1, 2, 16, 250, 255] {
                for room in [0, 1, 5, 255] {
                    let parity = parity(count, room, &losses);
                    assert!(parity <= room.min(MOST));
                    assert!(count.checked_add(parity).is_some());
                }
            }
        }
    }

    #[test]
    fn losses_for_want_of_room_ask_for_none() {
        let queue = Duration::from_millis(100);
        assert_eq!(parity(4, 9, &losses(1, 5, 1, queue)), 0);
        assert!(parity(4, 9, &losses(1, 5, 1, SHORT)) > 0);
    }

    #[test]
    fn what_is_left_is_what_lies_beyond_the_parity() {
        // Two datagrams and one of parity, each lost with 0.2, independently: in 3 · 0.2² · 0.8 cases two
        // of the three get lost, in 0.2³ all.
        let expected = (2.0 * 0.096 + 3.0 * 0.008) / 3.0;
        assert!((left(2, 1, 0.2, 1.25) - expected).abs() < 1e-9);
        assert!((left(5, 0, 0.2, 1.25) - 0.2).abs() < 1e-9);
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
