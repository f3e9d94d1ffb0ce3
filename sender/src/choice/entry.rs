//! A tile in the queue of what to do next.

use std::cmp::Ordering;

/// A heap entry: gain per bit, then the tile.
#[derive(Debug, PartialEq)]
pub(super) struct Entry(pub(super) f32, pub(super) u32);

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}
