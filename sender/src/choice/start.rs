//! Where a tile's update starts: what the tile has, a displaced picture, or nothing.

use raq_shared::stage::Stages;
use raq_shared::tile::apply::sources;
use raq_shared::tile::{Base, Content, Displacement, Filter, Start, Updater};

use super::cost::Cost;
use super::motion::{Luma, Reach, Target, search};
use super::tile_work::{TileWork, energy};

/// Whole tiles displaced in fewer than this part of the error of four separate quarters lose to
/// them.
const QUARTERS_WIN: f32 = 0.93;

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
        let found = search(self.luma, self.known, tile, hint, self.reach);
        let still = [Displacement::default(); 4];
        let mut displacements = [found.whole.0; 4];
        if let Some((quarters, sum)) = found.quarters
            && (sum as f32) < found.whole.1 as f32 * QUARTERS_WIN
        {
            displacements = quarters;
        }
        let least = found
            .whole
            .1
            .min(found.quarters.map_or(u32::MAX, |(_, sum)| sum));
        if least as f32 > STILL * found.rest as f32 {
            displacements = still;
        }
        let mut content = Content::new(self.stages.dim());
        for &filter in self.filters {
            if displacements == still && filter != Filter::Smooth {
                continue; // that is keeping, at a price
            }
            let grid = self.updater.samples().grid();
            let mut read = sources(grid, tile, &displacements, filter);
            if read.any(|source| self.bases[source].is_none()) {
                continue;
            }
            self.updater
                .copy(tile, &displacements, filter, &mut content);
            let residual: Vec<i16> = target
                .iter()
                .zip(&content.sums)
                .map(|(&t, &s)| t.saturating_sub(s))
                .collect();
            offer(Alternative {
                start: Start::Copy {
                    displacements,
                    filter,
                },
                error: energy(&residual),
                bits: self.cost.copy(&displacements, filter, last),
                residual,
            });
        }
        best
    }
}
