//! Motion search: from where in the picture that both ends have a tile is best copied.
//!
//! Sums of absolute differences between the frame's luma and the 8-bit luma of what is known, at
//! whole pixels for all four quarters at once, then half pixels with the linear filter.

use raq_shared::tile::displace::{QUARTER_PIXELS, Samples};
use raq_shared::tile::grid::TILE_PIXELS;
use raq_shared::tile::{Displacement, Filter, TileGrid, apply::quarter_place};

/// How far and how finely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Whole pixels to every side.
    pub pixels: i16,
    /// Whether each quarter may go its own way.
    pub quarters: bool,
}

/// Luma in 8 bits, `[height, width]`.
#[derive(Debug, Clone)]
pub struct Luma {
    grid: TileGrid,
    pixels: Vec<u8>,
}

impl Luma {
    /// Black.
    pub fn new(grid: TileGrid) -> Self {
        Self {
            grid,
            pixels: vec![0; grid.width() * grid.height()],
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
    /// The best displacement of the whole tile and its difference.
    pub whole: (Displacement, u32),
    /// The best of each quarter and their differences' sum, where they were looked for.
    pub quarters: Option<([Displacement; 4], u32)>,
}

/// Rows of 16 pixels: the sum of absolute differences.
fn difference(a: &[u8], b: &[u8]) -> u32 {
    let pairs = a[..QUARTER_PIXELS].iter().zip(&b[..QUARTER_PIXELS]);
    pairs.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum()
}

/// Searches for `tile` of the frame whose padded luma is `target`. `known` is the luma of the
/// picture to copy from, `samples` the same unrounded; `hint` is looked at first.
pub fn search(
    target: &[u8],
    known: &Luma,
    samples: &Samples,
    tile: usize,
    hint: Displacement,
    reach: Reach,
) -> Motion {
    let grid = known.grid;
    let width = grid.width();
    let places = [0, 1, 2, 3].map(|quarter| quarter_place(grid, tile, quarter));
    let (left, top) = (places[0].0 as i16, places[0].1 as i16);
    // Whole tiles stay inside, so that every quarter does.
    let side = TILE_PIXELS as i16;
    let bound = |hint: i16, at: i16, length: usize| {
        let middle = hint.clamp(-at, length as i16 - side - at).clamp(-15, 15);
        let low = (middle - reach.pixels).max(-at).max(-31);
        let high = (middle + reach.pixels)
            .min(length as i16 - side - at)
            .min(31);
        low..=high
    };
    let rows = bound(hint.dy >> 1, top, grid.height());
    let columns = bound(hint.dx >> 1, left, width);
    let mut whole = ((0, 0), u32::MAX);
    let mut each = [((0, 0), u32::MAX); 4];
    let at_rest = |sum: u32, dx: i16, dy: i16| sum + 4 * u32::from(dx != 0 || dy != 0);
    for dy in rows {
        for dx in columns.clone() {
            let mut sums = [0; 4];
            for y in 0..TILE_PIXELS {
                let line = (top as usize + y) * width + left as usize;
                let moved = (top + y as i16 + dy) as usize * width + (left + dx) as usize;
                let (a, b) = (&target[line..line + 32], &known.pixels[moved..moved + 32]);
                let half = y / QUARTER_PIXELS * 2;
                sums[half] += difference(a, b);
                sums[half + 1] += difference(&a[16..], &b[16..]);
                if !reach.quarters && sums.iter().sum::<u32>() >= whole.1 {
                    break;
                }
            }
            let sum = at_rest(sums.iter().sum(), dx, dy);
            if sum < whole.1 {
                whole = ((dx, dy), sum);
            }
            for (best, sum) in each.iter_mut().zip(sums) {
                let sum = at_rest(sum, dx, dy);
                if sum < best.1 {
                    *best = ((dx, dy), sum);
                }
            }
        }
    }
    let halves = |(dx, dy): (i16, i16)| Displacement {
        dx: 2 * dx,
        dy: 2 * dy,
    };
    let fine = |quarters: &[usize], start: Displacement| {
        let cost = |by: Displacement| -> Option<u32> {
            let mut sum = 0;
            for &quarter in quarters {
                let place = places[quarter];
                if !by.stays_inside(grid, place.0, place.1) {
                    return None;
                }
                let moved = samples.displaced_luma(place, by, Filter::Linear);
                for (y, row) in moved.chunks_exact(QUARTER_PIXELS).enumerate() {
                    let line = (place.1 + y) * width + place.0;
                    for (&sample, &pixel) in row.iter().zip(&target[line..line + QUARTER_PIXELS]) {
                        let sample = i32::from(sample) + 8 * 128;
                        sum += sample.abs_diff(8 * i32::from(pixel));
                    }
                }
            }
            Some(sum / 8)
        };
        let mut best = (start, cost(start).unwrap_or(u32::MAX));
        for (sx, sy) in [
            (-1, 0),
            (1, 0),
            (0, -1),
            (0, 1),
            (-1, -1),
            (1, -1),
            (-1, 1),
            (1, 1),
        ] {
            let by = Displacement {
                dx: start.dx + sx,
                dy: start.dy + sy,
            };
            if let Some(sum) = cost(by).filter(|&sum| sum < best.1) {
                best = (by, sum);
            }
        }
        best
    };
    let whole = fine(&[0, 1, 2, 3], halves(whole.0));
    let quarters = reach.quarters.then(|| {
        let found = [0, 1, 2, 3].map(|quarter| fine(&[quarter], halves(each[quarter].0)));
        (
            found.map(|(by, _)| by),
            found.iter().map(|(_, sum)| sum).sum(),
        )
    });
    Motion { whole, quarters }
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

    fn known() -> (Luma, Samples) {
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
        (luma, samples)
    }

    fn target(dx: f64, dy: f64) -> Vec<u8> {
        let pixel = |i: usize| texture((i % 128) as f64 + dx, (i / 128) as f64 + dy);
        (0..128 * 128)
            .map(|i| pixel(i).round().clamp(0.0, 255.0) as u8)
            .collect()
    }

    #[test]
    fn it_finds_whole_and_half_pixels() {
        let (luma, samples) = known();
        let reach = Reach {
            pixels: 16,
            quarters: true,
        };
        for (dx, dy) in [(0.0, 0.0), (7.0, -13.0), (-16.0, 16.0), (2.5, -0.5)] {
            let target = target(dx, dy);
            let found = search(&target, &luma, &samples, 5, Displacement::default(), reach);
            let by = Displacement {
                dx: (2.0 * dx) as i16,
                dy: (2.0 * dy) as i16,
            };
            assert_eq!(found.whole.0, by);
            assert_eq!(found.quarters.unwrap().0, [by; 4]);
        }
    }

    #[test]
    fn it_stays_inside_the_picture() {
        let (luma, samples) = known();
        let reach = Reach {
            pixels: 16,
            quarters: false,
        };
        let target = target(9.0, 9.0);
        for tile in [0, 3, 12, 15] {
            for hint in [Displacement { dx: 60, dy: -60 }, Displacement::default()] {
                let found = search(&target, &luma, &samples, tile, hint, reach);
                for quarter in 0..4 {
                    let (left, top) = quarter_place(GRID, tile, quarter);
                    assert!(found.whole.0.stays_inside(GRID, left, top));
                }
                assert!(found.quarters.is_none());
            }
        }
    }
}
