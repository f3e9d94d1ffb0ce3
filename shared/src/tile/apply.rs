//! The one function that turns contents into the next generation, run by both ends.

use std::sync::Arc;

use super::basis::{Basis, PATCH, Patch};
use super::content::Content;
use super::displace::{Displacement, Filter, QUARTER_PIXELS, Samples};
use super::grid::{TILE_PIXELS, TileGrid};
use super::update::{Start, Update};
use crate::stage::{POSITIONS, Stages, TILE};

/// The tiles that a copy to `tile` reads, ascending: every tile that has a sample under one of the
/// filter's taps.
pub fn sources(
    grid: TileGrid,
    tile: usize,
    displacements: &[Displacement; 4],
    filter: Filter,
) -> impl Iterator<Item = usize> + use<> {
    let (column, row) = grid.place(tile);
    let mut first = (usize::MAX, usize::MAX);
    let mut last = (0, 0);
    // Quarters displaced alike read one rectangle; different ones a union that is no rectangle.
    let mut needed = [[false; 5]; 5];
    let corner = (column.saturating_sub(2), row.saturating_sub(2));
    for (quarter, by) in displacements.iter().enumerate() {
        let (left, top) = quarter_place(grid, tile, quarter);
        let (x0, x1) = span(left, by.dx, filter, grid.width());
        let (y0, y1) = span(top, by.dy, filter, grid.height());
        for y in y0..=y1 {
            for x in x0..=x1 {
                needed[y - corner.1][x - corner.0] = true;
                first = (first.0.min(x), first.1.min(y));
                last = (last.0.max(x), last.1.max(y));
            }
        }
    }
    (first.1..=last.1).flat_map(move |y| {
        (first.0..=last.0)
            .filter(move |x| needed[y - corner.1][x - corner.0])
            .map(move |x| y * grid.columns + x)
    })
}

/// Left and top of a quarter of a tile, luma pixels.
pub fn quarter_place(grid: TileGrid, tile: usize, quarter: usize) -> (usize, usize) {
    let (column, row) = grid.place(tile);
    (
        column * TILE_PIXELS + quarter % 2 * QUARTER_PIXELS,
        row * TILE_PIXELS + quarter / 2 * QUARTER_PIXELS,
    )
}

/// First and last tile along one axis that a quarter at `start` reads, the edge repeated.
fn span(start: usize, by: i16, filter: Filter, side: usize) -> (usize, usize) {
    let (before, after) = match (filter, by & 1 == 1) {
        (Filter::Sharp | Filter::Linear, false) => (0, 0),
        (Filter::Sharp, true) => (2, 3),
        (Filter::Linear, true) => (0, 1),
        (Filter::Smooth, false) => (1, 1),
        (Filter::Smooth, true) => (1, 2),
    };
    let quarter = QUARTER_PIXELS as isize;
    let luma = start as isize + isize::from(by >> 1);
    // Chroma in luma pixels: whole chroma samples, and one more between two of them.
    let chroma = start as isize + 2 * isize::from(by >> 2);
    let more = if by & 3 == 0 { 0 } else { 2 };
    let first = (luma - before).min(chroma);
    let last = (luma + quarter - 1 + after).max(chroma + quarter - 1 + more);
    let tile = |at: isize| at.clamp(0, side as isize - 1) as usize / TILE_PIXELS;
    (tile(first), tile(last))
}

/// Applies updates; keeps the synthesised samples of the generations that copies read.
#[derive(Debug, Clone)]
pub struct Updater {
    stages: Arc<Stages>,
    basis: Arc<Basis>,
    samples: Samples,
    /// Per tile the generation (frame number) that `samples` shows.
    rendered: Vec<Option<u32>>,
}

impl Updater {
    /// For pictures of these tiles.
    ///
    /// # Panics
    /// When stages and basis are for latents of different length.
    pub fn new(grid: TileGrid, stages: Arc<Stages>, basis: Arc<Basis>) -> Self {
        assert_eq!(stages.dim(), basis.dim(), "stages and basis of one model");
        Self {
            stages,
            basis,
            samples: Samples::new(grid),
            rendered: vec![None; grid.tiles()],
        }
    }

    /// The stages.
    pub fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// The linear skip.
    pub fn basis(&self) -> &Arc<Basis> {
        &self.basis
    }

    /// What has been rendered so far.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Makes `samples` show this generation of a tile.
    pub fn render(&mut self, tile: usize, generation: u32, content: &Content) {
        if self.rendered[tile] != Some(generation) {
            self.rendered[tile] = Some(generation);
            render(&self.basis, tile, &content.sums, &mut self.samples);
        }
    }

    /// Puts the displaced picture into `content`; the sources must be rendered.
    pub fn copy(
        &self,
        tile: usize,
        displacements: &[Displacement; 4],
        filter: Filter,
        content: &mut Content,
    ) {
        let grid = self.samples.grid();
        let mut patches: [Patch; POSITIONS] = [[0; PATCH]; POSITIONS];
        for (quarter, &by) in displacements.iter().enumerate() {
            let place = quarter_place(grid, tile, quarter);
            let luma = self.samples.displaced_luma(place, by, filter);
            let chroma = [0, 1].map(|plane| self.samples.displaced_chroma(plane, place, by));
            for (n, inner) in crate::stage::Cover::Quarter.members(quarter).enumerate() {
                let (x, y) = (n % 2, n / 2);
                let patch = &mut patches[inner];
                for row in 0..8 {
                    let from = (y * 8 + row) * QUARTER_PIXELS + x * 8;
                    patch[row * 8..][..8].copy_from_slice(&luma[from..from + 8]);
                }
                for (plane, samples) in chroma.iter().enumerate() {
                    for row in 0..4 {
                        let from = (y * 4 + row) * QUARTER_PIXELS / 2 + x * 4;
                        patch[64 + plane * 16 + row * 4..][..4]
                            .copy_from_slice(&samples[from..from + 4]);
                    }
                }
            }
        }
        for (patch, latent) in patches
            .iter()
            .zip(content.sums.chunks_exact_mut(self.basis.dim()))
        {
            self.basis.analyse(patch, latent);
        }
    }

    /// The content after `update` in a frame of this `level`, into `content`.
    ///
    /// `before` is the content of a kept tile's base; the sources of a copy must be rendered.
    /// Depth: of a kept tile's untouched positions the finer of what it was and the frame's level,
    /// of all others the level. Returns whether a sum saturated.
    ///
    /// # Panics
    /// When the update does not fit the stages, or a kept tile comes without its base.
    pub fn apply(
        &self,
        update: &Update,
        level: u8,
        before: Option<&Content>,
        content: &mut Content,
    ) -> bool {
        match &update.start {
            Start::Reset => content.reset(),
            Start::Keep(_) => content.copy_from(before.expect("a kept tile has a base")),
            Start::Copy {
                displacements,
                filter,
            } => self.copy(update.tile as usize, displacements, *filter, content),
        }
        let mut touched = match update.start {
            Start::Keep(_) => 0,
            _ => u16::MAX,
        };
        let mut saturated = false;
        for operation in &update.operations {
            let (stage, block) = (usize::from(operation.stage), usize::from(operation.block));
            saturated |= content.refine(&self.stages, stage, block, operation.index);
            touched |= self.stages.cover(stage).mask(block);
        }
        for (inner, depth) in content.depth.iter_mut().enumerate() {
            *depth = if touched >> inner & 1 == 1 {
                level
            } else {
                level.max(*depth)
            };
        }
        saturated
    }
}

/// Puts the samples of a tile's sums `[16, dim]` in their place.
pub fn render(basis: &Basis, tile: usize, sums: &[i16], samples: &mut Samples) {
    let (column, row) = samples.grid().place(tile);
    let mut patch = [0; PATCH];
    for (inner, latent) in sums.chunks_exact(basis.dim()).enumerate() {
        basis.synthesise(latent, &mut patch);
        samples.put(
            column * TILE + inner % TILE,
            row * TILE + inner / TILE,
            &patch,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Cover, Stage, StageCodebook};
    use crate::tile::update::{Base, Operation};
    use proptest::prelude::*;

    const GRID: TileGrid = TileGrid {
        columns: 4,
        rows: 3,
    };

    fn updater() -> Updater {
        let rows = (0..64).map(|i| (i * 31 % 67 - 33) as i16).collect();
        let book = StageCodebook::new(Cover::Quarter, 8, rows).unwrap();
        let stage = |shift| Stage { codebook: 0, shift };
        let stages = Stages::new(12, vec![book], vec![stage(0), stage(2)]).unwrap();
        Updater::new(GRID, Arc::new(stages), Arc::new(Basis::cosine(12).unwrap()))
    }

    fn noise(seed: u32) -> Content {
        let mut content = Content::new(12);
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        for value in &mut content.sums {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = (state >> 16) as i16 / 64;
        }
        content
    }

    #[test]
    fn a_whole_tile_s_displacement_moves_the_tile() {
        let mut updater = updater();
        for tile in 0..GRID.tiles() {
            updater.render(tile, 7, &noise(tile as u32));
        }
        let by = Displacement { dx: -64, dy: 64 };
        // Within reach are whole tiles but one half pixel; the kernel itself has no such bound.
        let mut content = Content::new(12);
        updater.copy(5, &[by; 4], Filter::Sharp, &mut content);
        for (a, b) in content.sums.iter().zip(&noise(8).sums) {
            assert!(a.abs_diff(*b) <= 1);
        }
    }

    #[test]
    fn depth_follows_the_level_where_something_changed() {
        let updater = updater();
        let mut before = Content::new(12);
        before.depth = [50; 16];
        let mut update = Update::new(3, Start::Keep(Base::Floor));
        update.operations = vec![Operation {
            stage: 1,
            block: 1,
            index: 1,
        }];
        let mut content = Content::new(12);
        updater.apply(&update, 20, Some(&before), &mut content);
        assert_eq!(content.depth[..8], [50, 50, 20, 20, 50, 50, 20, 20]);
        updater.apply(&update, 70, Some(&before), &mut content);
        assert_eq!(content.depth, [70; 16]);
        update.start = Start::Reset;
        updater.apply(&update, 20, None, &mut content);
        assert_eq!(content.depth, [20; 16]);
    }

    proptest! {
        /// The named sources are exactly what a copy reads.
        #[test]
        fn copies_read_their_sources_and_nothing_else(
            tile in 0usize..12, seed: u32, which in 0usize..3, split: bool,
            moves in prop::array::uniform4((-63i16..=63, -63i16..=63)),
        ) {
            let filter = Filter::ALL[which];
            let mut displacements = moves.map(|(dx, dy)| Displacement { dx, dy });
            if !split {
                displacements = [displacements[0]; 4];
            }
            let inside = displacements.iter().enumerate().all(|(quarter, by)| {
                let (left, top) = quarter_place(GRID, tile, quarter);
                by.stays_inside(GRID, left, top)
            });
            prop_assume!(inside);
            let named: Vec<usize> = sources(GRID, tile, &displacements, filter).collect();
            prop_assert!(named.is_sorted() && named.len() <= 9 + 7);
            let mut updater = updater();
            for t in 0..GRID.tiles() {
                updater.render(t, 0, &noise(seed ^ t as u32));
            }
            let mut expected = Content::new(12);
            updater.copy(tile, &displacements, filter, &mut expected);
            for t in 0..GRID.tiles() {
                // Loud, for of a corner only one sample may be read, with little weight, and rounded; and
                // more than one, for any may give the same by chance.
                let changes = (77..85).any(|change| {
                    let mut other = updater.clone();
                    let mut loud = noise(seed ^ change ^ t as u32);
                    loud.sums.iter_mut().for_each(|value| *value *= 60);
                    other.render(t, 1, &loud);
                    let mut content = Content::new(12);
                    other.copy(tile, &displacements, filter, &mut content);
                    content != expected
                });
                if !named.contains(&t) {
                    prop_assert!(!changes, "tile {} is read and not named", t);
                } else if !split {
                    prop_assert!(changes, "tile {} is named and not read", t);
                }
            }
        }
    }
}
