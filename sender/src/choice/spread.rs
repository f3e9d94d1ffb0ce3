//! A frame's updates, spread over its datagrams.

use raq_shared::coding::UpdateList;
use raq_shared::interleave::Interleave;
use raq_shared::tile::apply::sources;
use raq_shared::tile::{Base, Start, TileGrid, Update};

use super::tile_work::TileWork;

/// The updates as they go on the wire, a list per datagram; lists are used again.
#[derive(Debug)]
pub struct Spread {
    grid: TileGrid,
    interleave: Interleave,
    lists: Vec<UpdateList>,
}

impl Spread {
    /// Over one datagram.
    pub fn new(grid: TileGrid) -> Self {
        Self {
            grid,
            interleave: grid.interleave(1),
            lists: Vec::new(),
        }
    }

    /// Over `count` datagrams from now on.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn over(&mut self, count: u8) {
        self.interleave = self.grid.interleave(count);
    }

    /// The datagram that a tile rides in.
    pub fn datagram_of(&self, tile: usize) -> usize {
        let (x, y) = self.grid.place(tile);
        self.interleave.datagram_of(x, y)
    }

    /// Takes the updates of all tiles; `bases` say how copies name what they read.
    pub fn collect(&mut self, works: &[TileWork], bases: &[Option<Base>]) {
        let count = self.interleave.count();
        self.lists
            .resize_with(count.max(self.lists.len()), UpdateList::new);
        self.lists.iter_mut().for_each(UpdateList::clear);
        for (tile, work) in works.iter().enumerate().filter(|(_, work)| work.updated) {
            let datagram = self.datagram_of(tile);
            let update = self.lists[datagram].push(tile as u32, work.start);
            if let Start::Copy {
                displacements,
                filter,
            } = work.start
            {
                let tiles = sources(self.grid, tile, &displacements, filter);
                update
                    .source_bases
                    .extend(tiles.filter_map(|source| bases[source]));
            }
            update.operations.extend_from_slice(&work.operations);
            update
                .operations
                .sort_unstable_by_key(|o| (o.stage, o.block));
        }
    }

    /// The updates, per datagram, ascending by tile.
    pub fn updates(&self) -> impl ExactSizeIterator<Item = &[Update]> {
        let lists = &self.lists[..self.interleave.count().min(self.lists.len())];
        lists.iter().map(UpdateList::as_slice)
    }
}
