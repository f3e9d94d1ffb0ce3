//! Where a tile's update starts: what the tile has, a displaced picture, or nothing.

use raq_shared::stage::Stages;
use raq_shared::tile::apply::sources;
use raq_shared::tile::{Base, Content, Displacement, Filter, Start, Updater};

use super::cost::Cost;
use super::motion::{Luma, Price, Reach, Target, search};
use super::tile_work::{TileWork, energy};

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
    /// Target less what it starts from.
    pub residual: Vec<i16>,
}

/// What the starts of a frame's tiles are weighed with.
#[derive(Debug)]
pub struct Starts<'a> {
    /// The model's stages.
    pub stages: &'a Stages,
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
    /// Per tile how updates name what is known of it.
    pub bases: &'a [Option<Base>],
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
    ) -> Option<Alternative> {
        let worth = |error: f32, bits: f32| error + self.lambda * bits;
        let keep = worth(work.error(), self.cost.keep());
        let mut best: Option<Alternative> = None;
        let mut offer = |alternative: Alternative| {
            let value = worth(alternative.error, alternative.bits);
            let bar = best.as_ref().map_or(keep, |b| worth(b.error, b.bits));
            if value < bar {
                best = Some(alternative);
            }
        };
        offer(Alternative {
            start: Start::Reset,
            error: energy(target),
            bits: self.cost.reset(),
            residual: target.to_vec(),
        });
        let price = Price {
            expected: last,
            // Squared error counts half pixels squared.
            per_bit: (self.lambda / 4.0).sqrt(),
        };
        let found = search(self.luma, self.known, tile, hint, self.reach, price);
        let still = [Displacement::default(); 4];
        let mut content = Content::new(self.stages.dim());
        let mut copy = |displacements: [Displacement; 4], filter: Filter| {
            let grid = self.updater.samples().grid();
            let mut read = sources(grid, tile, &displacements, filter);
            if read.any(|source| self.bases[source].is_none()) {
                return f32::INFINITY;
            }
            self.updater
                .copy(tile, &displacements, filter, &mut content);
            let residual: Vec<i16> = target
                .iter()
                .zip(&content.sums)
                .map(|(&t, &s)| t.saturating_sub(s))
                .collect();
            let error = energy(&residual);
            offer(Alternative {
                start: Start::Copy {
                    displacements,
                    filter,
                },
                error,
                bits: self.cost.copy(&displacements, filter, last),
                residual,
            });
            error
        };
        let whole = found.whole.1;
        let least = whole.min(found.quarters.map_or(u32::MAX, |(_, sum)| sum));
        if least as f32 > STILL * found.rest as f32 {
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
