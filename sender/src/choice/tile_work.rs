//! What the choice keeps of one tile while it fills a frame.

use raq_shared::stage::{Cover, MAX_STAGES, POSITIONS, Stages};
use raq_shared::tile::{Operation, Start};

use super::cost::Cost;
use super::exact::{self, energy, less};
use super::prospect::{Footing, Ground};
use super::start::Alternative;

/// Blocks of a tile over all covers: the tile, its quarters, its positions.
pub const SLOTS: usize = 1 + 4 + POSITIONS;

/// The slot of a block.
pub fn slot_of(cover: Cover, block: usize) -> usize {
    match cover {
        Cover::Tile => 0,
        Cover::Quarter => 1 + block,
        Cover::Position => 5 + block,
    }
}

/// Cover and block of a slot.
pub fn block_of(slot: usize) -> (Cover, usize) {
    match slot {
        0 => (Cover::Tile, 0),
        1..5 => (Cover::Quarter, slot - 1),
        _ => (Cover::Position, slot - 5),
    }
}

/// The best refinement of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What it is.
    pub operation: Operation,
    /// By how much it lowers the squared error, grid units squared.
    pub gain: f32,
    /// What it costs, without the start of an update.
    pub bits: f32,
}

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Slot {
    /// Nothing there is worth its bits.
    Empty,
    /// A guess of gain and bits: not searched since the residual changed.
    Guess {
        /// Guessed gain.
        gain: f32,
        /// Guessed bits.
        bits: f32,
        /// Energy of the block's residual.
        energy: f32,
    },
    /// Searched.
    Found(Candidate),
}

/// One tile of the frame being filled.
#[derive(Debug, Clone)]
pub struct TileWork {
    /// Target less sums, `[16, dim]`, saturated.
    pub residual: Vec<i16>,
    /// Per position the squared error, see [`Self::measure`].
    pub energies: [f32; POSITIONS],
    /// Where its update starts, if it gets one.
    pub start: Start,
    /// Bits that the start costs; 0 once they are paid.
    pub unpaid: f32,
    /// What the update stands on.
    pub footing: Footing,
    /// The most that its first operation gains per bit: what the whole update does, where it must
    /// first make up for what it builds on.
    pub limit: f32,
    /// Squared error and bits spent when the frame began, and when the update had started.
    found: (f32, f32),
    started: (f32, f32),
    /// Bits spent.
    pub spent: f32,
    /// Whether the frame updates the tile.
    pub updated: bool,
    /// Whether copying was weighed.
    pub weighed: bool,
    /// Refined blocks per stage.
    pub counts: [u8; MAX_STAGES],
    /// The same as bits.
    pub refined: [u16; MAX_STAGES],
    /// What is known per block.
    pub slots: [Slot; SLOTS],
    /// Chosen refinements, in the order they were chosen.
    pub operations: Vec<Operation>,
}

impl TileWork {
    /// For latents and refinements of these stages.
    pub fn new(stages: &Stages) -> Self {
        let most = stages.numbers().map(|s| stages.cover(s).blocks()).sum();
        Self {
            residual: vec![0; POSITIONS * stages.dim()],
            energies: [0.0; POSITIONS],
            start: Start::Reset,
            unpaid: 0.0,
            footing: Footing::sure(0.0),
            limit: f32::INFINITY,
            found: (0.0, 0.0),
            started: (0.0, 0.0),
            spent: 0.0,
            updated: false,
            weighed: false,
            counts: [0; MAX_STAGES],
            refined: [0; MAX_STAGES],
            slots: [Slot::Empty; SLOTS],
            operations: Vec::with_capacity(most),
        }
    }

    /// Forgets the last frame: the tile is to become `target`, on this ground.
    pub fn begin(&mut self, ground: &Ground<'_>, target: &[i16], cost: &Cost<'_>) {
        match ground.known {
            None => {
                (self.start, self.unpaid) = (Start::Reset, cost.reset());
                self.residual.copy_from_slice(target);
            }
            Some(known) => {
                (self.start, self.unpaid) = (Start::Keep(known.base), cost.keep(known.base));
                less(target, &known.content.sums, &mut self.residual);
            }
        }
        self.leave();
        (self.footing, self.limit, self.spent) = (ground.footing, ground.limit, 0.0);
        self.measure(u16::MAX);
        self.found = (self.error(), 0.0);
        self.started = self.found;
    }

    /// Forgets the last frame: the tile is left as it is.
    pub fn leave(&mut self) {
        (self.updated, self.weighed) = (false, false);
        self.counts = [0; MAX_STAGES];
        self.refined = [0; MAX_STAGES];
        self.operations.clear();
    }

    /// Takes another start.
    pub fn set_out(&mut self, alternative: &Alternative) {
        self.residual.copy_from_slice(&alternative.residual);
        self.measure(u16::MAX);
        (self.start, self.updated, self.unpaid) = (alternative.start, true, 0.0);
        self.footing = alternative.footing;
        self.spent += alternative.bits;
        self.started = (alternative.error, self.spent);
    }

    /// Squared error before and bits of the whole update, and of it without its start.
    pub fn ways(&self) -> ((f32, f32), (f32, f32)) {
        let since = |(error, spent): (f32, f32)| (error, self.spent - spent);
        (since(self.found), since(self.started))
    }

    /// The squared error of the tile as last measured, grid units squared.
    pub fn error(&self) -> f32 {
        self.energies.iter().sum()
    }

    /// Measures the residual of the positions in `mask`: to be called whenever it was changed.
    pub fn measure(&mut self, mask: u16) {
        let dim = self.residual.len() / POSITIONS;
        let positions = self
            .energies
            .iter_mut()
            .zip(self.residual.chunks_exact(dim));
        for (inner, (measured, latent)) in positions.enumerate() {
            if mask >> inner & 1 == 1 {
                *measured = energy(latent);
            }
        }
    }

    /// The residual of a block's leading components, `[positions, lead]`, into `out` (cleared first).
    pub fn gather(&self, cover: Cover, block: usize, lead: usize, dim: usize, out: &mut Vec<i16>) {
        out.clear();
        for inner in cover.members(block) {
            out.extend_from_slice(&self.residual[inner * dim..][..lead]);
        }
    }

    /// Fall of the squared error by an operation, exactly.
    pub fn gain(&self, stages: &Stages, operation: Operation) -> f32 {
        let (stage, book) = (
            operation.stage.into(),
            stages.codebook(operation.stage.into()),
        );
        let (scale, dim, lead) = (stages.stage(stage), stages.dim(), book.lead());
        let parts = book.codeword(operation.index).chunks_exact(lead);
        let members = book.cover().members(operation.block.into());
        let gain: i64 = members
            .zip(parts)
            .map(|(inner, part)| exact::gain(&self.residual[inner * dim..][..lead], part, scale))
            .sum();
        gain as f32
    }

    /// Takes a refinement: the residual shrinks by it.
    pub fn take(&mut self, stages: &Stages, operation: Operation) {
        let stage = usize::from(operation.stage);
        let (scale, book) = (stages.stage(stage), stages.codebook(stage));
        let (dim, lead) = (stages.dim(), book.lead());
        let parts = book.codeword(operation.index).chunks_exact(lead);
        let cover = book.cover();
        for (inner, part) in cover.members(operation.block.into()).zip(parts) {
            exact::take(&mut self.residual[inner * dim..][..lead], part, scale);
        }
        self.measure(cover.mask(operation.block.into()));
        self.counts[stage] += 1;
        self.refined[stage] |= 1 << operation.block;
        self.operations.push(operation);
        self.updated = true;
        self.unpaid = 0.0;
    }

    /// The most promising slot and its expected gain per bit, start included.
    pub fn best(&self) -> Option<(usize, f32)> {
        let limit = if self.updated {
            f32::INFINITY
        } else {
            self.limit
        };
        let mut best = (0, 0.0, 1.0);
        for (slot, known) in self.slots.iter().enumerate() {
            let (gain, bits) = match known {
                Slot::Empty => continue,
                Slot::Guess { gain, bits, .. } => (*gain, bits + self.unpaid),
                Slot::Found(found) => (found.gain, found.bits + self.unpaid),
            };
            // Which ratio is larger, without a division.
            if gain * best.2 > best.1 * bits {
                best = (slot, gain, bits);
            }
        }
        let (slot, gain, bits) = best;
        let ratio = (self.footing.chance * gain / bits).min(limit);
        (ratio > 0.0).then_some((slot, ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::stage::{Stage, StageCodebook};
    use raq_shared::tile::Content;

    #[test]
    fn slots_and_blocks_are_one_to_one() {
        for slot in 0..SLOTS {
            let (cover, block) = block_of(slot);
            assert_eq!(slot_of(cover, block), slot);
            assert!(block < cover.blocks());
        }
    }

    #[test]
    fn gains_are_what_the_error_falls_by() {
        let rows = (0..48).map(|i| (i * 37 % 90 - 45) as i16).collect();
        let book = StageCodebook::new(Cover::Quarter, 3, rows).unwrap();
        let stage = |shift| Stage { codebook: 0, shift };
        let stages = Stages::new(4, vec![book], vec![stage(0), stage(2)]).unwrap();
        let mut work = TileWork::new(&stages);
        for (i, r) in work.residual.iter_mut().enumerate() {
            *r = (i as i16 * 53) % 101 - 50;
        }
        work.measure(u16::MAX);
        let target = work.residual.clone();
        let mut content = Content::new(4);
        for (stage, block, index) in [(0, 1, 3), (1, 2, 0), (1, 1, 1)] {
            let operation = Operation {
                stage,
                block,
                index,
            };
            let (before, gain) = (work.error(), work.gain(&stages, operation));
            work.take(&stages, operation);
            assert!((before - work.error() - gain).abs() < 0.5);
            content.refine(&stages, stage.into(), block.into(), index);
        }
        let left: Vec<i16> = target
            .iter()
            .zip(&content.sums)
            .map(|(t, s)| t - s)
            .collect();
        assert_eq!(left, work.residual, "what the receiver will lack");
    }
}
