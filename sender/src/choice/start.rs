//! Where a tile's update starts: what the tile has, a displaced picture, or nothing.

use raq_shared::stage::POSITIONS;
use raq_shared::tile::apply::sources;
use raq_shared::tile::{Base, Content, Displacement, Filter, Start, Updater};

use crate::flight::Needs;

use super::cost::Cost;
use super::exact::{energy, less};
use super::motion::{Luma, Price, Reach, Target, search};
use super::prospect::{Footing, Prospect};
use super::tile_work::TileWork;
use super::yields::Yields;

/// Quarters displaced on their own are weighed where their difference is below this part of the
/// whole tile's.
const QUARTERS_MAY: f32 = 0.97;

/// A tile whose difference motion lowers to no less than this part of rest is still.
const STILL: f32 = 0.95;

/// A start other than keeping the tile.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// The start.
    pub start: Start,
    /// Its squared error, before refinements.
    pub error: f32,
    /// Its bits.
    pub bits: f32,
    /// What it stands on.
    pub footing: Footing,
    /// Target less what it starts from.
    pub residual: Vec<i16>,
}

/// Buffers for weighing, used again.
#[derive(Debug)]
pub struct Workshop {
    content: Content,
    residuals: Vec<Vec<i16>>,
}

impl Workshop {
    /// For this many tiles with latents of `dim` numbers.
    pub fn new(dim: usize, tiles: usize) -> Self {
        // Every tile may have an alternative while another two are compared.
        let residuals = (0..tiles + 2).map(|_| vec![0; POSITIONS * dim]);
        Self {
            content: Content::new(dim),
            residuals: residuals.collect(),
        }
    }

    fn residual(&mut self) -> Vec<i16> {
        let size = self.content.sums.len();
        self.residuals.pop().unwrap_or_else(|| vec![0; size])
    }

    /// Takes back what is not needed any more.
    pub fn recycle(&mut self, alternative: Option<Alternative>) {
        self.residuals.extend(alternative.map(|a| a.residual));
    }
}

/// What the starts of a frame's tiles are weighed with.
#[derive(Debug)]
pub struct Starts<'a> {
    /// Prices.
    pub cost: &'a Cost<'a>,
    /// Error units per bit.
    pub lambda: f32,
    /// Renders and copies.
    pub updater: &'a Updater,
    /// 8-bit luma of what the updater shows.
    pub known: &'a Luma,
    /// The frame's luma.
    pub luma: Target<'a>,
    /// How far to look.
    pub reach: Reach,
    /// Filters to try.
    pub filters: &'a [Filter],
    /// Per tile how updates name what the updater shows of it.
    pub bases: &'a [Option<Base>],
    /// Per tile what that needs.
    pub needs: &'a [Needs],
    /// Per tile what it may come to show.
    pub prospects: &'a [Prospect],
    /// The share of datagrams that get lost.
    pub loss: f32,
    /// What updates come to.
    pub yields: &'a Yields,
}

impl Starts<'_> {
    /// The best alternative to keeping `tile`, whose target is `target`, if it wins by more than
    /// its bits are worth. `hint` is a likely displacement, `last` the one coded before.
    pub fn weigh(
        &self,
        tile: usize,
        work: &TileWork,
        target: &[i16],
        (hint, last): (Displacement, Displacement),
        workshop: &mut Workshop,
    ) -> Option<Alternative> {
        let price = |footing: Footing, error: f32, bits: f32| {
            if self.loss == 0.0 {
                return error + self.lambda * bits;
            }
            let lambda = self.lambda / footing.chance;
            let (left, more) = self.yields.of(error, lambda);
            self.lambda * (bits + more) - footing.chance * (footing.rest - left)
        };
        let mut least = price(work.footing, work.error(), work.unpaid);
        let mut best: Option<Alternative> = None;
        let mut offer = |alternative: Alternative, workshop: &mut Workshop| {
            let price = price(alternative.footing, alternative.error, alternative.bits);
            let other = if price < least {
                least = price;
                best.replace(alternative)
            } else {
                Some(alternative)
            };
            workshop.recycle(other);
        };
        let footing = |needs: &Needs| {
            if self.loss == 0.0 {
                Footing::sure(work.error())
            } else {
                self.prospects[tile].footing(needs, self.loss)
            }
        };
        let mut residual = workshop.residual();
        residual.copy_from_slice(target);
        let reset = Alternative {
            start: Start::Reset,
            error: energy(target),
            bits: self.cost.reset(),
            footing: footing(&Needs::default()),
            residual,
        };
        offer(reset, workshop);
        let expected = Price {
            expected: last,
            // Squared error counts half pixels squared.
            per_bit: (self.lambda / 4.0).sqrt(),
        };
        let found = search(self.luma, self.known, tile, hint, self.reach, expected);
        let still = [Displacement::default(); 4];
        let mut copy = |displacements: [Displacement; 4], filter: Filter| {
            let grid = self.updater.samples().grid();
            let mut bits = self.cost.copy(&displacements, filter, last);
            let mut needs = Needs::default();
            for source in sources(grid, tile, &displacements, filter) {
                let Some(base) = self.bases[source] else {
                    return f32::INFINITY;
                };
                bits += self.cost.base(base);
                needs = needs.with(&self.needs[source]);
            }
            self.updater
                .copy(tile, &displacements, filter, &mut workshop.content);
            let mut residual = workshop.residual();
            less(target, &workshop.content.sums, &mut residual);
            let error = energy(&residual);
            let alternative = Alternative {
                start: Start::Copy {
                    displacements,
                    filter,
                },
                error,
                bits,
                footing: footing(&needs),
                residual,
            };
            offer(alternative, workshop);
            error
        };
        let whole = found.whole.1;
        let moved = whole.min(found.quarters.map_or(u32::MAX, |(_, sum)| sum));
        if moved as f32 > STILL * found.rest as f32 {
            copy(still, Filter::Smooth);
            return best;
        }
        let mut filter = (self.filters[0], f32::INFINITY);
        let displacements = [found.whole.0; 4];
        for &one in self.filters {
            if displacements == still && one != Filter::Smooth {
                continue; // that is keeping, at a price
            }
            let error = copy(displacements, one);
            if error < filter.1 {
                filter = (one, error);
            }
        }
        // Quarters are weighed with the filter that suits the whole.
        if let Some((quarters, sum)) = found.quarters
            && (sum as f32) < whole as f32 * QUARTERS_MAY
        {
            copy(quarters, filter.0);
        }
        best
    }
}
