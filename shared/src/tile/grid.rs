//! The tiles of a frame.

use crate::frame::{FrameSize, Grid, PAD};
use crate::interleave::Interleave;
use crate::stage::TILE;

/// Luma pixels along one side of a tile.
pub const TILE_PIXELS: usize = PAD as usize;

/// The tiles of a frame; tile t = y · columns + x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileGrid {
    /// Tiles side by side.
    pub columns: usize,
    /// Tiles from top to bottom.
    pub rows: usize,
}

impl TileGrid {
    /// The tiles of a frame of this size.
    pub fn of(size: FrameSize) -> Self {
        Self {
            columns: size.padded_width() / TILE_PIXELS,
            rows: size.padded_height() / TILE_PIXELS,
        }
    }

    /// Number of tiles.
    pub fn tiles(self) -> usize {
        self.columns * self.rows
    }

    /// Width in luma pixels.
    pub fn width(self) -> usize {
        self.columns * TILE_PIXELS
    }

    /// Height in luma pixels.
    pub fn height(self) -> usize {
        self.rows * TILE_PIXELS
    }

    /// Which of `count` datagrams each tile rides in.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn interleave(self, count: u8) -> Interleave {
        let Self { columns, rows } = self;
        Interleave::new(Grid { columns, rows }, count)
    }

    /// Column and row of a tile.
    pub fn place(self, tile: usize) -> (usize, usize) {
        (tile % self.columns, tile / self.columns)
    }

    /// The position of the frame that is position `inner` (y · 4 + x) of `tile`.
    pub fn position(self, tile: usize, inner: usize) -> usize {
        let (x, y) = self.place(tile);
        (y * TILE + inner / TILE) * self.columns * TILE + x * TILE + inner % TILE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_belongs_to_one_tile() {
        let size = FrameSize::new(70, 33).unwrap();
        let grid = TileGrid::of(size);
        assert_eq!((grid.columns, grid.rows, grid.tiles()), (3, 2, 6));
        assert_eq!((grid.width(), grid.height()), (96, 64));
        let mut seen = vec![false; size.grid().positions()];
        for tile in 0..grid.tiles() {
            for inner in 0..16 {
                let position = grid.position(tile, inner);
                assert!(!std::mem::replace(&mut seen[position], true));
            }
        }
        assert!(seen.iter().all(|&s| s));
        assert_eq!(
            grid.position(4, 5),
            5 * 12 + 5,
            "tile (1, 1), position (1, 1)"
        );
    }
}
