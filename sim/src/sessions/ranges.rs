//! Sets of packet numbers.

use std::ops::RangeInclusive;

/// The most ranges that quinn remembers.
const MOST: usize = 64;

/// Packet numbers as ranges, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<RangeInclusive<u64>>);

impl Ranges {
    /// Adds a number; the oldest range is forgotten where there are too many.
    pub(super) fn insert(&mut self, number: u64) {
        let place = self.0.iter().position(|range| *range.start() <= number + 1);
        let at = place.unwrap_or(self.0.len());
        match self.0.get_mut(at) {
            Some(range) if range.contains(&number) => return,
            Some(range) if range.end() + 1 == number => *range = *range.start()..=number,
            Some(range) if *range.start() == number + 1 => *range = number..=*range.end(),
            _ => self.0.insert(at, number..=number),
        }
        if let Some(below) = self.0.get(at + 1)
            && below.end() + 1 == *self.0[at].start()
        {
            self.0[at] = *below.start()..=*self.0[at].end();
            self.0.remove(at + 1);
        }
        self.0.truncate(MOST);
    }

    /// Removes all numbers up to this one.
    pub(super) fn remove_to(&mut self, number: u64) {
        self.0.retain(|range| *range.end() > number);
        if let Some(last) = self.0.last_mut() {
            *last = (*last.start()).max(number + 1)..=*last.end();
        }
    }

    /// Whether it has this number, or had so many since that it has forgotten.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.iter().any(|range| range.contains(&number))
            || (self.0.len() == MOST && self.0.last().is_some_and(|last| number < *last.start()))
    }

    /// The ranges, the newest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &RangeInclusive<u64>> {
        self.0.iter()
    }

    /// The largest number.
    pub(super) fn largest(&self) -> Option<u64> {
        self.0.first().map(|range| *range.end())
    }

    /// Bytes in an ACK frame: the largest number, how many ranges follow, the length of the first,
    /// gap and length of each of those (RFC 9000, section 19.3).
    pub(super) fn bytes(&self) -> u32 {
        let length = |range: &RangeInclusive<u64>| varint(range.end() - range.start());
        let further = self.0.windows(2).map(|pair| {
            let gap = pair[0].start() - pair[1].end() - 2;
            varint(gap) + length(&pair[1])
        });
        let first = self.0.first().map_or(1, length);
        let count = varint(self.0.len().saturating_sub(1) as u64);
        varint(self.largest().unwrap_or(0)) + count + first + further.sum::<u32>()
    }
}

/// Bytes of a variable-length integer (RFC 9000, section 16).
pub(super) fn varint(value: u64) -> u32 {
    match value {
        0..64 => 1,
        64..16_384 => 2,
        16_384..1_073_741_824 => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[u64]) -> Ranges {
        let mut ranges = Ranges::default();
        for &number in numbers {
            ranges.insert(number);
        }
        ranges
    }

    #[test]
    fn ranges_grow_and_join() {
        assert_eq!(of(&[0, 1, 3]).0, [3..=3, 0..=1]);
        let ranges = of(&[0, 1, 3, 2, 4, 9, 7, 7]);
        assert_eq!(ranges.0, [9..=9, 7..=7, 0..=4]);
        assert!(ranges.contains(2) && !ranges.contains(8));
        assert_eq!(ranges.largest(), Some(9));
        assert_eq!(ranges.bytes(), 1 + 1 + 1 + 4);
        assert_eq!(of(&[100]).bytes(), 2 + 1 + 1);
    }

    #[test]
    fn the_old_is_forgotten() {
        let mut ranges = of(&[0, 1, 2, 5, 7]);
        ranges.remove_to(1);
        assert_eq!(ranges.0, [7..=7, 5..=5, 2..=2]);
        ranges.remove_to(6);
        assert_eq!(ranges.0, [7..=7]);
        ranges.remove_to(7);
        assert_eq!(ranges.largest(), None);
        let many: Vec<_> = (0..100).map(|n| 2 * n).collect();
        let ranges = of(&many);
        assert_eq!(ranges.iter().count(), MOST);
        assert!(ranges.contains(3) && !ranges.contains(197));
    }
}
