//! The whole picture in generations, and the rules that keep both ends' states equal under loss.
//!
//! A *frame* is open from its first datagram until it is closed; frames close in order and what
//! arrives later is discarded. Which updates are applied, and to what, depends only on the set of
//! datagrams that arrived before their frames were closed, never on their order:
//! - an update is applied as soon as its bases are there, and waits for them until its frame closes;
//! - generations of open frames are never freed, those of closed ones only when a frame closes.
//!
//! So a sender that learns which datagrams arrived runs this same code and knows the receiver's
//! state to the bit. Numbers in comments are the rules of `shared/docs/PROTOCOL.md`, "Loss".

use std::collections::VecDeque;
use std::sync::Arc;

use super::apply::{Updater, sources};
use super::basis::Basis;
use super::content::Content;
use super::grid::TileGrid;
use super::ring::{Generation, Ring};
use super::update::{Base, Start, Update};
use crate::stage::{POSITIONS, Stages};

/// The most frames that are open at a time; a report tells of so many.
pub const OPEN: usize = 16;

/// What all datagrams of a frame say alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Frame number.
    pub frame: u32,
    /// No update names a base before a tile's newest generation at or below this frame; none where
    /// nothing is known for certain yet.
    pub floor: Option<u32>,
    /// Level of the frame, 0..=[`MAX_DEPTH`](super::content::MAX_DEPTH).
    pub level: u8,
    /// Datagrams of the frame, at least 1.
    pub count: u8,
}

/// Datagrams of a frame, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrivals([u64; 4]);

impl Arrivals {
    /// Adds one; false if it is there already.
    pub fn insert(&mut self, index: u8) -> bool {
        let (word, bit) = (&mut self.0[usize::from(index / 64)], 1 << (index % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// All of a frame of `count`.
    pub fn all(count: u8) -> Self {
        let mut all = Self::default();
        for index in 0..count {
            all.insert(index);
        }
        all
    }

    /// Whether it is there.
    pub fn contains(&self, index: u8) -> bool {
        self.0[usize::from(index / 64)] >> (index % 64) & 1 == 1
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A datagram that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Discard {
    /// Its frame is closed.
    #[error("its frame is closed")]
    Closed,
    /// It is there already.
    #[error("it is a duplicate")]
    Duplicate,
    /// It disagrees with the first of its frame.
    #[error("it disagrees with its frame")]
    Disagrees,
    /// Its floor is not a closed frame, or not before the frame.
    #[error("its floor is not a closed frame")]
    Floor,
}

/// A frame that datagrams may still arrive for.
#[derive(Debug, Clone)]
struct OpenFrame {
    head: FrameHead,
    arrived: Arrivals,
    /// Updates whose bases are missing.
    waiting: Vec<Update>,
}

/// The picture: several generations of every tile.
#[derive(Debug, Clone)]
pub struct Scene {
    grid: TileGrid,
    updater: Updater,
    tiles: Vec<Ring>,
    open: VecDeque<OpenFrame>,
    /// All frames before this one are closed.
    first_open: u32,
    /// The highest floor of a closed frame.
    floor: Option<u32>,
    spare: Vec<Content>,
    /// How many contents there are, spare or not.
    contents: usize,
    applied: u64,
    dropped: u64,
    saturated: u64,
}

impl Scene {
    /// A picture of which nothing is known. (1)
    ///
    /// # Panics
    /// When stages and basis are for latents of different length.
    pub fn new(grid: TileGrid, stages: Arc<Stages>, basis: Arc<Basis>) -> Self {
        Self {
            grid,
            updater: Updater::new(grid, stages, basis),
            tiles: vec![Ring::default(); grid.tiles()],
            open: VecDeque::with_capacity(OPEN),
            first_open: 0,
            floor: None,
            spare: Vec::new(),
            contents: 0,
            applied: 0,
            dropped: 0,
            saturated: 0,
        }
    }

    /// The tiles.
    pub fn grid(&self) -> TileGrid {
        self.grid
    }

    /// The generations of a tile.
    ///
    /// # Panics
    /// When there is no such tile.
    pub fn tile(&self, tile: usize) -> &Ring {
        &self.tiles[tile]
    }

    /// What a tile shows: its newest generation. (5)
    ///
    /// # Panics
    /// When there is no such tile.
    pub fn shown(&self, tile: usize) -> Option<&Content> {
        self.tiles[tile].newest().map(|g| &g.content)
    }

    /// The first frame that is not closed.
    pub fn first_open(&self) -> u32 {
        self.first_open
    }

    /// Datagrams of an open frame that have arrived.
    pub fn arrived(&self, frame: u32) -> Option<Arrivals> {
        let open = self.open.iter().find(|open| open.head.frame == frame);
        open.map(|open| open.arrived)
    }

    /// Updates applied, dropped for want of a base, and sums that saturated, since the beginning.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.applied, self.dropped, self.saturated)
    }

    /// Bytes of all contents, spare or not, and of the updates that wait for their bases.
    pub fn held(&self) -> usize {
        let content = self.updater.stages().dim() * POSITIONS * size_of::<i16>() + POSITIONS;
        let waiting = self.open.iter().flat_map(|open| &open.waiting);
        self.contents * content + waiting.map(Update::held).sum::<usize>()
    }

    /// Takes a datagram's updates. Frames more than [`OPEN`] before the newest are closed.
    ///
    /// # Errors
    /// [`Discard`]; nothing has changed then.
    pub fn receive(
        &mut self,
        head: FrameHead,
        index: u8,
        updates: &[Update],
    ) -> Result<(), Discard> {
        if head.frame < self.first_open {
            return Err(Discard::Closed);
        }
        if head.floor.is_some_and(|floor| floor >= self.first_open) {
            return Err(Discard::Floor);
        }
        let place = self.open.partition_point(|o| o.head.frame < head.frame);
        let known = self
            .open
            .get(place)
            .is_some_and(|o| o.head.frame == head.frame);
        if !known {
            let (arrived, waiting) = (Arrivals::default(), Vec::new());
            self.open.insert(
                place,
                OpenFrame {
                    head,
                    arrived,
                    waiting,
                },
            );
        }
        let open = &mut self.open[place];
        if open.head != head {
            return Err(Discard::Disagrees);
        }
        if !open.arrived.insert(index) {
            return Err(Discard::Duplicate);
        }
        let mut progress = false;
        for update in updates {
            if self.try_apply(&head, update) {
                progress = true;
            } else if let Some(open) = self.open.get_mut(place) {
                open.waiting.push(update.clone()); // (6)
            }
        }
        while progress {
            progress = self.retry();
        }
        let newest = self.open.back().map_or(head.frame, |open| open.head.frame);
        if let Some(last) = newest.checked_sub(OPEN as u32) {
            self.close(last);
        }
        Ok(())
    }

    /// Closes all frames through `frame`: what is still waiting there is dropped. (7)
    pub fn close(&mut self, frame: u32) {
        if frame < self.first_open {
            return;
        }
        let closing = self.open.partition_point(|open| open.head.frame <= frame);
        for open in self.open.drain(..closing) {
            self.dropped += open.waiting.len() as u64;
            self.floor = self.floor.max(open.head.floor);
        }
        self.first_open = frame.saturating_add(1);
        for ring in &mut self.tiles {
            ring.prune(frame, self.floor, &mut self.spare); // (8)
        }
    }

    /// Frees all generations of a tile: nothing is known of it any more. (9)
    ///
    /// # Panics
    /// When there is no such tile.
    pub fn forget(&mut self, tile: usize) {
        self.tiles[tile].clear(&mut self.spare);
    }

    /// Applies what waited and can be applied now.
    fn retry(&mut self) -> bool {
        let mut progress = false;
        for n in 0..self.open.len() {
            let head = self.open[n].head;
            let waiting = std::mem::take(&mut self.open[n].waiting);
            for update in waiting {
                if self.try_apply(&head, &update) {
                    progress = true;
                } else {
                    self.open[n].waiting.push(update);
                }
            }
        }
        progress
    }

    /// Applies an update if its bases are there. (4, 5)
    fn try_apply(&mut self, head: &FrameHead, update: &Update) -> bool {
        let find = |tile: usize, base: Base| {
            let ring = &self.tiles[tile];
            match base {
                Base::Floor => head.floor.and_then(|floor| ring.newest_through(floor)),
                Base::Before(back) => {
                    let frame = head.frame.checked_sub(back.into());
                    frame.and_then(|frame| ring.of(frame))
                }
            }
        };
        let tile = update.tile as usize;
        let mut before = None;
        match &update.start {
            Start::Reset => {}
            Start::Keep(base) => {
                before = find(tile, *base).map(|g| &g.content);
                if before.is_none() {
                    return false;
                }
            }
            Start::Copy {
                displacements,
                filter,
            } => {
                let named = || {
                    let tiles = sources(self.grid, tile, displacements, *filter);
                    tiles.zip(&update.source_bases)
                };
                if !named().all(|(tile, &base)| find(tile, base).is_some()) {
                    return false;
                }
                for (tile, &base) in named() {
                    if let Some(source) = find(tile, base) {
                        self.updater.render(tile, source.frame, &source.content);
                    }
                }
            }
        }
        let dim = self.updater.stages().dim();
        if self.spare.is_empty() {
            // One more for every tile at once, and room for all of them: a scene soon stops growing.
            self.contents += self.tiles.len();
            self.spare.reserve(self.contents);
            let more = (0..self.tiles.len()).map(|_| Content::new(dim));
            self.spare.extend(more);
        }
        let mut content = self.spare.pop().unwrap_or_else(|| Content::new(dim));
        let saturated = self.updater.apply(update, head.level, before, &mut content);
        self.saturated += u64::from(saturated);
        self.applied += 1;
        let frame = head.frame;
        self.tiles[tile].insert(Generation { frame, content });
        true
    }
}

#[cfg(test)]
mod tests;
