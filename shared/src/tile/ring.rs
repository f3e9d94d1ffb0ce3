//! The generations of one tile.

use super::content::Content;
use super::scene::OPEN;

/// Generations of closed frames that a tile keeps.
pub const KEPT: usize = 8;

/// Generations that a ring has room for from the first on: those kept, and one of each open frame.
const ROOM: usize = KEPT + OPEN;

/// What a frame made of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// The frame.
    pub frame: u32,
    /// The tile after it.
    pub content: Content,
}

/// The generations of one tile, ascending by frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring {
    generations: Vec<Generation>,
}

impl Ring {
    /// The newest.
    pub fn newest(&self) -> Option<&Generation> {
        self.generations.last()
    }

    /// The newest at or below `frame`.
    pub fn newest_through(&self, frame: u32) -> Option<&Generation> {
        self.generations.iter().rev().find(|g| g.frame <= frame)
    }

    /// The one that `frame` made.
    pub fn of(&self, frame: u32) -> Option<&Generation> {
        self.newest_through(frame).filter(|g| g.frame == frame)
    }

    /// All of them, ascending.
    pub fn all(&self) -> &[Generation] {
        &self.generations
    }

    /// Puts a generation in its place; a frame makes only one.
    pub fn insert(&mut self, generation: Generation) {
        if self.generations.capacity() == 0 {
            self.generations.reserve(ROOM);
        }
        let after = |g: &Generation| g.frame < generation.frame;
        let place = self.generations.partition_point(after);
        self.generations.insert(place, generation);
    }

    /// Frees everything.
    pub fn clear(&mut self, spare: &mut Vec<Content>) {
        spare.extend(self.generations.drain(..).map(|g| g.content));
    }

    /// Frees what no later update may name once all frames through `closed` are closed and the
    /// floor of later ones is at or above `floor`: all before the newest at or below the floor, and
    /// of closed frames all but the newest [`KEPT`]. What is freed goes to `spare`.
    pub fn prune(&mut self, closed: u32, floor: Option<u32>, spare: &mut Vec<Content>) {
        let through = |frame: u32| self.generations.partition_point(|g| g.frame <= frame);
        let below = floor.map_or(0, |floor| through(floor).saturating_sub(1));
        let free = below.max(through(closed).saturating_sub(KEPT));
        spare.extend(self.generations.drain(..free).map(|g| g.content));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(frames: &[u32]) -> Ring {
        let mut ring = Ring::default();
        for &frame in frames {
            let content = Content::new(1);
            ring.insert(Generation { frame, content });
        }
        ring
    }

    fn frames(ring: &Ring) -> Vec<u32> {
        ring.all().iter().map(|g| g.frame).collect()
    }

    #[test]
    fn generations_are_found_by_frame() {
        let ring = ring(&[7, 3, 12]);
        assert_eq!(frames(&ring), [3, 7, 12]);
        assert_eq!(ring.newest().unwrap().frame, 12);
        assert_eq!(ring.newest_through(11).unwrap().frame, 7);
        assert!(ring.newest_through(2).is_none() && ring.of(4).is_none());
        assert_eq!(ring.of(7).unwrap().frame, 7);
    }

    #[test]
    fn pruning_keeps_what_may_be_named() {
        let all: Vec<u32> = (0..12).collect();
        let pruned = |closed, floor| {
            let (mut ring, mut spare) = (ring(&all), vec![]);
            ring.prune(closed, floor, &mut spare);
            assert_eq!(spare.len() + ring.all().len(), 12);
            frames(&ring)[0]
        };
        assert_eq!(pruned(9, None), 2, "8 closed ones");
        assert_eq!(pruned(9, Some(1)), 2);
        assert_eq!(pruned(9, Some(5)), 5, "the floor's own stays");
        assert_eq!(pruned(3, None), 0, "open ones are never freed");
    }
}
