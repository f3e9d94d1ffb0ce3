//! Fills a frame: a heap of tiles by what their best block promises, re-keyed on every pop.

use std::collections::BinaryHeap;
use std::sync::Arc;

use raq_shared::coding::Tables;
use raq_shared::interleave::MAX_DATAGRAMS;
use raq_shared::stage::{MAX_STAGES, POSITIONS, Stages};
use raq_shared::tile::content::MAX_DEPTH;
use raq_shared::tile::{Base, Basis, Displacement, Operation, Start, TileGrid};
use raq_shared::tile::{Update, Updater};

use crate::flight::Needs;

use super::cost::{Cost, binomials};
use super::entry::Entry;
use super::frame::{Budget, Picture, Taken};
use super::motion::{Luma, Target};
use super::promise::{Promises, guess};
use super::prospect::{Ground, Known, Odds, Prospect, Standing};
use super::refiner::Refiner;
use super::speed::Speed;
use super::spread::Spread;
use super::start::{Alternative, Starts, Workshop};
use super::tile_work::{Slot, TileWork, block_of};
use super::yields::Yields;

/// Gain per bit below which refinement only codes the rounding of latents, grid units squared.
const FINEST: f32 = 0.06;
/// Bits below which no operation fits.
const SMALLEST: f32 = 6.0;
/// A tile whose error is below so many bits' worth is not looked at.
const WORTH_A_LOOK: f32 = 8.0;
/// A tile whose error is below so many bits' worth is not searched for motion.
const WORTH_A_SEARCH: f32 = 32.0;
/// The share of lost datagrams from which on copies read what is certain alone.
const COPY_CERTAIN: f32 = 0.03;
/// The share of a frame's operations, worst first, whose gain per bit becomes the next price.
const MARGIN: usize = 12;
/// How often bits are thought to be worth less where more than this share of them is left.
const DEEPER: usize = 3;
const SPARE: f32 = 0.1;

/// Fills frames of one size.
#[derive(Debug)]
pub struct Chooser {
    grid: TileGrid,
    stages: Arc<Stages>,
    tables: Arc<Tables>,
    speed: Speed,
    refiner: Refiner,
    choices: [[f32; POSITIONS + 1]; POSITIONS + 1],
    updater: Updater,
    luma: Luma,
    /// The frame's luma at half size.
    halved: Vec<u8>,
    shown: Vec<Option<u32>>,
    /// How updates name what copies read of a tile; none where nothing is known.
    bases: Vec<Option<Base>>,
    /// What that needs.
    needs: Vec<Needs>,
    /// What tiles may come to show, where datagrams get lost.
    prospects: Vec<Prospect>,
    standing: Standing,
    /// What updates come to in all, and what they do once they have started.
    yields: Yields,
    refined: Yields,
    lambda: f32,
    updated: f32,
    promises: Promises,
    works: Vec<TileWork>,
    targets: Vec<i16>,
    alternatives: Vec<Option<Alternative>>,
    workshop: Workshop,
    hints: Vec<Displacement>,
    heap: BinaryHeap<Entry>,
    ratios: Vec<f32>,
    /// What was chosen, in order: the tile, and the operation or its start.
    order: Vec<(u32, Option<Operation>)>,
    spread: Spread,
    level: u8,
    /// K̃ per stage where it is limited.
    codewords: Option<[u16; MAX_STAGES]>,
    /// Bits spent, in all and per datagram.
    bits: f32,
    filled: Vec<f32>,
    /// The displacement chosen last: a likely one for the next.
    last: Displacement,
    left_over: bool,
    /// Whether the frame's time was over before all tiles were looked at.
    late: bool,
    /// Every refinement of the frame, where they are recorded.
    taken: Option<Vec<Taken>>,
}

impl Chooser {
    /// For pictures of these tiles.
    pub fn new(
        grid: TileGrid,
        stages: Arc<Stages>,
        basis: Arc<Basis>,
        tables: Arc<Tables>,
        speed: Speed,
    ) -> Self {
        let tiles = grid.tiles();
        Self {
            grid,
            refiner: Refiner::new(&stages, speed),
            choices: binomials(),
            updater: Updater::new(grid, Arc::clone(&stages), basis),
            luma: Luma::new(grid),
            halved: Vec::new(),
            shown: vec![None; tiles],
            bases: vec![None; tiles],
            needs: vec![Needs::default(); tiles],
            prospects: vec![Prospect::default(); tiles],
            standing: Standing::default(),
            yields: Yields::default(),
            refined: Yields::default(),
            lambda: 300.0,
            updated: 0.5,
            promises: Promises::new(speed.hope()),
            works: (0..tiles).map(|_| TileWork::new(&stages)).collect(),
            targets: vec![0; tiles * POSITIONS * stages.dim()],
            alternatives: vec![None; tiles],
            workshop: Workshop::new(stages.dim(), tiles),
            hints: vec![Displacement::default(); tiles],
            heap: BinaryHeap::with_capacity(tiles),
            ratios: Vec::with_capacity(4 * tiles * POSITIONS),
            order: Vec::with_capacity(4 * tiles * POSITIONS),
            spread: Spread::new(grid),
            level: 0,
            codewords: None,
            bits: 0.0,
            filled: vec![0.0; MAX_DATAGRAMS],
            last: Displacement::default(),
            left_over: false,
            late: false,
            taken: None,
            stages,
            tables,
            speed,
        }
    }

    /// Does so much work from the next frame on.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
        self.refiner.set_speed(speed);
        self.promises.set_hope(speed.hope());
    }

    /// Uses at most `most` codewords in every stage, from the next frame on.
    ///
    /// # Panics
    /// When `most` is 0.
    pub fn limit_codewords(&mut self, most: u16) {
        assert!(most > 0, "at least one codeword");
        let mut codewords = [0; MAX_STAGES];
        for stage in self.stages.numbers() {
            codewords[stage] = most.min(self.stages.codewords(stage) as u16);
        }
        self.codewords = Some(codewords);
    }

    /// K̃ per stage where it is limited.
    pub fn codewords(&self) -> Option<[u16; MAX_STAGES]> {
        self.codewords
    }

    /// The level of the frame chosen last: quarter octaves of the price per bit.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// From the next frame on keeps what [`Self::taken`] gives.
    pub fn record(&mut self) {
        self.taken = Some(Vec::new());
    }

    /// The refinements of the frame in the order they were chosen, those taken back included; empty
    /// without [`Self::record`].
    pub fn taken(&self) -> &[Taken] {
        self.taken.as_deref().unwrap_or(&[])
    }

    /// Forgets which generations have been rendered: contents known by the same frame may differ.
    pub fn forget_rendered(&mut self) {
        self.shown.fill(None);
        let (stages, basis) = (self.updater.stages(), self.updater.basis());
        self.updater = Updater::new(self.grid, Arc::clone(stages), Arc::clone(basis));
    }

    /// Begins a frame: `known` gives what updates may build on for a tile, ascending by frame. Tiles
    /// that are not looked at before `expired` says so are left alone.
    ///
    /// # Panics
    /// When picture and tiles differ in size.
    pub fn begin<'k, I: Iterator<Item = Known<'k>>>(
        &mut self,
        picture: Picture<'_>,
        standing: Standing,
        known: impl Fn(usize) -> I,
        expired: impl FnMut() -> bool,
    ) {
        self.standing = standing;
        let octaves = self.lambda.log2() * 4.0;
        self.level = (f32::from(MAX_DEPTH) - octaves).clamp(0.0, MAX_DEPTH.into()) as u8;
        let tables = Arc::clone(&self.tables);
        let choices = self.choices;
        let cost = self.cost(&tables, &choices);
        self.refiner.price(&cost, self.lambda);
        self.guess_all(picture, known, expired, &cost);
        self.luma.refresh();
        Luma::halve(picture.luma, self.grid.width(), &mut self.halved);
        if let Some(taken) = &mut self.taken {
            taken.clear();
        }
        self.bits = 0.0;
        self.filled.fill(0.0);
        self.last = Displacement::default();
    }

    fn cost<'a>(
        &self,
        tables: &'a Tables,
        choices: &'a [[f32; POSITIONS + 1]; POSITIONS + 1],
    ) -> Cost<'a> {
        let codewords = self
            .codewords
            .unwrap_or_else(|| tables.band(self.level).codewords);
        Cost::new(
            &self.stages,
            tables,
            self.level,
            codewords,
            self.updated,
            self.standing.floor,
            choices,
        )
    }

    /// Fills the frame that was begun up to `budget`; called again with more, it goes on. Stops
    /// early when `expired` says so; it is asked before every step.
    ///
    /// The updates are then those of [`Self::updates`].
    pub fn fill(
        &mut self,
        picture: Picture<'_>,
        budget: Budget,
        mut expired: impl FnMut() -> bool,
    ) {
        let tables = Arc::clone(&self.tables);
        let choices = self.choices;
        let cost = self.cost(&tables, &choices);
        self.spread.over(budget.count);
        self.left_over = self.late;
        self.spend(picture, budget, &cost, &mut expired);
        for _ in 0..DEEPER {
            if self.deepen(budget, &cost) {
                self.spend(picture, budget, &cost, &mut expired);
            }
        }
        self.collect();
    }

    /// Looks again at what was not worth its bits, where many are left. False if that is nothing.
    fn deepen(&mut self, budget: Budget, cost: &Cost<'_>) -> bool {
        let least = 2.0 * FINEST;
        let full = self.bits > (1.0 - SPARE) * budget.bits;
        if self.left_over || full || self.lambda <= least {
            return false;
        }
        self.lambda = (self.lambda / 4.0).max(least);
        self.refiner.price(cost, self.lambda);
        self.heap.clear();
        for tile in 0..self.works.len() {
            self.look(tile);
        }
        !self.heap.is_empty()
    }

    /// Does what gains most per bit until the budget is full.
    fn spend(
        &mut self,
        picture: Picture<'_>,
        budget: Budget,
        cost: &Cost<'_>,
        expired: &mut impl FnMut() -> bool,
    ) {
        while let Some(Entry(ratio, tile)) = self.heap.pop() {
            if ratio < FINEST {
                break;
            }
            if budget.bits - self.bits < SMALLEST || expired() {
                self.heap.push(Entry(ratio, tile));
                self.left_over = true;
                break;
            }
            let tile = tile as usize;
            let datagram = self.spread.datagram_of(tile);
            let room = (budget.bits - self.bits).min(budget.datagram_bits - self.filled[datagram]);
            let spent = self.step(tile, picture, cost, room);
            self.bits += spent;
            self.filled[datagram] += spent;
            let next = match &self.alternatives[tile] {
                Some(alternative) => Some(self.ratio(tile, alternative)),
                None => self.works[tile].best().map(|(_, ratio)| ratio),
            };
            if let Some(ratio) = next {
                self.heap.push(Entry(ratio, tile as u32));
            }
        }
    }

    /// Whether more bits would buy more.
    pub fn wants_more(&self) -> bool {
        self.left_over
    }

    /// Residuals and first guesses.
    fn guess_all<'k, I: Iterator<Item = Known<'k>>>(
        &mut self,
        picture: Picture<'_>,
        known: impl Fn(usize) -> I,
        mut expired: impl FnMut() -> bool,
        cost: &Cost<'_>,
    ) {
        let dim = self.stages.dim();
        let size = POSITIONS * dim;
        assert_eq!(
            picture.target.values().len(),
            self.targets.len(),
            "latents of the size"
        );
        self.heap.clear();
        self.order.clear();
        self.ratios.clear();
        self.late = false;
        for tile in 0..self.grid.tiles() {
            self.late = self.late || expired();
            if self.late {
                self.works[tile].leave();
                self.bases[tile] = None;
                self.workshop.recycle(self.alternatives[tile].take());
                continue;
            }
            let target = &mut self.targets[tile * size..][..size];
            for (inner, latent) in target.chunks_exact_mut(dim).enumerate() {
                latent.copy_from_slice(picture.target.at(self.grid.position(tile, inner)));
            }
            let work = &mut self.works[tile];
            let read = if self.standing.loss < COPY_CERTAIN {
                known(tile).last()
            } else {
                known(tile).next()
            };
            self.bases[tile] = read.map(|k| k.base);
            if let Some(read) = read {
                self.needs[tile] = read.needs;
                if self.shown[tile] != Some(read.frame) {
                    self.shown[tile] = Some(read.frame);
                    self.updater.render(tile, read.frame, read.content);
                    self.luma.take(tile, self.updater.samples());
                }
            }
            let ground = if self.standing.loss == 0.0 {
                Ground::hoped(read, target)
            } else {
                let odds = Odds {
                    loss: self.standing.loss,
                    lambda: self.lambda,
                    cost,
                    yields: &self.yields,
                };
                self.prospects[tile].weigh(target, || known(tile), odds)
            };
            work.begin(&ground, target, cost);
            self.workshop.recycle(self.alternatives[tile].take());
            self.look(tile);
        }
    }

    /// Puts a tile into the queue, if its error is worth that.
    fn look(&mut self, tile: usize) {
        let work = &mut self.works[tile];
        if work.error() < WORTH_A_LOOK * self.lambda.min(256.0 * FINEST) {
            return;
        }
        guess(work, &self.promises, self.lambda, u16::MAX);
        if let Some((_, ratio)) = work.best() {
            self.heap.push(Entry(ratio, tile as u32));
        }
    }

    /// Does the next thing for a tile and returns the bits that it took.
    fn step(&mut self, tile: usize, picture: Picture<'_>, cost: &Cost<'_>, room: f32) -> f32 {
        let dim = self.stages.dim();
        if !self.works[tile].weighed && !self.works[tile].updated {
            self.works[tile].weighed = true;
            if self.bases[tile].is_some() && self.works[tile].error() > WORTH_A_SEARCH * self.lambda
            {
                self.weigh(tile, picture, cost);
                if self.alternatives[tile].is_some() {
                    return 0.0;
                }
            }
        }
        if let Some(alternative) = self.alternatives[tile].take() {
            if alternative.bits > room {
                self.works[tile].slots.fill(Slot::Empty);
                self.workshop.recycle(Some(alternative));
                return 0.0;
            }
            self.ratios.push(self.ratio(tile, &alternative));
            let work = &mut self.works[tile];
            work.set_out(&alternative);
            if let Start::Copy { displacements, .. } = alternative.start {
                self.last = displacements[3];
                self.hints[tile] = displacements[0];
            }
            self.order.push((tile as u32, None));
            guess(work, &self.promises, self.lambda, u16::MAX);
            let bits = alternative.bits;
            self.workshop.recycle(Some(alternative));
            return bits;
        }
        let Some((slot, ratio)) = self.works[tile].best() else {
            return 0.0;
        };
        match self.works[tile].slots[slot] {
            Slot::Empty => 0.0,
            Slot::Guess { energy, .. } => {
                let work = &self.works[tile];
                let found = self.refiner.search(work, slot, energy, cost);
                let (cover, _) = block_of(slot);
                self.promises.learn(cover, energy, self.lambda, found);
                self.works[tile].slots[slot] = found.map_or(Slot::Empty, Slot::Found);
                0.0
            }
            Slot::Found(candidate) => {
                let work = &mut self.works[tile];
                let bits = candidate.bits + work.unpaid;
                if bits > room {
                    work.slots[slot] = Slot::Empty;
                    return 0.0;
                }
                let changed = self.stages.cover(candidate.operation.stage.into());
                let mask = changed.mask(candidate.operation.block.into());
                self.ratios.push(ratio);
                work.spent += bits;
                if let Some(taken) = &mut self.taken {
                    let operation = candidate.operation;
                    let book = self.stages.codebook(operation.stage.into());
                    let mut residual = Vec::with_capacity(book.dims());
                    let (cover, block) = (book.cover(), operation.block.into());
                    work.gather(cover, block, book.lead(), dim, &mut residual);
                    taken.push(Taken {
                        stage: operation.stage,
                        residual,
                    });
                }
                work.take(&self.stages, candidate.operation);
                self.order.push((tile as u32, Some(candidate.operation)));
                guess(work, &self.promises, self.lambda, mask);
                bits
            }
        }
    }

    /// What an alternative gains per bit.
    fn ratio(&self, tile: usize, alternative: &Alternative) -> f32 {
        let (footing, error) = (alternative.footing, alternative.error);
        if self.standing.loss == 0.0 {
            return (self.works[tile].error() - error) / alternative.bits;
        }
        let lambda = self.lambda / footing.chance;
        let (yields, bits) = (&self.refined, alternative.bits);
        footing.chance * yields.ratio(error, lambda, footing.rest, bits)
    }

    fn weigh(&mut self, tile: usize, picture: Picture<'_>, cost: &Cost<'_>) {
        let size = POSITIONS * self.stages.dim();
        let starts = Starts {
            cost,
            lambda: self.lambda,
            updater: &self.updater,
            known: &self.luma,
            luma: Target {
                full: picture.luma,
                halved: &self.halved,
            },
            reach: self.speed.reach(),
            filters: self.speed.filters(),
            bases: &self.bases,
            needs: &self.needs,
            prospects: &self.prospects,
            loss: self.standing.loss,
            yields: &self.refined,
        };
        let target = &self.targets[tile * size..][..size];
        let hint = self.hints[tile];
        let work = &self.works[tile];
        let found = starts.weigh(tile, work, target, (hint, self.last), &mut self.workshop);
        if found.is_none() {
            self.hints[tile] = Displacement::default();
        }
        self.alternatives[tile] = found;
    }

    /// Ends the frame: its worst operations set the next frame's price.
    pub fn finish(&mut self) {
        let price = if !self.left_over {
            self.lambda / 2.0
        } else if self.ratios.is_empty() {
            self.lambda // without time to choose, nothing is learned of prices
        } else {
            let place = self.ratios.len() / MARGIN;
            *self.ratios.select_nth_unstable_by(place, f32::total_cmp).1
        };
        for work in self.works.iter().filter(|w| w.updated) {
            let (lambda, left) = (self.lambda / work.footing.chance, work.error());
            let (started, refined) = work.ways();
            self.yields.learn(started.0, lambda, left, started.1);
            self.refined.learn(refined.0, lambda, left, refined.1);
        }
        self.lambda = (0.3 * self.lambda + 0.7 * price).clamp(2.0 * FINEST, 20_000.0);
        let updated = self.works.iter().filter(|w| w.updated).count();
        let share = updated as f32 / self.works.len() as f32;
        self.updated += 0.5 * (share - self.updated);
    }

    /// Spreads the updates over `count` datagrams instead.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn respread(&mut self, count: u8) {
        self.spread.over(count);
        self.collect();
    }

    fn collect(&mut self) {
        self.spread.collect(&self.works, &self.bases);
    }

    /// The updates chosen, per datagram, ascending by tile.
    pub fn updates(&self) -> impl ExactSizeIterator<Item = &[Update]> {
        self.spread.updates()
    }

    /// Takes back the `count` operations or starts that were chosen last; the caller found that
    /// they do not fit. False when there are none left.
    pub fn take_back(&mut self, count: usize) -> bool {
        if self.order.is_empty() {
            return false;
        }
        for _ in 0..count {
            let Some((tile, operation)) = self.order.pop() else {
                break;
            };
            let work = &mut self.works[tile as usize];
            match operation {
                Some(_) => drop(work.operations.pop()),
                None => work.start = Start::Reset,
            }
            // A copy stands without refinements; anything else does not.
            let copied = matches!(work.start, Start::Copy { .. });
            work.updated = copied || !work.operations.is_empty();
        }
        self.collect();
        true
    }

    /// Estimated bits of what was chosen.
    pub fn bits(&self) -> f32 {
        self.bits
    }
}
