//! When datagrams arrived.

use super::field::{MAX_VARINT, Reader, put_varint};
use crate::wire::datagram::DatagramError;

/// The most arrivals that a report tells of.
pub const MAX_ARRIVALS: usize = 64;
/// The most arrivals of a group.
const GROUP: usize = 16;
/// The coarsest unit is 2^15 µs.
const MAX_SHIFT: u8 = 15;
/// The highest index of a datagram: a frame has at most 255.
const MAX_INDEX: usize = 254;

/// A datagram's arrival.
///
/// On the wire arrivals are cut, from the newest back, into *groups* of up to 16 that are of the
/// same frame and whose indices ascend by one; a group is as long as it can be. Big-endian:
///
/// | bytes | field |
/// |---|---|
/// | 4 | low 32 bits of the newest arrival's time in µs |
/// | 2 | low 16 bits of its frame |
/// | per group, the newest first: 1 | s (upper 4 bits; the unit is 2^s µs), number of arrivals less one |
/// | varint, not in the first group | d, how many frames it lies before the group told of before: 2d, or −2d − 1 where d < 0; low 16 bits |
/// | 1 | index of its first arrival |
/// | varint, not in the first group | µs from its last arrival to that of the group told of before |
/// | one less than it has arrivals | the gaps before its last arrival, the one before that …: how many more units the earlier of the two lies before the last, ⌊µs / 2^s⌋ |
///
/// s is the smallest with which the gaps fit. Times in a group, but for its last, are the middle of
/// the unit: off by at most half of it, a 256th of the longest gap, however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Low 16 bits of the frame number.
    pub frame: u16,
    /// Index in the frame, 0 to 254.
    pub index: u8,
    /// The receiver's clock in µs since any fixed moment, low 32 bits.
    pub at: u32,
}

impl Arrival {
    /// Whether `self` comes right before `next` in a group.
    fn precedes(&self, next: &Self) -> bool {
        self.frame == next.frame && self.index.checked_add(1) == Some(next.index)
    }
}

/// Appends the newest arrivals; none where there are none.
pub(super) fn encode(arrivals: &[Arrival], out: &mut Vec<u8>) {
    let mut rest = &arrivals[arrivals.len().saturating_sub(MAX_ARRIVALS)..];
    let Some(newest) = rest.last() else { return };
    out.extend_from_slice(&newest.at.to_be_bytes());
    out.extend_from_slice(&newest.frame.to_be_bytes());
    let mut after: Option<&Arrival> = None;
    while let Some(last) = rest.last() {
        let gap = after.map_or(0, |after| after.at.wrapping_sub(last.at));
        if gap > MAX_VARINT {
            return;
        }
        let (before, whole) = rest.split_at(start_of_group(rest));
        let group = &whole[whole.len() - 1 - tellable(whole)..];
        let fits = |&shift: &u8| gaps(group, shift).all(|gap| u8::try_from(gap).is_ok());
        let shift = (0..MAX_SHIFT).find(fits).unwrap_or(MAX_SHIFT);
        out.push(shift << 4 | (group.len() - 1) as u8);
        if let Some(after) = after {
            let back = after.frame.wrapping_sub(last.frame) as i16;
            put_varint(u32::from((back << 1 ^ back >> 15) as u16), out);
        }
        out.push(group[0].index);
        if after.is_some() {
            put_varint(gap, out);
        }
        out.extend(gaps(group, shift).map(|gap| gap as u8));
        if group.len() < whole.len() {
            return;
        }
        (rest, after) = (before, Some(last));
    }
}

/// Where the group that ends with the last of `arrivals` begins.
fn start_of_group(arrivals: &[Arrival]) -> usize {
    let pairs = arrivals.windows(2).rev().take(GROUP - 1);
    let more = pairs.take_while(|pair| pair[0].precedes(&pair[1])).count();
    arrivals.len() - 1 - more
}

/// How many gaps of a group, from the latest on, can be told: the others are too long or run backwards.
fn tellable(group: &[Arrival]) -> usize {
    let both = gaps(group, 0).zip(gaps(group, MAX_SHIFT));
    both.take_while(|&(fine, coarse)| fine < u32::MAX && coarse <= u8::MAX.into())
        .count()
}

/// The gaps of a group, the latest first; a very large one where times run backwards.
fn gaps(group: &[Arrival], shift: u8) -> impl Iterator<Item = u32> {
    let last = group.last().map_or(0, |last| last.at);
    let units = move |arrival: &Arrival| last.wrapping_sub(arrival.at) >> shift;
    let pairs = group.windows(2).rev();
    pairs.map(move |pair| {
        let (earlier, later) = (units(&pair[0]), units(&pair[1]));
        earlier.checked_sub(later).unwrap_or(u32::MAX)
    })
}

/// Reads arrivals up to the end.
pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Vec<Arrival>, DatagramError> {
    let mut arrivals = Vec::new();
    if reader.left() == 0 {
        return Ok(arrivals);
    }
    // The newest comes first; they are turned round in the end.
    let (mut at, mut frame) = (
        u32::from_be_bytes(reader.array()?),
        u16::from_be_bytes(reader.array()?),
    );
    let mut len_after = None;
    loop {
        let head = reader.byte()?;
        let (shift, len) = (head >> 4, usize::from(head & 0xf) + 1);
        if len_after.is_some() {
            let folded = u16::try_from(reader.varint()?).map_err(|_| DatagramError::Field)?;
            let back = (folded >> 1) as i16 ^ -((folded & 1) as i16);
            frame = frame.wrapping_sub(back as u16);
        }
        let last_index = usize::from(reader.byte()?) + len - 1;
        if last_index > MAX_INDEX || arrivals.len() + len > MAX_ARRIVALS {
            return Err(DatagramError::Field);
        }
        if len_after.is_some() {
            at = at.wrapping_sub(reader.varint()?);
        }
        let index = last_index as u8;
        let last = Arrival { frame, index, at };
        if let (Some(len), Some(after)) = (len_after, arrivals.last())
            && len < GROUP
            && last.precedes(after)
        {
            return Err(DatagramError::Field);
        }
        arrivals.reserve(len);
        arrivals.push(last);
        let gaps = reader.slice(len - 1)?;
        // A finer unit would do where all gaps are short.
        if shift > 0 && gaps.iter().all(|&gap| gap < 0x80) {
            return Err(DatagramError::Field);
        }
        let mut units = 0;
        for (index, &gap) in (0..index).rev().zip(gaps) {
            units += u32::from(gap);
            let before = (units << shift) + ((1 << shift) >> 1);
            arrivals.push(Arrival {
                frame,
                index,
                at: at.wrapping_sub(before),
            });
        }
        if reader.left() == 0 {
            arrivals.reverse();
            return Ok(arrivals);
        }
        len_after = Some(len);
    }
}
