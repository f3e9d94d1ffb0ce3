//! Motion search: from where in the picture that both ends have a tile is best copied.
//!
//! Sums of absolute differences between the frame's luma and the 8-bit luma of what is known.

use raq_shared::tile::displace::{REACH, Samples};
use raq_shared::tile::grid::TILE_PIXELS;
use raq_shared::tile::{Displacement, TileGrid, apply::quarter_place};

use super::sad;

/// Whole pixels to every side of a hint that are looked at.
const AROUND_HINT: i16 = 8;

/// How far and how finely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Whole pixels to every side of rest.
    pub pixels: i16,
    /// Pixels between the places that are looked at first, even: 2 are neighbours at half size.
    pub step: usize,
    /// Whether each quarter may go its own way.
    pub quarters: bool,
}

/// Luma in 8 bits, `[height, width]`.
#[derive(Debug, Clone)]
pub struct Luma {
    grid: TileGrid,
    pixels: Vec<u8>,
    halved: Vec<u8>,
}

impl Luma {
    /// Black.
    pub fn new(grid: TileGrid) -> Self {
        Self {
            grid,
            pixels: vec![0; grid.width() * grid.height()],
            halved: Vec::new(),
        }
    }

    /// Takes a tile's synthesised luma.
    pub fn take(&mut self, tile: usize, samples: &Samples) {
        let (column, row) = self.grid.place(tile);
        let width = self.grid.width();
        for y in row * TILE_PIXELS..(row + 1) * TILE_PIXELS {
            let at = y * width + column * TILE_PIXELS;
            let from = &samples.luma()[at..at + TILE_PIXELS];
            for (pixel, &sample) in self.pixels[at..at + TILE_PIXELS].iter_mut().zip(from) {
                *pixel = (((i32::from(sample) + 4) >> 3) + 128).clamp(0, 255) as u8;
            }
        }
    }
}

/// What the search found for a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Motion {
    /// The difference of the tile at rest.
    pub rest: u32,
    /// The best displacement of the whole tile and its difference.
    pub whole: (Displacement, u32),
    /// The best of each quarter and their differences' sum, where they were looked for.
    pub quarters: Option<([Displacement; 4], u32)>,
}

/// What a displacement costs, in units of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// The displacement that the coder expects.
    pub expected: Displacement,
    /// Difference per bit: about the square root of the error that a bit has to save.
    pub per_bit: f32,
}

impl Price {
    /// Of a displacement in half pixels.
    fn of(self, dx: i16, dy: i16) -> u32 {
        self.along(dx, self.expected.dx) + self.along(dy, self.expected.dy)
    }

    /// Of one part of it.
    fn along(self, by: i16, expected: i16) -> u32 {
        let bits = 2 * (u16::BITS - (by - expected).unsigned_abs().leading_zeros());
        (bits as f32 * self.per_bit) as u32
    }
}

impl Luma {
    /// Half the size in both directions: means of 2×2 pixels, `[height / 2, width / 2]`.
    pub fn halve(pixels: &[u8], width: usize, out: &mut Vec<u8>) {
        out.clear();
        out.resize(pixels.len() / 4, 0);
        let rows = pixels.chunks_exact(2 * width);
        for (rows, out) in rows.zip(out.chunks_exact_mut(width / 2)) {
            let (upper, lower) = rows.split_at(width);
            halve_rows(upper, lower, out);
        }
    }

    /// Brings the half-sized luma up to date.
    pub fn refresh(&mut self) {
        Self::halve(&self.pixels, self.grid.width(), &mut self.halved);
    }
}

raq_shared::twice! {
    /// Means of the squares of two rows, half as many.
    fn halve_rows [halve_rows_plain, halve_rows_avx2] (
        upper: &[u8],
        lower: &[u8],
        out: &mut [u8],
    ) -> () {
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        for (out, (&[a, b], &[c, d])) in out.iter_mut().zip(pairs) {
            let sum = u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

/// A frame's luma at both sizes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Padded, `[height, width]`.
    pub full: &'a [u8],
    /// [`Luma::halve`] of it.
    pub halved: &'a [u8],
}

/// Searches for `tile` of a frame in the picture `known`, which is up to date; around rest and
/// around `hint`. Differences include the price of the displacement.
///
/// First at half size, quarters and whole tile at once, then what was left out around the best of each;
/// then whole pixels around the best, then half pixels.
pub fn search(
    target: Target<'_>,
    known: &Luma,
    tile: usize,
    hint: Displacement,
    reach: Reach,
    price: Price,
) -> Motion {
    let grid = known.grid;
    let width = grid.width();
    let places = [0, 1, 2, 3].map(|quarter| quarter_place(grid, tile, quarter));
    let (left, top) = (places[0].0 as i16, places[0].1 as i16);
    let side = TILE_PIXELS as i16;
    // Whole tiles stay inside while searching, so that every quarter does.
    let low = ((-left).max(-31), (-top).max(-31));
    let high = (
        (width as i16 - side - left).min(31),
        (grid.height() as i16 - side - top).min(31),
    );
    let inside =
        |(dx, dy): (i16, i16)| (low.0..=high.0).contains(&dx) && (low.1..=high.1).contains(&dy);
    let mut best = [((0i16, 0i16), u32::MAX); 5];
    let offer = |sums: [u32; 4], by: (i16, i16), moved: u32, best: &mut [((i16, i16), u32); 5]| {
        for (best, sum) in best
            .iter_mut()
            .zip(sums.into_iter().chain([sums.iter().sum()]))
        {
            if sum + moved < best.1 {
                *best = (by, sum + moved);
            }
        }
    };
    let half_width = width / 2;
    let (x, y) = places[0];
    let centre = y / 2 * half_width + x / 2;
    let mut across = [0; REACH as usize + 1];
    for (price_of, dx) in across
        .iter_mut()
        .zip((low.0 + (low.0 & 1)..=high.0).step_by(2))
    {
        *price_of = price.along(2 * dx, price.expected.dx);
    }
    let small = sad::rows(target.halved, centre, half_width);
    let even = |v: i16| v & !1;
    let hint = (even(hint.dx >> 1), even(hint.dy >> 1));
    let look = |(dx, dy): (i16, i16), best: &mut [((i16, i16), u32); 5]| {
        let from = (y as i16 + dy) as usize / 2 * half_width + (x as i16 + dx) as usize / 2;
        let sums = sad::quarters(&small, &known.halved, from, half_width);
        let row = price.along(2 * dy, price.expected.dy);
        // A quarter of the pixels at half size.
        let moved = (row + across[(dx - low.0) as usize / 2]) / 4;
        offer(sums, (dx, dy), moved, best);
    };
    for (centre, reach, step) in [((0, 0), reach.pixels, reach.step), (hint, AROUND_HINT, 2)] {
        let reach = even(reach);
        let span = |centre: i16, low: i16, high: i16| {
            let first = (centre - reach).max(low + (low & 1));
            (first..=(centre + reach).min(high)).step_by(step)
        };
        for dy in span(centre.1, low.1, high.1) {
            for dx in span(centre.0, low.0, high.0) {
                look((dx, dy), &mut best);
            }
        }
        if hint == (0, 0) {
            break;
        }
    }
    let mut looked = best.map(|(by, _)| by);
    looked.sort_unstable();
    for (n, &by) in looked.iter().enumerate() {
        // Where no place was left out there is nothing between them.
        if reach.step <= 2 || (n > 0 && looked[n - 1] == by) {
            continue;
        }
        for (dx, dy) in around((by.0 / 2, by.1 / 2)).map(|(x, y)| (2 * x, 2 * y)) {
            if inside((dx, dy)) {
                look((dx, dy), &mut best);
            }
        }
    }
    let squares = places.map(|(x, y)| sad::rows(target.full, y * width + x, width));
    let fine = |quarters: &[usize], start: (i16, i16)| -> (Displacement, u32) {
        let whole = |(dx, dy): (i16, i16)| -> u32 {
            let one = |&quarter: &usize| {
                let (x, y) = places[quarter];
                let from = (y as i16 + dy) as usize * width + (x as i16 + dx) as usize;
                sad::square(&squares[quarter], &known.pixels, from, width)
            };
            quarters.iter().map(one).sum()
        };
        let mut best = ((0, 0), whole((0, 0)) + price.of(0, 0));
        for by in around(start).chain([start]).filter(|&by| inside(by)) {
            let sum = whole(by) + price.of(2 * by.0, 2 * by.1);
            if sum < best.1 {
                best = (by, sum);
            }
        }
        let centre = (2 * best.0.0, 2 * best.0.1);
        let mut found = (centre, best.1);
        for (dx, dy) in around(centre) {
            let from = (dx >> 1, dy >> 1);
            // Between two pixels of the picture, both ways.
            let to = (from.0 + (dx & 1), from.1 + (dy & 1));
            if !inside(from) || !inside(to) {
                continue;
            }
            let one = |&quarter: &usize| {
                let (x, y) = places[quarter];
                let at = (y as i16 + from.1) as usize * width + (x as i16 + from.0) as usize;
                let halves = (dx & 1 == 1, dy & 1 == 1);
                sad::half_square(&squares[quarter], &known.pixels, at, width, halves)
            };
            let sum: u32 = quarters.iter().map(one).sum::<u32>() + price.of(dx, dy);
            if sum < found.1 {
                found = ((dx, dy), sum);
            }
        }
        let (dx, dy) = found.0;
        (Displacement { dx, dy }, found.1)
    };
    let rest = {
        let one = |(square, &(x, y)): (_, &(usize, usize))| {
            sad::square(square, &known.pixels, y * width + x, width)
        };
        squares.iter().zip(&places).map(one).sum()
    };
    let whole = fine(&[0, 1, 2, 3], best[4].0);
    let quarters = reach.quarters.then(|| {
        // At half size a quarter is only 64 pixels: the whole tile's place is tried as well.
        let found = [0, 1, 2, 3].map(|quarter| {
            let place = (whole.0.dx >> 1, whole.0.dy >> 1);
            let shared = fine(&[quarter], place);
            if best[quarter].0 == place {
                return shared;
            }
            let own = fine(&[quarter], best[quarter].0);
            if own.1 < shared.1 { own } else { shared }
        });
        (
            found.map(|(by, _)| by),
            found.iter().map(|(_, sum)| sum).sum(),
        )
    });
    Motion {
        rest,
        whole,
        quarters,
    }
}

/// The eight places around one.
fn around((x, y): (i16, i16)) -> impl Iterator<Item = (i16, i16)> {
    let steps = [
        (-1, 0),
        (1, 0),
        (0, -1),
        (0, 1),
        (-1, -1),
        (1, -1),
        (-1, 1),
        (1, 1),
    ];
    steps.into_iter().map(move |(dx, dy)| (x + dx, y + dy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::tile::basis::{PATCH, Patch};

    const GRID: TileGrid = TileGrid {
        columns: 4,
        rows: 4,
    };

    /// A smooth, aperiodic texture.
    fn texture(x: f64, y: f64) -> f64 {
        128.0 + 50.0 * (0.21 * x + 0.05 * y).sin() + 40.0 * (0.17 * y - 0.08 * x * x / 64.0).cos()
    }

    fn known() -> Luma {
        let (mut luma, mut samples) = (Luma::new(GRID), Samples::new(GRID));
        for (x, y) in (0..16).flat_map(|y| (0..16).map(move |x| (x, y))) {
            let mut patch: Patch = [0; PATCH];
            for (i, value) in patch[..64].iter_mut().enumerate() {
                let at = texture((x * 8 + i % 8) as f64, (y * 8 + i / 8) as f64);
                *value = ((at - 128.0) * 8.0).round() as i16;
            }
            samples.put(x, y, &patch);
        }
        (0..GRID.tiles()).for_each(|tile| luma.take(tile, &samples));
        luma.refresh();
        luma
    }

    fn target(dx: f64, dy: f64) -> Vec<u8> {
        let pixel = |i: usize| texture((i % 128) as f64 + dx, (i / 128) as f64 + dy);
        (0..128 * 128)
            .map(|i| pixel(i).round().clamp(0.0, 255.0) as u8)
            .collect()
    }

    fn find(pixels: &[u8], luma: &Luma, tile: usize, hint: Displacement, reach: Reach) -> Motion {
        let mut halved = vec![];
        Luma::halve(pixels, 128, &mut halved);
        let target = Target {
            full: pixels,
            halved: &halved,
        };
        let price = Price {
            expected: Displacement::default(),
            per_bit: 1.0,
        };
        search(target, luma, tile, hint, reach, price)
    }

    #[test]
    fn it_finds_whole_and_half_pixels() {
        let luma = known();
        let moves = [(0.0, 0.0), (-16.0, 16.0), (2.5, -0.5), (7.0, -13.0)];
        // From every second place this texture's own likenesses hide the last one.
        for (step, moves) in [(2, &moves[..]), (4, &moves[..3])] {
            let reach = Reach {
                pixels: 16,
                step,
                quarters: true,
            };
            for &(dx, dy) in moves {
                let target = target(dx, dy);
                let found = find(&target, &luma, 5, Displacement::default(), reach);
                let by = Displacement {
                    dx: (2.0 * dx) as i16,
                    dy: (2.0 * dy) as i16,
                };
                assert_eq!(found.whole.0, by);
                assert_eq!(found.quarters.unwrap().0, [by; 4]);
            }
        }
    }

    #[test]
    fn it_stays_inside_the_picture() {
        let luma = known();
        let reach = Reach {
            pixels: 16,
            step: 4,
            quarters: false,
        };
        let target = target(9.0, 9.0);
        for tile in [0, 3, 12, 15] {
            for hint in [Displacement { dx: 60, dy: -60 }, Displacement::default()] {
                let found = find(&target, &luma, tile, hint, reach);
                for quarter in 0..4 {
                    let (left, top) = quarter_place(GRID, tile, quarter);
                    assert!(found.whole.0.stays_inside(GRID, left, top));
                }
                assert!(found.quarters.is_none());
            }
        }
    }
}
