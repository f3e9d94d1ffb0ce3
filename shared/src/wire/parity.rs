//! A datagram from which lost ones of its frame are made again.

use super::datagram::DatagramError;
use super::update::UPDATE_HEADER_LEN;

/// The kind of such a datagram.
const KIND_PARITY: u8 = 5;
/// Bytes of its header.
pub const PARITY_HEADER_LEN: usize = 11;
/// Most bytes of a shard.
pub const MAX_SHARD: usize = 2048;
/// Bytes of a shard before what is protected.
const LENGTH: usize = 2;
/// The bytes of an update's header that are the same in the whole frame, known by its place in it, or
/// written as it leaves.
const KNOWN: std::ops::Range<usize> = 2..11;

/// What a datagram of parity says about itself; its shard follows. Big-endian on the wire:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 5 = parity), zero |
/// | 1 | number of datagrams of parity of the frame, at least 1 |
/// | 2 | low 16 bits of the frame number |
/// | 3 | capture time, 100 µs since the session began, wrapping |
/// | 2 | send delay after capture, 100 µs, saturating |
/// | 1 | index of this datagram among those of parity |
/// | 1 | number of datagrams of updates of the frame, at least 1; with those of parity at most 255 |
///
/// Frame, times and the last field stand where an update has them, so that
/// [`UpdateHeader::stamp`](super::update::UpdateHeader::stamp) serves both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParityHeader {
    /// Low 16 bits of the frame number.
    pub frame: u16,
    /// When the frame was captured, 100 µs since the session began, 24 bits, wrapping.
    pub capture: u32,
    /// How long after capture it left the pacer, in units of 100 µs, saturating.
    pub send_delay: u16,
    /// Which of the frame's datagrams of parity this is, below `parity`.
    pub index: u8,
    /// Datagrams of updates of the frame, at least 1.
    pub count: u8,
    /// Datagrams of parity of the frame, at least 1; at most 255 with `count`.
    pub parity: u8,
}

impl ParityHeader {
    /// The header's bytes. Only the low 24 bits of the capture time are written.
    pub fn encode(&self) -> [u8; PARITY_HEADER_LEN] {
        let [f0, f1] = self.frame.to_be_bytes();
        let [_, t0, t1, t2] = self.capture.to_be_bytes();
        let [d0, d1] = self.send_delay.to_be_bytes();
        let first = KIND_PARITY << 4;
        let (index, count) = (self.index, self.count);
        [first, self.parity, f0, f1, t0, t1, t2, d0, d1, index, count]
    }

    /// Splits a datagram into its header and its shard; `None` where it is of another kind.
    ///
    /// # Errors
    /// [`DatagramError`] when it is too short or too long, numbered impossibly, has unknown flags, or its
    /// shard has an odd length.
    pub fn parse(datagram: &[u8]) -> Option<Result<(Self, &[u8]), DatagramError>> {
        let first = *datagram.first()?;
        (first >> 4 == KIND_PARITY).then(|| Self::read(datagram))
    }

    fn read(datagram: &[u8]) -> Result<(Self, &[u8]), DatagramError> {
        let Some((header, shard)) = datagram.split_first_chunk::<PARITY_HEADER_LEN>() else {
            return Err(DatagramError::Short(datagram.len()));
        };
        let [first, parity, f0, f1, t0, t1, t2, d0, d1, index, count] = *header;
        if shard.len() < shard_len(UPDATE_HEADER_LEN) {
            return Err(DatagramError::Short(datagram.len()));
        }
        let many = count.checked_add(parity).is_none();
        let odd = shard.len() > MAX_SHARD || !shard.len().is_multiple_of(2);
        if first & 0xf != 0 || count == 0 || many || odd {
            return Err(DatagramError::Field);
        }
        if index >= parity {
            let count = parity;
            return Err(DatagramError::Index { index, count });
        }
        let header = Self {
            frame: u16::from_be_bytes([f0, f1]),
            capture: u32::from_be_bytes([0, t0, t1, t2]),
            send_delay: u16::from_be_bytes([d0, d1]),
            index,
            count,
            parity,
        };
        Ok((header, shard))
    }

    /// Which datagram of its frame it is, where those of parity follow those of updates.
    pub fn place(&self) -> u8 {
        self.count.saturating_add(self.index)
    }

    /// The datagram of updates number `index` of the frame, as a shard that was made again has it,
    /// appended to `out`. Its send delay is 0. False where the shard is none.
    pub fn restore(&self, index: u8, shard: &[u8], out: &mut Vec<u8>) -> bool {
        let Some((len, rest)) = shard.split_first_chunk::<LENGTH>() else {
            return false;
        };
        let kept = rest.get(..usize::from(u16::from_be_bytes(*len)));
        let Some((head, tail)) = kept.and_then(|kept| kept.split_at_checked(KNOWN.start)) else {
            return false;
        };
        out.extend_from_slice(head);
        let unsent = Self {
            send_delay: 0,
            index,
            ..*self
        };
        out.extend_from_slice(&unsent.encode()[KNOWN]);
        out.extend_from_slice(tail);
        true
    }
}

/// Bytes of the shard of a datagram of updates of `len` bytes; a frame's shards are as long as the
/// longest.
pub fn shard_len(len: usize) -> usize {
    (LENGTH + len.saturating_sub(KNOWN.len())).next_multiple_of(2)
}

/// Puts the shard of a datagram of updates, of `len` bytes, in the place of what `out` holds: the length
/// of what is protected, 16 bits, then the datagram without the bytes that [`ParityHeader::restore`]
/// knows, then zeros. False where it does not fit, or the datagram is none.
pub fn fill_shard(datagram: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    if datagram.len() < UPDATE_HEADER_LEN || shard_len(datagram.len()) > len.min(MAX_SHARD) {
        return false;
    }
    let kept = (datagram.len() - KNOWN.len()) as u16;
    out.extend_from_slice(&kept.to_be_bytes());
    out.extend_from_slice(&datagram[..KNOWN.start]);
    out.extend_from_slice(&datagram[KNOWN.end..]);
    out.resize(len, 0);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Coding;
    use crate::wire::update::UpdateHeader;
    use proptest::prelude::*;

    const HEADER: ParityHeader = ParityHeader {
        frame: 0x1234,
        capture: 0x56_789a,
        send_delay: 0xbcde,
        index: 1,
        count: 4,
        parity: 2,
    };

    fn datagram(shard: usize) -> Vec<u8> {
        [&HEADER.encode()[..], &vec![7; shard]].concat()
    }

    #[test]
    fn the_bytes_are_fixed() {
        let mut bytes = datagram(6);
        let fixed = [0x50, 2, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 1, 4];
        assert_eq!(bytes[..PARITY_HEADER_LEN], fixed);
        assert_eq!(ParityHeader::parse(&bytes), Some(Ok((HEADER, &[7; 6][..]))));
        assert_eq!(HEADER.place(), 5);
        UpdateHeader::stamp(&mut bytes, 0xabcd);
        let stamped = ParityHeader {
            send_delay: 0xabcd,
            ..HEADER
        };
        assert_eq!(bytes[..PARITY_HEADER_LEN], stamped.encode());
    }

    #[test]
    fn a_shard_is_the_datagram_without_what_is_known() {
        let bytes = [0x21, 77, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 0, 3, 4, 5, 8, 9];
        let mut shard = vec![1; 99];
        assert!(fill_shard(&bytes, 10, &mut shard));
        assert_eq!(shard, [0, 5, 0x21, 77, 5, 8, 9, 0, 0, 0]);
        let mut again = Vec::new();
        assert!(HEADER.restore(3, &shard, &mut again));
        assert_eq!(again, bytes);
        assert!(!fill_shard(&bytes, 6, &mut shard), "too long");
        assert!(!fill_shard(&bytes[..11], 10, &mut shard), "no header");
    }

    #[test]
    fn what_no_sender_makes_is_refused() {
        let field = |at: usize, value| {
            let mut bytes = datagram(6);
            bytes[at] = value;
            ParityHeader::parse(&bytes).map(|it| it.is_err())
        };
        assert_eq!(field(0, 0x20), None, "another kind");
        for (at, value) in [(0, 0x51), (1, 0), (1, 1), (1, 252), (9, 2), (10, 0)] {
            assert_eq!(field(at, value), Some(true), "{at}: {value}");
        }
        assert_eq!(field(1, 251), Some(false), "255 in all");
        for shard in [0, 4, 7, 2050] {
            let bytes = datagram(shard);
            let parsed = ParityHeader::parse(&bytes);
            assert!(matches!(parsed, Some(Err(_))), "{shard}");
        }
        assert!(matches!(ParityHeader::parse(&datagram(2048)), Some(Ok(_))));
    }

    proptest! {
        #[test]
        fn what_is_protected_comes_back(
            body in prop::collection::vec(any::<u8>(), 0..60), more in 0usize..9, index in 0u8..4,
        ) {
            let header = UpdateHeader {
                coding: Coding::Range,
                names_codewords: true,
                level: 50,
                frame: HEADER.frame,
                capture: HEADER.capture,
                send_delay: 9,
                index,
                count: HEADER.count,
                floor: 3,
            };
            let mut datagram = [&header.encode()[..], &body].concat();
            let len = shard_len(datagram.len()) + 2 * more;
            let mut shard = Vec::new();
            prop_assert!(fill_shard(&datagram, len, &mut shard));
            prop_assert_eq!(shard.len(), len);
            let mut again = Vec::new();
            prop_assert!(HEADER.restore(index, &shard, &mut again));
            UpdateHeader::stamp(&mut datagram, 0);
            prop_assert_eq!(again, datagram);
        }

        #[test]
        fn any_bytes_are_an_error_or_parity(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(first) = bytes.first_mut() {
                *first = KIND_PARITY << 4 | *first & 1;
            }
            if let Some(Ok((header, shard))) = ParityHeader::parse(&bytes) {
                prop_assert_eq!([&header.encode()[..], shard].concat(), bytes.clone());
                let mut out = Vec::new();
                header.restore(0, shard, &mut out);
                prop_assert!(out.len() <= bytes.len() + KNOWN.len());
            }
        }
    }
}
