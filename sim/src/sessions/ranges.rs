//! Packet numbers that arrived.

use std::ops::RangeInclusive;

/// Ranges that an acknowledgement names at most; quinn names more, which changes little.
const NAMED: usize = 8;

/// Sets of packet numbers as ranges, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<RangeInclusive<u64>>);

impl Ranges {
    /// Adds a number; whether it is anything else than one above the largest so far.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let place = self.0.iter().position(|range| *range.start() <= number + 1);
        let at = place.unwrap_or(self.0.len());
        let gap = at != 0 || self.0.first().is_some_and(|range| range.end() + 1 != number);
        match self.0.get_mut(at) {
            Some(range) if range.contains(&number) => return false,
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
        self.0.truncate(NAMED);
        gap
    }

    /// Whether a number arrived, as far as is remembered.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// The ranges, the newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RangeInclusive<u64>> {
        self.0.iter()
    }

    /// The largest number.
    pub(super) fn largest(&self) -> Option<u64> {
        self.0.first().map(|range| *range.end())
    }

    /// Bytes of an ACK frame that names them (RFC 9000, section 19.3).
    pub(super) fn frame_bytes(&self) -> u32 {
        let largest = self.largest().unwrap_or(0);
        // Type, delay of two bytes, number of further ranges; gap and length of each of those.
        4 + varint(largest) + varint(self.0.first().map_or(0, |r| r.end() - r.start()))
            + 2 * (self.0.len().saturating_sub(1)) as u32
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

    #[test]
    fn ranges_grow_join_and_tell_of_gaps() {
        let mut ranges = Ranges::default();
        assert!(!ranges.insert(0));
        assert!(!ranges.insert(1));
        assert!(ranges.insert(3), "2 is missing");
        assert!(ranges.insert(2), "late");
        assert!(!ranges.insert(4));
        assert!(ranges.insert(9) && ranges.insert(7));
        assert_eq!(ranges.0, [9..=9, 7..=7, 0..=4]);
        assert!(!ranges.insert(7), "twice");
        assert_eq!(ranges.largest(), Some(9));
        assert_eq!(ranges.frame_bytes(), 4 + 1 + 1 + 4);
        for number in 0..100 {
            ranges.insert(20 + 2 * number);
        }
        assert_eq!(ranges.iter().count(), NAMED);
    }
}
