//! What a tile will show, by what may arrive, and what its update had best build on.

use raq_shared::tile::{Base, Content};

use super::cost::Cost;
use super::exact::{distance, energy};
use super::yields::Yields;
use crate::flight::Needs;

/// The most contents of a tile that are told apart.
const MOST: usize = 6;
/// An update must make up for what it builds on where that is worse than what the tile shows without
/// it by more than this part.
const BEHIND: f32 = 0.01;

/// What the receiver has or may have of a tile, for an update to build on.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The content.
    pub content: &'a Content,
    /// The frame that made it.
    pub frame: u32,
    /// How an update names it.
    pub base: Base,
    /// The datagrams on their way that it needs.
    pub needs: Needs,
}

/// What is known of the way to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    /// The share of datagrams that get lost, 0 to 1.
    pub loss: f32,
    /// How many frames the floor lies back; 0 where there is none.
    pub floor: u8,
}

/// What an update stands on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footing {
    /// The probability that what it builds on is there.
    pub chance: f32,
    /// The squared error that is expected without the update where that is there.
    pub rest: f32,
}

impl Footing {
    /// Of an update that builds on what the tile shows for certain, with this error.
    pub fn sure(error: f32) -> Self {
        Self {
            chance: 1.0,
            rest: error,
        }
    }
}

/// What a tile's update had best build on.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The content; none: it resets.
    pub known: Option<Known<'a>>,
    /// What it stands on then.
    pub footing: Footing,
    /// The most that its first operation gains per bit, see [`Yields::ratio`].
    pub limit: f32,
}

impl<'a> Ground<'a> {
    /// Where nothing gets lost: on the newest content.
    pub fn hoped(known: Option<Known<'a>>, target: &[i16]) -> Self {
        let error = known.map_or_else(|| energy(target), |k| distance(target, &k.content.sums));
        Self {
            known,
            footing: Footing::sure(error),
            limit: f32::INFINITY,
        }
    }
}

/// What expectations are made from.
#[derive(Debug, Clone, Copy)]
pub struct Odds<'a> {
    /// The share of datagrams that get lost.
    pub loss: f32,
    /// Error units per bit.
    pub lambda: f32,
    /// Prices.
    pub cost: &'a Cost<'a>,
    /// What updates come to.
    pub yields: &'a Yields,
}

/// The contents that a tile may come to show, the oldest first, which is certain; each replaces those
/// before it where it arrives.
#[derive(Debug, Clone, Default)]
pub struct Prospect {
    contents: Vec<(f32, Needs)>,
}

impl Prospect {
    /// Begins a frame with the squared error of the certain content.
    pub fn begin(&mut self, error: f32) {
        self.contents.clear();
        self.contents.push((error, Needs::default()));
    }

    /// A newer content: its squared error, and what it needs.
    pub fn add(&mut self, error: f32, needs: Needs) {
        if self.contents.len() == MOST {
            self.contents.remove(1);
        }
        self.contents.push((error, needs));
    }

    /// What an update stands on that needs these datagrams besides its own, each of which gets lost
    /// with probability `loss`.
    pub fn footing(&self, needs: &Needs, loss: f32) -> Footing {
        Footing {
            chance: needs.chance(&Needs::default(), loss),
            rest: expected(&self.contents, needs, loss),
        }
    }

    /// Takes what is known of a tile, ascending by frame, and says which of it the update had best
    /// build on: that with the largest expected fall of the error, less what its bits are worth.
    pub fn weigh<'k, I: Iterator<Item = Known<'k>>>(
        &mut self,
        target: &[i16],
        known: impl Fn() -> I,
        odds: Odds<'_>,
    ) -> Ground<'k> {
        let error = |k: &Known<'_>| distance(target, &k.content.sums);
        let nothing = energy(target);
        let certain = known().next().filter(|k| k.base == Base::Floor);
        self.begin(certain.as_ref().map_or(nothing, error));
        for newer in known().filter(|k| k.base != Base::Floor) {
            self.add(error(&newer), newer.needs);
        }
        let weigh = |known: Option<Known<'k>>, error: f32, bits: f32| {
            let needs = known.map(|k| k.needs).unwrap_or_default();
            let footing = self.footing(&needs, odds.loss);
            let lambda = odds.lambda / footing.chance;
            let (left, more) = odds.yields.of(error, lambda);
            let worth = footing.chance * (footing.rest - left) - odds.lambda * (bits + more);
            let ratio = footing.chance * odds.yields.ratio(error, lambda, footing.rest, bits);
            let limit = if error - footing.rest > BEHIND * error {
                ratio
            } else {
                f32::INFINITY
            };
            // Where nothing is worth its bits there may be bits to spare.
            let rank = if worth > 0.0 {
                worth
            } else {
                (ratio - odds.lambda).min(0.0)
            };
            let ground = Ground {
                known,
                footing,
                limit,
            };
            (ground, rank)
        };
        let reset = weigh(None, nothing, odds.cost.reset());
        let kept = known().map(|k| weigh(Some(k), error(&k), odds.cost.keep(k.base)));
        kept.fold(reset, |best, one| if one.1 > best.1 { one } else { best })
            .0
    }
}

fn expected(contents: &[(f32, Needs)], given: &Needs, loss: f32) -> f32 {
    let Some(((error, needs), older)) = contents.split_last() else {
        return 0.0;
    };
    let chance = needs.chance(given, loss);
    if older.is_empty() || chance >= 1.0 {
        return *error;
    }
    // Older contents count where this one does not arrive: all in all, less where it does.
    let arrives = given.with(needs);
    expected(older, given, loss) + chance * (error - expected(older, &arrives, loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(datagrams: &[u8]) -> Needs {
        let mut needs = Needs::default();
        datagrams.iter().for_each(|&index| needs.add(3, index));
        needs
    }

    /// The mean over all ways in which six datagrams get lost.
    fn counted(contents: &[(f32, Vec<u8>)], given: &[u8], loss: f32) -> f32 {
        let (mut sum, mut all) = (0.0, 0.0);
        for arrived in 0u32..64 {
            let there = |list: &[u8]| list.iter().all(|&index| arrived >> index & 1 == 1);
            if !there(given) {
                continue;
            }
            let came = arrived.count_ones() as i32;
            let chance = (1.0 - loss).powi(came) * loss.powi(6 - came);
            let shown = contents.iter().rev().find(|(_, needs)| there(needs));
            sum += chance * shown.map_or(0.0, |shown| shown.0);
            all += chance;
        }
        sum / all
    }

    #[test]
    fn expectations_are_means_over_what_may_get_lost() {
        let contents = [
            (900.0, vec![]),
            (400.0, vec![0]),
            (250.0, vec![1, 2]),
            (100.0, vec![0, 3]),
            (30.0, vec![1, 2, 3, 4]),
        ];
        let mut prospect = Prospect::default();
        prospect.begin(contents[0].0);
        for (error, list) in &contents[1..] {
            prospect.add(*error, needs(list));
        }
        for loss in [0.01, 0.1, 0.5, 0.9] {
            for given in [&[][..], &[0], &[3, 5], &[1, 2], &[1, 2, 3, 4]] {
                let footing = prospect.footing(&needs(given), loss);
                let expected = counted(&contents, given, loss);
                assert!(
                    (footing.rest - expected).abs() < 0.01,
                    "{} is not {expected}",
                    footing.rest
                );
                let chance = (1.0 - loss).powi(given.len() as i32);
                assert!((footing.chance - chance).abs() < 1e-6);
            }
        }
    }
}
