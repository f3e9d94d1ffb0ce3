//! Displaced pictures: what a copy takes its samples from.
//!
//! Synthesised samples of the picture are read at a whole or half pixel's displacement through
//! one of three filters. Quantisation noise is often larger than the detail that a sharp filter
//! keeps, so smooth ones predict better where the picture is coarse.

use super::basis::{BASIS_BITS, Patch, SAMPLE_LIMIT};
use super::grid::{TILE_PIXELS, TileGrid};

/// The largest displacement in either direction, half pixels: just under a tile.
pub const REACH: i16 = 2 * TILE_PIXELS as i16 - 1;
/// Luma pixels along one side of a quarter.
pub const QUARTER_PIXELS: usize = TILE_PIXELS / 2;
/// Samples that a filter reads before the first and after the last of a row.
const MARGIN: usize = 3;
/// Side of the luma window that a quarter is filtered from.
const WINDOW: usize = QUARTER_PIXELS + 2 * MARGIN;
/// Side of the chroma window.
const CHROMA_WINDOW: usize = QUARTER_PIXELS / 2 + 1;

const _: () = assert!(
    BASIS_BITS == 12 && SAMPLE_LIMIT < 1 << 14,
    "sums of 64 samples fit i32"
);

/// From where a copy takes its samples, in half luma pixels: the sample at x comes from x + dx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Displacement {
    /// To the right, −[`REACH`]..=[`REACH`].
    pub dx: i16,
    /// Downwards.
    pub dy: i16,
}

impl Displacement {
    /// Whether both parts are within reach and the quarter at (`left`, `top`), luma pixels, comes
    /// from inside the picture (between two pixels of it, for half pixels).
    pub fn stays_inside(self, grid: TileGrid, left: usize, top: usize) -> bool {
        let fits = |at: usize, by: i16, side: usize| {
            let first = 2 * at as i64 + i64::from(by);
            by.abs() <= REACH && first >= 0 && first <= 2 * (side as i64 - QUARTER_PIXELS as i64)
        };
        fits(left, self.dx, grid.width()) && fits(top, self.dy, grid.height())
    }
}

/// How samples between pixels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Six taps at half pixels (1, −5, 20, 20, −5, 1)/32-like, none at whole ones.
    Sharp,
    /// The mean of two neighbours at half pixels, none at whole ones.
    Linear,
    /// [`Filter::Linear`], then (1, 2, 1)/4.
    Smooth,
}

impl Filter {
    /// All filters, in the order of the wire.
    pub const ALL: [Self; 3] = [Self::Sharp, Self::Linear, Self::Smooth];

    /// Weights of the samples −2..=3 around the place, sum 64; for a whole or a half pixel.
    fn taps(self, half: bool) -> [i32; 6] {
        match (self, half) {
            (Self::Sharp | Self::Linear, false) => [0, 0, 64, 0, 0, 0],
            (Self::Sharp, true) => [2, -9, 39, 39, -9, 2],
            (Self::Linear, true) => [0, 0, 32, 32, 0, 0],
            (Self::Smooth, false) => [0, 16, 32, 16, 0, 0],
            (Self::Smooth, true) => [0, 8, 24, 24, 8, 0],
        }
    }
}

/// The synthesised samples of a whole picture, units of 1/8 pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    grid: TileGrid,
    luma: Vec<i16>,
    chroma: [Vec<i16>; 2],
}

impl Samples {
    /// Mid-grey.
    pub fn new(grid: TileGrid) -> Self {
        let luma = grid.width() * grid.height();
        Self {
            grid,
            luma: vec![0; luma],
            chroma: [vec![0; luma / 4], vec![0; luma / 4]],
        }
    }

    /// Luma, `[height, width]` of the padded picture.
    pub fn luma(&self) -> &[i16] {
        &self.luma
    }

    /// The picture's tiles.
    pub fn grid(&self) -> TileGrid {
        self.grid
    }

    /// Puts the samples of position (`x`, `y`) in their place.
    pub fn put(&mut self, x: usize, y: usize, patch: &Patch) {
        let width = self.grid.width();
        let (luma, chroma) = patch.split_at(64);
        for (row, part) in luma.chunks_exact(8).enumerate() {
            self.luma[(y * 8 + row) * width + x * 8..][..8].copy_from_slice(part);
        }
        for (plane, part) in self.chroma.iter_mut().zip(chroma.chunks_exact(16)) {
            for (row, part) in part.chunks_exact(4).enumerate() {
                plane[(y * 4 + row) * width / 2 + x * 4..][..4].copy_from_slice(part);
            }
        }
    }

    /// The luma of the quarter at (`left`, `top`) as displaced, `[16, 16]`.
    pub fn displaced_luma(
        &self,
        (left, top): (usize, usize),
        by: Displacement,
        filter: Filter,
    ) -> [i16; QUARTER_PIXELS * QUARTER_PIXELS] {
        let (width, height) = (self.grid.width(), self.grid.height());
        let at = |start: usize, by: i16| start as isize + isize::from(by >> 1) - 2;
        let mut window = [[0i16; WINDOW]; WINDOW];
        fetch(
            &self.luma,
            (width, height),
            (at(left, by.dx), at(top, by.dy)),
            &mut window,
        );
        let (across, down) = (filter.taps(by.dx & 1 == 1), filter.taps(by.dy & 1 == 1));
        let mut out = [0; QUARTER_PIXELS * QUARTER_PIXELS];
        filter_luma(&window, across, down, &mut out);
        out
    }

    /// One chroma plane of the quarter at (`left`, `top`), luma pixels, as displaced, `[8, 8]`:
    /// linear between its samples, to a quarter of their distance.
    pub fn displaced_chroma(
        &self,
        plane: usize,
        (left, top): (usize, usize),
        by: Displacement,
    ) -> [i16; QUARTER_PIXELS * QUARTER_PIXELS / 4] {
        const SIDE: usize = QUARTER_PIXELS / 2;
        let (width, height) = (self.grid.width() / 2, self.grid.height() / 2);
        let at = |start: usize, by: i16| (start / 2) as isize + isize::from(by >> 2);
        let mut window = [[0i16; CHROMA_WINDOW]; CHROMA_WINDOW];
        let from = (at(left, by.dx), at(top, by.dy));
        fetch(&self.chroma[plane], (width, height), from, &mut window);
        let (fx, fy) = (i32::from(by.dx & 3), i32::from(by.dy & 3));
        let mut out = [0; SIDE * SIDE];
        filter_chroma(&window, fx, fy, &mut out);
        out
    }
}

/// Samples of a quarter of luma.
type LumaQuarter = [i16; QUARTER_PIXELS * QUARTER_PIXELS];
/// Samples of a quarter of chroma.
type ChromaQuarter = [i16; QUARTER_PIXELS * QUARTER_PIXELS / 4];

crate::twice! {
    /// Filters a window of luma across, then down.
    fn filter_luma [filter_luma_plain, filter_luma_avx2] (
        window: &[[i16; WINDOW]; WINDOW],
        across: [i32; 6],
        down: [i32; 6],
        out: &mut LumaQuarter,
    ) -> () {
        let mut middle = [[0i16; QUARTER_PIXELS]; WINDOW];
        for (out, row) in middle.iter_mut().zip(window) {
            weigh(across, |tap| row[tap..].first_chunk(), out);
        }
        for (y, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
            weigh(down, |tap| middle.get(y + tap), out);
        }
    }
}

/// The sum of six rows, each times its tap; 64 stand for one.
#[inline(always)]
fn weigh<'a>(
    taps: [i32; 6],
    row: impl Fn(usize) -> Option<&'a [i16; QUARTER_PIXELS]>,
    out: &mut [i16; QUARTER_PIXELS],
) {
    // A row at a time, which lets whole registers be summed.
    let mut sums = [32; QUARTER_PIXELS];
    for (tap, &weight) in taps.iter().enumerate() {
        let Some(row) = row(tap).filter(|_| weight != 0) else {
            continue;
        };
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += weight * i32::from(value);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = held(sum >> 6);
    }
}

crate::twice! {
    /// Linear between the samples of a window of chroma, at quarters of their distance.
    fn filter_chroma [filter_chroma_plain, filter_chroma_avx2] (
        window: &[[i16; CHROMA_WINDOW]; CHROMA_WINDOW],
        fx: i32,
        fy: i32,
        out: &mut ChromaQuarter,
    ) -> () {
        for (y, row) in out.chunks_exact_mut(QUARTER_PIXELS / 2).enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                let line = |row: &[i16; CHROMA_WINDOW]| {
                    i32::from(row[x]) * (4 - fx) + i32::from(row[x + 1]) * fx
                };
                let sum = line(&window[y]) * (4 - fy) + line(&window[y + 1]) * fy;
                *value = held((sum + 8) >> 4);
            }
        }
    }
}

#[inline(always)]
fn held(value: i32) -> i16 {
    value.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT) as i16
}

/// Reads a square window whose first sample is `from`; beyond the plane its edge repeats.
fn fetch<const N: usize>(
    plane: &[i16],
    (width, height): (usize, usize),
    (left, top): (isize, isize),
    window: &mut [[i16; N]; N],
) {
    let row_at = |y: usize| (top + y as isize).clamp(0, height as isize - 1) as usize * width;
    let inside = left >= 0 && left as usize + N <= width;
    for (y, out) in window.iter_mut().enumerate() {
        let row = &plane[row_at(y)..][..width];
        if inside {
            out.copy_from_slice(&row[left as usize..][..N]);
        } else {
            for (x, value) in out.iter_mut().enumerate() {
                *value = row[(left + x as isize).clamp(0, width as isize - 1) as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::basis::PATCH;

    /// Samples with luma f(x, y) and chroma g(x, y).
    fn picture(f: impl Fn(usize, usize) -> i16, g: impl Fn(usize, usize) -> i16) -> Samples {
        let grid = TileGrid {
            columns: 3,
            rows: 2,
        };
        let mut samples = Samples::new(grid);
        for (x, y) in (0..8).flat_map(|y| (0..12).map(move |x| (x, y))) {
            let mut patch: Patch = [0; PATCH];
            for (i, value) in patch[..64].iter_mut().enumerate() {
                *value = f(x * 8 + i % 8, y * 8 + i / 8);
            }
            for i in 0..16 {
                patch[64 + i] = g(x * 4 + i % 4, y * 4 + i / 4);
                patch[80 + i] = -patch[64 + i];
            }
            samples.put(x, y, &patch);
        }
        samples
    }

    #[test]
    fn whole_pixels_move_samples_unchanged() {
        let f = |x: usize, y: usize| (x * 7 + y * 13) as i16 % 97;
        let g = |x: usize, y: usize| (x * 3 + y * 5) as i16;
        let samples = picture(f, g);
        let by = Displacement { dx: -12, dy: 8 };
        for filter in [Filter::Sharp, Filter::Linear] {
            let luma = samples.displaced_luma((32, 16), by, filter);
            for (i, &value) in luma.iter().enumerate() {
                assert_eq!(value, f(32 - 6 + i % 16, 16 + 4 + i / 16));
            }
        }
        for (plane, sign) in [(0, 1), (1, -1)] {
            let chroma = samples.displaced_chroma(plane, (32, 16), by);
            for (i, &value) in chroma.iter().enumerate() {
                assert_eq!(value, sign * g(16 - 3 + i % 8, 8 + 2 + i / 8));
            }
        }
    }

    #[test]
    fn every_filter_keeps_a_ramp() {
        let samples = picture(
            |x, y| (x * 8 + y * 16) as i16,
            |x, y| (x * 16 + y * 32) as i16,
        );
        for filter in Filter::ALL {
            let by = Displacement { dx: 3, dy: -5 };
            let luma = samples.displaced_luma((32, 32), by, filter);
            for (i, &value) in luma.iter().enumerate() {
                let (x, y) = (32.0 + (i % 16) as f64 + 1.5, 32.0 + (i / 16) as f64 - 2.5);
                assert!(
                    (f64::from(value) - (x * 8.0 + y * 16.0)).abs() <= 1.0,
                    "{filter:?}"
                );
            }
            let chroma = samples.displaced_chroma(0, (32, 32), by);
            for (i, &value) in chroma.iter().enumerate() {
                let (x, y) = (16.0 + (i % 8) as f64 + 0.75, 16.0 + (i / 8) as f64 - 1.25);
                assert!((f64::from(value) - (x * 16.0 + y * 32.0)).abs() <= 1.0);
            }
        }
    }

    #[test]
    fn filters_repeat_the_edge() {
        let samples = picture(|_, _| 800, |_, _| -80);
        for filter in Filter::ALL {
            let by = Displacement { dx: -1, dy: 0 };
            // (1, 0) is not displaced out of the picture, but its taps are.
            assert_eq!(samples.displaced_luma((1, 0), by, filter), [800; 256]);
        }
        let corner = Displacement { dx: 0, dy: 0 };
        assert_eq!(
            samples.displaced_luma((80, 48), corner, Filter::Smooth),
            [800; 256]
        );
        assert_eq!(samples.displaced_chroma(0, (80, 48), corner), [-80; 64]);
    }

    #[test]
    fn both_builds_filter_alike() {
        let value = |i: usize| (i * 7919 % 32767) as i16 - SAMPLE_LIMIT as i16;
        let window = std::array::from_fn(|y| std::array::from_fn(|x| value(y * WINDOW + x)));
        for (across, down) in Filter::ALL.iter().flat_map(|f| {
            let halves = [(false, false), (true, false), (false, true), (true, true)];
            halves.map(|(x, y)| (f.taps(x), f.taps(y)))
        }) {
            let (mut found, mut plain) = ([0; 256], [0; 256]);
            filter_luma(&window, across, down, &mut found);
            filter_luma_plain(&window, across, down, &mut plain);
            assert_eq!(found, plain);
        }
        let window = std::array::from_fn(|y| std::array::from_fn(|x| value(y * WINDOW + x)));
        let (mut found, mut plain) = ([0; 64], [0; 64]);
        filter_chroma(&window, 3, 1, &mut found);
        filter_chroma_plain(&window, 3, 1, &mut plain);
        assert_eq!(found, plain);
    }

    #[test]
    fn displacements_stay_inside() {
        let grid = TileGrid {
            columns: 3,
            rows: 2,
        };
        let stays = |dx, dy, left, top| Displacement { dx, dy }.stays_inside(grid, left, top);
        assert!(stays(0, 0, 0, 0) && stays(0, 0, 80, 48));
        assert!(stays(-32, 0, 16, 0) && !stays(-33, 0, 16, 0));
        assert!(stays(32, 0, 64, 0) && !stays(33, 0, 64, 0) && !stays(1, 0, 80, 0));
        assert!(!stays(0, -1, 0, 0) && !stays(0, 1, 0, 48));
        assert!(!stays(REACH + 1, 0, 0, 0) && stays(REACH, REACH, 0, 0));
    }
}
