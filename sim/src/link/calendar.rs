//! What is to happen, by time.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

/// Things in order of their times, in nanoseconds; of those at one time, the one that was entered
/// first comes first.
#[derive(Debug)]
pub(super) struct Calendar<E> {
    entries: BinaryHeap<Entry<E>>,
    entered: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: u64,
    number: u64,
    event: E,
}

impl<E> Calendar<E> {
    pub(super) fn new() -> Self {
        Self {
            entries: BinaryHeap::new(),
            entered: 0,
        }
    }

    pub(super) fn enter(&mut self, at: u64, event: E) {
        let number = self.entered;
        self.entered += 1;
        self.entries.push(Entry { at, number, event });
    }

    /// The time of the first.
    pub(super) fn next(&self) -> Option<u64> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Takes out the first if it is due by `now`; its time comes with it.
    pub(super) fn take(&mut self, now: u64) -> Option<(u64, E)> {
        let first = self.entries.peek_mut().filter(|entry| entry.at <= now)?;
        let entry = PeekMut::pop(first);
        Some((entry.at, entry.event))
    }
}

impl<E> Entry<E> {
    fn place(&self) -> (u64, u64) {
        (self.at, self.number)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as a heap wants it.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.place().cmp(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_by_time_then_by_entry() {
        let mut calendar = Calendar::new();
        for (at, name) in [(5, 'c'), (3, 'a'), (5, 'd'), (4, 'b')] {
            calendar.enter(at, name);
        }
        assert_eq!(calendar.take(2), None);
        assert_eq!(calendar.next(), Some(3));
        let all: String = std::iter::from_fn(|| calendar.take(9))
            .map(|(_, name)| name)
            .collect();
        assert_eq!(all, "abcd");
        assert_eq!(calendar.next(), None);
    }
}
