//! The header of a datagram of updates.

use std::time::Duration;

use super::datagram::DatagramError;
use crate::coding::Coding;
use crate::tile::content::MAX_DEPTH;

/// Bytes of the header.
pub const UPDATE_HEADER_LEN: usize = 12;
/// The kind of a datagram that carries updates of tiles.
const KIND_UPDATE: u8 = 2;
/// The body is plain bits, not range-coded.
const PLAIN: u8 = 1;
/// The body begins with K̃ of every stage.
const NAMES_CODEWORDS: u8 = 2;
/// The body's length stands before it, and padding follows it.
const PADDED: u8 = 4;
/// Bytes of that length.
const LENGTH: usize = 2;
/// Units of capture times in a second.
pub const TIME_UNITS: u32 = 10_000;
/// Where the send delay stands in the header.
const SEND_DELAY: std::ops::Range<usize> = 7..9;

/// `time` in the header's units of 100 µs, rounded down.
pub fn time_units(time: Duration) -> u64 {
    u64::try_from(time.as_micros() * u128::from(TIME_UNITS) / 1_000_000).unwrap_or(u64::MAX)
}

/// What a datagram of updates says about itself. Big-endian on the wire:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 2 = updates), flags (1 = plain bits, 2 = K̃ of every stage follows, 4 = padded) |
/// | 1 | level, 0..=96 |
/// | 2 | low 16 bits of the frame number |
/// | 3 | capture time, 100 µs since the session began, wrapping |
/// | 2 | send delay after capture, 100 µs, saturating |
/// | 1 | index of this datagram in its frame |
/// | 1 | number of datagrams of the frame, at least 1 |
/// | 1 | how many frames the floor lies back, 0 = none |
/// | if padded: 2 | bytes of the body; what follows the body means nothing |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateHeader {
    /// How the body is coded.
    pub coding: Coding,
    /// Whether the body names K̃ of every stage; otherwise the level's band does.
    pub names_codewords: bool,
    /// Quality level of the frame, 0..=[`MAX_DEPTH`].
    pub level: u8,
    /// Low 16 bits of the frame number; see
    /// [`extend_frame_number`](super::datagram::extend_frame_number).
    pub frame: u16,
    /// When the frame was captured, 100 µs since the session began, 24 bits, wrapping.
    pub capture: u32,
    /// How long after capture it left the pacer, in units of 100 µs, saturating.
    pub send_delay: u16,
    /// Which datagram of the frame this is, below `count`.
    pub index: u8,
    /// Datagrams of the frame, at least 1.
    pub count: u8,
    /// How many frames the floor lies back; 0 where there is none.
    pub floor: u8,
}

impl UpdateHeader {
    /// The header's bytes. Only the low 24 bits of the capture time are written.
    pub fn encode(&self) -> [u8; UPDATE_HEADER_LEN] {
        let plain = if self.coding == Coding::Plain {
            PLAIN
        } else {
            0
        };
        let names = if self.names_codewords {
            NAMES_CODEWORDS
        } else {
            0
        };
        let mut bytes = [0; UPDATE_HEADER_LEN];
        bytes[0] = KIND_UPDATE << 4 | plain | names;
        bytes[1] = self.level;
        bytes[2..4].copy_from_slice(&self.frame.to_be_bytes());
        bytes[4..7].copy_from_slice(&self.capture.to_be_bytes()[1..]);
        bytes[SEND_DELAY].copy_from_slice(&self.send_delay.to_be_bytes());
        (bytes[9], bytes[10], bytes[11]) = (self.index, self.count, self.floor);
        bytes
    }

    /// Writes into a datagram, as it leaves, how long after capture that is, in units of 100 µs. One
    /// that is shorter than a header stays as it is.
    pub fn stamp(datagram: &mut [u8], send_delay: u16) {
        if datagram.len() >= UPDATE_HEADER_LEN {
            datagram[SEND_DELAY].copy_from_slice(&send_delay.to_be_bytes());
        }
    }

    /// Lengthens a datagram without padding to `len` bytes, for what its size is to do on the path.
    /// One that is too long for two more bytes, or already padded, stays as it is.
    pub fn pad(datagram: &mut Vec<u8>, len: usize) {
        let body = datagram.len().checked_sub(UPDATE_HEADER_LEN);
        let Some(body) = body.and_then(|body| u16::try_from(body).ok()) else {
            return;
        };
        if datagram[0] & PADDED == 0 && datagram.len() + LENGTH <= len {
            datagram[0] |= PADDED;
            let at = UPDATE_HEADER_LEN..UPDATE_HEADER_LEN;
            datagram.splice(at, body.to_be_bytes());
            datagram.resize(len, 0);
        }
    }

    /// Splits a datagram into its header and its body.
    ///
    /// # Errors
    /// [`DatagramError`] when it is too short, of another kind, numbered impossibly, or has
    /// unknown flags or a level out of range.
    pub fn parse(datagram: &[u8]) -> Result<(Self, &[u8]), DatagramError> {
        let Some((header, body)) = datagram.split_first_chunk::<UPDATE_HEADER_LEN>() else {
            return Err(DatagramError::Short(datagram.len()));
        };
        let [
            first,
            level,
            f0,
            f1,
            t0,
            t1,
            t2,
            d0,
            d1,
            index,
            count,
            floor,
        ] = *header;
        let (kind, flags) = (first >> 4, first & 0xf);
        if kind != KIND_UPDATE {
            return Err(DatagramError::Kind(kind));
        }
        if flags & !(PLAIN | NAMES_CODEWORDS | PADDED) != 0 || level > MAX_DEPTH {
            return Err(DatagramError::Field);
        }
        if index >= count {
            return Err(DatagramError::Index { index, count });
        }
        let body = if flags & PADDED != 0 {
            let padded = body
                .split_first_chunk::<LENGTH>()
                .and_then(|(len, rest)| rest.get(..usize::from(u16::from_be_bytes(*len))));
            padded.ok_or(DatagramError::Short(datagram.len()))?
        } else {
            body
        };
        let header = Self {
            coding: if flags & PLAIN != 0 {
                Coding::Plain
            } else {
                Coding::Range
            },
            names_codewords: flags & NAMES_CODEWORDS != 0,
            level,
            frame: u16::from_be_bytes([f0, f1]),
            capture: u32::from_be_bytes([0, t0, t1, t2]),
            send_delay: u16::from_be_bytes([d0, d1]),
            index,
            count,
            floor,
        };
        Ok((header, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_fixed() {
        let header = UpdateHeader {
            coding: Coding::Plain,
            names_codewords: true,
            level: 77,
            frame: 0x1234,
            capture: 0x56_789a,
            send_delay: 0xbcde,
            index: 3,
            count: 6,
            floor: 4,
        };
        let bytes = [0x23, 77, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 3, 6, 4];
        assert_eq!(header.encode(), bytes);
        assert_eq!(UpdateHeader::parse(&bytes), Ok((header, &[][..])));
    }

    #[test]
    fn a_stamp_changes_the_send_delay_alone() {
        let mut datagram = [0x20, 96, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        UpdateHeader::stamp(&mut datagram, 0xabcd);
        assert_eq!(
            datagram,
            [0x20, 96, 1, 2, 3, 4, 5, 0xab, 0xcd, 8, 9, 10, 11]
        );
        let mut short = [0x20; UPDATE_HEADER_LEN - 1];
        UpdateHeader::stamp(&mut short, 0xabcd);
        assert_eq!(short, [0x20; UPDATE_HEADER_LEN - 1]);
    }

    #[test]
    fn wrong_headers_are_refused() {
        let good = [0x20, 96, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
        assert!(UpdateHeader::parse(&good).is_ok());
        for (at, value) in [(0, 0x10), (0, 0x28), (0, 0x24), (1, 97), (9, 1), (10, 0)] {
            let mut bad = good;
            bad[at] = value;
            assert!(UpdateHeader::parse(&bad).is_err(), "byte {at}");
        }
        assert_eq!(
            UpdateHeader::parse(&good[..11]),
            Err(DatagramError::Short(11))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_header(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok((header, body)) = UpdateHeader::parse(&bytes) {
                let padded = bytes[0] & PADDED;
                prop_assert_eq!(header.encode()[0] | padded, bytes[0]);
                prop_assert_eq!(&header.encode()[1..], &bytes[1..UPDATE_HEADER_LEN]);
                let from = UPDATE_HEADER_LEN + if padded == 0 { 0 } else { LENGTH };
                prop_assert_eq!(body, &bytes[from..from + body.len()]);
                prop_assert!(padded != 0 || from + body.len() == bytes.len());
            }
        }

        #[test]
        fn padding_leaves_the_body(body in prop::collection::vec(any::<u8>(), 0..40), len in 0usize..90) {
            let bytes = [&[0x20, 96, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], &body[..]].concat();
            let mut padded = bytes.clone();
            UpdateHeader::pad(&mut padded, len);
            let (header, kept) = UpdateHeader::parse(&padded).unwrap();
            prop_assert_eq!(kept, &body[..]);
            prop_assert_eq!(&header.encode()[..], &bytes[..UPDATE_HEADER_LEN]);
            let longer = bytes.len() + LENGTH <= len;
            prop_assert_eq!(padded.len(), if longer { len } else { bytes.len() });
        }
    }
}
