//! Guesses of what a block will yield, before it is searched.

use raq_shared::stage::Cover;

use super::tile_work::{Candidate, Slot, TileWork, slot_of};

/// What blocks have yielded so far, by cover and by octave of their energy per bit's worth: running
/// means of the share of the energy that the best operation took, and of its bits.
#[derive(Debug, Clone)]
pub struct Promises {
    /// Guesses lie so much above the mean, so that few good blocks are overlooked.
    hope: f32,
    shares: [[f32; Self::OCTAVES]; 3],
    bits: [[f32; Self::OCTAVES]; 3],
}

impl Promises {
    /// Octaves told apart.
    pub const OCTAVES: usize = 12;
    /// How fast the means follow.
    const PACE: f32 = 0.02;

    /// Before anything was seen; guesses will lie `hope` times above the mean.
    pub fn new(hope: f32) -> Self {
        Self {
            hope,
            shares: [[0.5; Self::OCTAVES]; 3],
            bits: [[14.0; Self::OCTAVES]; 3],
        }
    }

    /// Guesses lie `hope` times above the mean from now on.
    pub fn set_hope(&mut self, hope: f32) {
        self.hope = hope;
    }

    /// Octave of a block's energy over the price of a bit.
    pub fn octave(energy: f32, lambda: f32) -> usize {
        let whole = (energy / lambda).clamp(1.0, (1 << Self::OCTAVES) as f32) as u32;
        (whole.ilog2() as usize).min(Self::OCTAVES - 1)
    }

    /// The guess for a block of this energy.
    pub fn guess(&self, cover: Cover, energy: f32, lambda: f32) -> Slot {
        let octave = Self::octave(energy, lambda);
        let share = (self.shares[cover as usize][octave] * self.hope).min(1.0);
        Slot::Guess {
            gain: energy * share,
            bits: self.bits[cover as usize][octave],
            energy,
        }
    }

    /// Learns what a block of this energy yielded.
    pub fn learn(&mut self, cover: Cover, energy: f32, lambda: f32, found: Option<Candidate>) {
        let octave = Self::octave(energy, lambda);
        let share = &mut self.shares[cover as usize][octave];
        let seen = found.map_or(0.0, |c| c.gain) / energy.max(1.0);
        *share += Self::PACE * (seen - *share);
        if let Some(found) = found {
            let bits = &mut self.bits[cover as usize][octave];
            *bits += Self::PACE * (found.bits - *bits);
        }
    }
}

/// Guesses gains and bits of the slots whose positions are in `mask`.
pub fn guess(work: &mut TileWork, promises: &Promises, lambda: f32, mask: u16) {
    let energies = work.energies;
    for cover in [Cover::Tile, Cover::Quarter, Cover::Position] {
        for block in 0..cover.blocks() {
            if cover.mask(block) & mask == 0 {
                continue;
            }
            let energy: f32 = cover.members(block).map(|inner| energies[inner]).sum();
            work.slots[slot_of(cover, block)] = promises.guess(cover, energy, lambda);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::tile::Operation;

    #[test]
    fn guesses_follow_what_blocks_yield() {
        let mut promises = Promises::new(1.4);
        let operation = Operation {
            stage: 0,
            block: 0,
            index: 0,
        };
        let found = Candidate {
            operation,
            gain: 100.0,
            bits: 9.0,
        };
        for _ in 0..1000 {
            promises.learn(Cover::Quarter, 1000.0, 10.0, Some(found));
            promises.learn(Cover::Position, 1000.0, 10.0, None);
        }
        let gain = |cover, energy| match promises.guess(cover, energy, 10.0) {
            Slot::Guess { gain, bits, .. } => (gain / energy, bits),
            other => panic!("{other:?}"),
        };
        let (share, bits) = gain(Cover::Quarter, 1000.0);
        assert!(
            (share - 0.14).abs() < 0.01 && (bits - 9.0).abs() < 0.1,
            "{share} {bits}"
        );
        assert!(gain(Cover::Position, 1000.0).0 < 0.01);
        assert!(gain(Cover::Quarter, 100_000.0).0 > 0.5, "another octave");
    }
}
