//! The datagrams on their way, and which of them a tile's generations need.
//!
//! An update that arrives is applied when what it builds on was: a generation is there if all
//! datagrams of its chain arrive. Datagrams get lost independently of each other, so the chance of
//! that is one factor for each, however often chains meet.

use raq_shared::tile::apply::sources;
use raq_shared::tile::scene::FrameHead;
use raq_shared::tile::{Base, Start, TileGrid, Update};

/// Frames on their way that are told apart; of more, those so far apart are taken for one.
const FRAMES: usize = 64;
/// Datagrams of a frame that are told apart.
const DATAGRAMS: usize = 8;

/// A set of datagrams on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs([[u8; DATAGRAMS]; FRAMES / 8]);

impl Needs {
    /// Adds the datagram `index` of `frame`.
    pub fn add(&mut self, frame: u32, index: u8) {
        let frame = frame as usize % FRAMES;
        self.0[frame / 8][usize::from(index) % DATAGRAMS] |= 1 << (frame % 8);
    }

    /// Whether the datagram `index` of `frame` is one of them.
    #[cfg(test)]
    pub fn contains(&self, frame: u32, index: u8) -> bool {
        let frame = frame as usize % FRAMES;
        self.0[frame / 8][usize::from(index) % DATAGRAMS] >> (frame % 8) & 1 == 1
    }

    fn remove(&mut self, frame: u32) {
        let frame = frame as usize % FRAMES;
        for datagrams in &mut self.0[frame / 8] {
            *datagrams &= !(1 << (frame % 8));
        }
    }

    /// The datagrams of both.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        let words = self.0.as_flattened_mut().iter_mut();
        for (word, more) in words.zip(other.0.as_flattened()) {
            *word |= more;
        }
        self
    }

    /// The probability that all arrive when those of `given` do and each of the others gets lost with
    /// probability `loss`.
    pub fn chance(&self, given: &Self, loss: f32) -> f32 {
        let words = self.0.as_flattened().iter().zip(given.0.as_flattened());
        let others: u32 = words.map(|(&word, had)| (word & !had).count_ones()).sum();
        (1.0 - loss).powi(others as i32)
    }
}

/// The updates on their way.
#[derive(Debug)]
pub struct Flight {
    grid: TileGrid,
    /// Per tile the frames that update it, ascending, and what their generations need.
    tiles: Vec<Vec<(u32, Needs)>>,
}

impl Flight {
    /// Nothing, for pictures of these tiles.
    pub fn new(grid: TileGrid) -> Self {
        Self {
            grid,
            tiles: (0..grid.tiles())
                .map(|_| Vec::with_capacity(FRAMES))
                .collect(),
        }
    }

    /// Adds a datagram; frames ascend.
    pub fn sent(&mut self, head: &FrameHead, index: u8, updates: &[Update]) {
        for update in updates {
            let tile = update.tile as usize;
            let mut needs = Needs::default();
            needs.add(head.frame, index);
            let mut add = |tile: usize, base: &Base| {
                if let Base::Before(back) = base {
                    let base = self.needs(tile, head.frame - u32::from(*back));
                    needs = needs.with(&base);
                }
            };
            match &update.start {
                Start::Reset => {}
                Start::Keep(base) => add(tile, base),
                Start::Copy {
                    displacements,
                    filter,
                } => sources(self.grid, tile, displacements, *filter)
                    .zip(&update.source_bases)
                    .for_each(|(tile, base)| add(tile, base)),
            }
            self.tiles[tile].push((head.frame, needs));
        }
    }

    /// Which datagrams the generation that `frame` makes of a tile needs. A frame that is not on its
    /// way needs nothing.
    pub fn needs(&self, tile: usize, frame: u32) -> Needs {
        let update = self.tiles[tile].iter().find(|update| update.0 == frame);
        update.map_or_else(Needs::default, |update| update.1)
    }

    /// How many updates of a tile newer than `frame` are on their way.
    pub fn newer(&self, tile: usize, frame: u32) -> usize {
        let updates = self.tiles[tile].iter().rev();
        updates.take_while(|update| update.0 > frame).count()
    }

    /// A frame is on its way no longer.
    pub fn landed(&mut self, frame: u32) {
        for updates in &mut self.tiles {
            updates.retain_mut(|(of, needs)| {
                needs.remove(frame);
                *of != frame
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::tile::{Displacement, Filter};

    const GRID: TileGrid = TileGrid {
        columns: 3,
        rows: 1,
    };

    fn head(frame: u32) -> FrameHead {
        FrameHead {
            frame,
            floor: None,
            level: 9,
            count: 2,
        }
    }

    fn keep(tile: u32, base: Base) -> Update {
        Update::new(tile, Start::Keep(base))
    }

    #[test]
    fn a_chain_is_as_sure_as_its_datagrams() {
        let mut flight = Flight::new(GRID);
        flight.sent(&head(0), 0, &[Update::new(0, Start::Reset)]);
        flight.sent(&head(0), 1, &[Update::new(1, Start::Reset)]);
        // One datagram, which the chains of both tiles share.
        let kept = [0, 1].map(|tile| keep(tile, Base::Before(1)));
        flight.sent(&head(1), 0, &kept);
        let mut copy = Update::new(
            0,
            Start::Copy {
                displacements: [Displacement { dx: 1, dy: 0 }; 4],
                filter: Filter::Linear,
            },
        );
        copy.source_bases = vec![Base::Before(1); 2];
        flight.sent(&head(2), 0, &[copy]);
        flight.sent(&head(2), 1, &[keep(1, Base::Floor)]);

        let chance = |flight: &Flight, tile, frame| {
            let needs = flight.needs(tile, frame);
            needs.chance(&Needs::default(), 0.5)
        };
        let chances = [0, 1, 2].map(|frame| chance(&flight, 0, frame));
        assert_eq!(chances, [0.5, 0.25, 0.0625]);
        assert_eq!(chance(&flight, 1, 2), 0.5, "the floor's is certain");
        let older = flight.needs(0, 1);
        assert_eq!(flight.needs(0, 2).chance(&older, 0.5), 0.25);
        assert_eq!((flight.newer(0, 0), flight.newer(2, 0)), (2, 0));

        flight.landed(0);
        let chances = [0, 1, 2].map(|frame| chance(&flight, 0, frame));
        assert_eq!(chances, [1.0, 0.5, 0.25]);
    }
}
