//! The best refinement of a block, over all stages that cover it.

use std::sync::Arc;

use raq_shared::stage::Stages;
use raq_shared::tile::Operation;

use super::cost::Cost;
use super::promise::Promises;
use super::scan::{Match, Scan};
use super::speed::Speed;
use super::tile_work::{Candidate, TileWork, block_of};

/// The most stages of one codebook: shifts 0 to 4.
const SCALES: usize = 5;
/// Every so many searches look at all stages, so that habits can change.
const EXPLORE: u32 = 12;

/// A codeword so much longer than a residual hardly shortens it: no angle is that good.
const TOO_LONG: f32 = 1.5;
/// One so much shorter gains less than longer ones do.
const TOO_SHORT: f32 = 0.1;
/// Energy of the lowest octave of habits, grid units squared.
const HABIT_UNIT: f32 = 8.0;

/// Searches blocks; remembers which stages are worth a look.
#[derive(Debug)]
pub struct Refiner {
    stages: Arc<Stages>,
    scans: Vec<Scan>,
    /// Stages of each codebook.
    of_codebook: Vec<Vec<usize>>,
    /// Per stage the price of each codeword, see [`Scan::biases`].
    biases: Vec<Vec<f32>>,
    /// Per stage and octave of a block's energy how often it won, fading.
    wins: Vec<[f32; Promises::OCTAVES]>,
    searches: u32,
    block: Vec<i16>,
    speed: Speed,
}

impl Refiner {
    /// For these stages.
    pub fn new(stages: &Arc<Stages>, speed: Speed) -> Self {
        let of_codebook = (0..stages.codebooks().len())
            .map(|book| {
                let uses = |&stage: &usize| stages.stage(stage).codebook == book;
                stages.numbers().filter(uses).collect()
            })
            .collect();
        Self {
            scans: stages.codebooks().iter().map(Scan::new).collect(),
            of_codebook,
            biases: vec![Vec::new(); stages.len()],
            wins: vec![[1.0; Promises::OCTAVES]; stages.len()],
            searches: 0,
            block: Vec::new(),
            speed,
            stages: Arc::clone(stages),
        }
    }

    /// Does so much work from now on.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Prices the codewords for a frame.
    pub fn price(&mut self, cost: &Cost<'_>, lambda: f32) {
        for (stage, biases) in self.biases.iter_mut().enumerate() {
            let scan = &self.scans[self.stages.stage(stage).codebook];
            let most = cost.codewords()[stage].into();
            scan.biases(&self.stages, stage, cost.band(), most, lambda, biases);
        }
    }

    /// The operation with the largest gain per bit for a slot whose residual has this energy.
    pub fn search(
        &mut self,
        work: &TileWork,
        slot: usize,
        energy: f32,
        cost: &Cost<'_>,
    ) -> Option<Candidate> {
        let (cover, block) = block_of(slot);
        // Codewords have lengths of their own, whatever a bit is worth.
        let octave = Promises::octave(energy, HABIT_UNIT);
        self.searches = self.searches.wrapping_add(1);
        let all = self.searches.is_multiple_of(EXPLORE);
        let covering = |stage: &usize| self.stages.cover(*stage) == cover;
        let total: f32 = self
            .stages
            .numbers()
            .filter(covering)
            .map(|s| self.wins[s][octave])
            .sum();
        let (habit, part) = (self.speed.habit(), self.speed.part());
        let mut best: Option<Candidate> = None;
        let length = energy.sqrt();
        for (book, scan) in self.scans.iter_mut().enumerate() {
            let codebook = &self.stages.codebooks()[book];
            if codebook.cover() != cover {
                continue;
            }
            let (shortest, longest) = scan.lengths();
            let worth = |&&stage: &&usize| {
                let scale = scale_of(&self.stages, stage);
                let fits =
                    shortest < TOO_LONG * scale * length && longest > TOO_SHORT * scale * length;
                let habitual = all || self.wins[stage][octave] >= habit * total;
                work.refined[stage] >> block & 1 == 0 && fits && habitual
            };
            let mut stages = [0; SCALES];
            let mut count = 0;
            for &stage in self.of_codebook[book].iter().filter(worth).take(SCALES) {
                stages[count] = stage;
                count += 1;
            }
            if count == 0 {
                continue;
            }
            let dim = self.stages.dim();
            work.gather(cover, block, codebook.lead(), dim, &mut self.block);
            let list = |n: usize| &self.biases[stages[n]][..];
            let mut found = [Match::NONE; SCALES];
            match count {
                1 => found[..1].copy_from_slice(&scan.best(&self.block, [list(0)], part)),
                2 => {
                    let lists = [list(0), list(1)];
                    found[..2].copy_from_slice(&scan.best(&self.block, lists, part));
                }
                3 => {
                    let lists = [list(0), list(1), list(2)];
                    found[..3].copy_from_slice(&scan.best(&self.block, lists, part));
                }
                4 => {
                    let lists = [list(0), list(1), list(2), list(3)];
                    found[..4].copy_from_slice(&scan.best(&self.block, lists, part));
                }
                _ => {
                    let lists = [list(0), list(1), list(2), list(3), list(4)];
                    found = scan.best(&self.block, lists, part);
                }
            }
            for (&stage, found) in stages[..count].iter().zip(found) {
                let operation = Operation {
                    stage: stage as u8,
                    block: block as u8,
                    index: found.index,
                };
                let gain = found.gain(scale_of(&self.stages, stage));
                let bits = cost
                    .operation(stage, work.counts[stage], found.index.into())
                    .max(1.0);
                let ratio = |gain: f32, bits: f32| gain / (bits + work.unpaid);
                if gain > 0.0 && best.is_none_or(|b| ratio(gain, bits) > ratio(b.gain, b.bits)) {
                    best = Some(Candidate {
                        operation,
                        gain,
                        bits,
                    });
                }
            }
        }
        let best = best.and_then(|found| {
            let gain = work.gain(&self.stages, found.operation);
            (gain > 0.0).then_some(Candidate { gain, ..found })
        });
        if let (true, Some(best)) = (all, best) {
            for stage in self.stages.numbers() {
                if self.stages.cover(stage) == cover {
                    let won = f32::from(u8::from(stage == usize::from(best.operation.stage)));
                    let wins = &mut self.wins[stage][octave];
                    *wins += 0.05 * (won - *wins);
                }
            }
        }
        best
    }
}

/// What a stage divides its codewords by.
fn scale_of(stages: &Stages, stage: usize) -> f32 {
    (1u32 << stages.stage(stage).shift) as f32
}
