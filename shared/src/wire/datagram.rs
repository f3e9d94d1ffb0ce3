//! The header of a datagram and the extension of frame numbers.

/// Bytes of the header.
pub const HEADER_LEN: usize = 12;
/// Largest distance of a frame number from the newest one seen.
pub const MAX_JUMP: u32 = 1 << 14;

/// The kind of a datagram that carries part of a frame.
const KIND_FRAME: u16 = 1;

/// What a datagram of a frame says about itself. Big-endian on the wire:
///
/// | bytes | field |
/// |---|---|
/// | 2 | kind (4 bits, 1 = frame), K̃ − 1 (12 bits) |
/// | 2 | low 16 bits of the frame number |
/// | 4 | capture time, µs since the session began, wrapping |
/// | 2 | send delay after capture, 100 µs, saturating |
/// | 1 | index of this datagram in its frame |
/// | 1 | number of datagrams of the frame, at least 1 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Codebook size K̃ of the frame, 1..=4096.
    pub codewords: u16,
    /// Low 16 bits of the frame number; see [`extend_frame_number`].
    pub frame: u16,
    /// When the frame was captured, µs since the session began, wrapping.
    pub capture_us: u32,
    /// How long after capture it was sent, in units of 100 µs, saturating.
    pub send_delay: u16,
    /// Which datagram of the frame this is, below `count`.
    pub index: u8,
    /// Datagrams of the frame, at least 1.
    pub count: u8,
}

/// A datagram that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// Shorter than the header.
    #[error("a datagram of {0} bytes is shorter than its header")]
    Short(usize),
    /// Not a part of a frame; a later version may send other kinds.
    #[error("a datagram of unknown kind {0}")]
    Kind(u8),
    /// Unknown flags, or a level out of range.
    #[error("a datagram with unknown flags or levels")]
    Field,
    /// The index is not below the count.
    #[error("datagram {index} of {count}")]
    Index {
        /// Index given.
        index: u8,
        /// Count given.
        count: u8,
    },
}

impl Header {
    /// The header's bytes.
    ///
    /// # Panics
    /// When `codewords` is not 1..=4096.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        assert!(
            (1..=4096).contains(&self.codewords),
            "{} codewords",
            self.codewords
        );
        let mut bytes = [0; HEADER_LEN];
        bytes[0..2].copy_from_slice(&(KIND_FRAME << 12 | (self.codewords - 1)).to_be_bytes());
        bytes[2..4].copy_from_slice(&self.frame.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.capture_us.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.send_delay.to_be_bytes());
        bytes[10] = self.index;
        bytes[11] = self.count;
        bytes
    }

    /// Splits a datagram into its header and its packed indices.
    ///
    /// # Errors
    /// [`DatagramError`] when it is too short, of another kind, or numbered impossibly.
    pub fn parse(datagram: &[u8]) -> Result<(Self, &[u8]), DatagramError> {
        let Some((header, payload)) = datagram.split_first_chunk::<HEADER_LEN>() else {
            return Err(DatagramError::Short(datagram.len()));
        };
        let [k0, k1, f0, f1, c0, c1, c2, c3, d0, d1, index, count] = *header;
        let first = u16::from_be_bytes([k0, k1]);
        if first >> 12 != KIND_FRAME {
            return Err(DatagramError::Kind((first >> 12) as u8));
        }
        if index >= count {
            return Err(DatagramError::Index { index, count });
        }
        let header = Self {
            codewords: (first & 0xfff) + 1,
            frame: u16::from_be_bytes([f0, f1]),
            capture_us: u32::from_be_bytes([c0, c1, c2, c3]),
            send_delay: u16::from_be_bytes([d0, d1]),
            index,
            count,
        };
        Ok((header, payload))
    }
}

/// The frame number with these low bits that is nearest to the one after `newest` (RFC 9000,
/// appendix A.3). A session begins with frame 0.
///
/// `None` when it is more than [`MAX_JUMP`] away from `newest`, below 0 or past the last number.
pub fn extend_frame_number(newest: Option<u32>, low: u16) -> Option<u32> {
    const WINDOW: i64 = 1 << 16;
    let expected = newest.map_or(0, |newest| i64::from(newest) + 1);
    let candidate = (expected & !(WINDOW - 1)) | i64::from(low);
    let number = [candidate - WINDOW, candidate, candidate + WINDOW]
        .into_iter()
        .min_by_key(|number| (number - expected).abs())?;
    let from = newest.map_or(0, i64::from);
    let near = (number - from).abs() <= i64::from(MAX_JUMP);
    u32::try_from(number).ok().filter(|_| near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frame_numbers_begin_at_zero() {
        assert_eq!(extend_frame_number(None, 0), Some(0));
        assert_eq!(extend_frame_number(None, 16384), Some(16384));
        assert_eq!(extend_frame_number(None, 16385), None);
        assert_eq!(extend_frame_number(None, 65535), None, "below 0");
        assert_eq!(
            extend_frame_number(Some(u32::MAX), 0),
            None,
            "past the last"
        );
        assert_eq!(extend_frame_number(Some(65535), 0), Some(65536));
        assert_eq!(extend_frame_number(Some(65536), 65535), Some(65535));
    }

    proptest! {
        #[test]
        fn near_numbers_survive(newest: u32, offset in -16384i64..=16384) {
            let number = i64::from(newest) + offset;
            let expected = u32::try_from(number).ok();
            prop_assert_eq!(extend_frame_number(Some(newest), number as u16), expected);
        }

        #[test]
        fn far_numbers_are_refused(newest: u32, low: u16) {
            if let Some(number) = extend_frame_number(Some(newest), low) {
                prop_assert_eq!(number as u16, low);
                prop_assert!(number.abs_diff(newest) <= MAX_JUMP);
            }
        }

        #[test]
        fn headers_round_trip(
            codewords in 1u16..=4096, frame: u16, capture_us: u32, send_delay: u16,
            index in 0u8..255, more in 1u8..,
        ) {
            let count = index.saturating_add(more);
            let header = Header { codewords, frame, capture_us, send_delay, index, count };
            let mut datagram = header.encode().to_vec();
            datagram.extend_from_slice(b"indices");
            prop_assert_eq!(Header::parse(&datagram), Ok((header, &b"indices"[..])));
        }

        #[test]
        fn any_bytes_are_an_error_or_a_header(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok((header, payload)) = Header::parse(&bytes) {
                prop_assert_eq!(&header.encode()[..], &bytes[..HEADER_LEN]);
                prop_assert_eq!(payload, &bytes[HEADER_LEN..]);
            }
        }
    }
}
