//! Which datagram a tile rides in.
//!
//! Neighbours ride in different datagrams, so that a lost one thins the update evenly: the tile at
//! place (x, y) rides in datagram (x + y · stride) mod n, in order of places inside a datagram.

use crate::frame::Grid;

/// The most datagrams of one frame; the header counts them in a byte.
pub const MAX_DATAGRAMS: usize = 255;

/// The spread of a frame's tiles over n datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interleave {
    grid: Grid,
    count: usize,
    stride: usize,
}

impl Interleave {
    /// A spread over `count` datagrams.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn new(grid: Grid, count: u8) -> Self {
        assert!(count > 0, "a frame has at least one datagram");
        let count = usize::from(count);
        // 0.382 (one minus the golden ratio) of n puts rows far apart; integers, so that both
        // ends round alike. It is at least 1 and never a multiple of n but for n = 1.
        let stride = ((count * 382 + 500) / 1000).max(1);
        Self {
            grid,
            count,
            stride,
        }
    }

    /// Number of datagrams, n.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The datagram of position (x, y).
    pub fn datagram_of(&self, x: usize, y: usize) -> usize {
        (x + y * self.stride) % self.count
    }

    /// The positions of datagram `index`, ascending.
    pub fn positions(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let Self { grid, count, .. } = *self;
        let this = *self;
        (0..grid.rows).flat_map(move |y| {
            let first = this.first_column(index, y);
            (first..grid.columns)
                .step_by(count)
                .map(move |x| y * grid.columns + x)
        })
    }

    /// How many positions datagram `index` has.
    pub fn len(&self, index: usize) -> usize {
        (0..self.grid.rows)
            .map(|y| {
                let first = self.first_column(index, y);
                self.grid.columns.saturating_sub(first).div_ceil(self.count)
            })
            .sum()
    }

    /// The smallest x of row y in datagram `index`; at or past the right edge where there is none.
    fn first_column(&self, index: usize, y: usize) -> usize {
        (index + self.count - y * self.stride % self.count) % self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_stride_is_never_a_multiple_of_the_count() {
        for count in 2..=255u8 {
            let spread = Interleave::new(
                Grid {
                    columns: 4,
                    rows: 4,
                },
                count,
            );
            assert_ne!(spread.stride % usize::from(count), 0, "n = {count}");
        }
    }

    proptest! {
        #[test]
        fn every_position_rides_once(columns in 1usize..90, rows in 1usize..60, count in 1u8..=255) {
            let grid = Grid { columns, rows };
            let spread = Interleave::new(grid, count);
            let mut seen = vec![0u8; grid.positions()];
            for index in 0..usize::from(count) {
                let positions: Vec<usize> = spread.positions(index).collect();
                prop_assert!(positions.is_sorted());
                prop_assert_eq!(positions.len(), spread.len(index));
                for p in positions {
                    prop_assert_eq!(spread.datagram_of(p % columns, p / columns), index);
                    seen[p] += 1;
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1));
        }
    }
}
