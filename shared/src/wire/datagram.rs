//! What all datagrams have in common: their errors and the extension of frame numbers.

/// Largest distance of a frame number from the newest one seen.
pub const MAX_JUMP: u32 = 1 << 14;

/// A datagram that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// Shorter than the header.
    #[error("a datagram of {0} bytes is shorter than its header")]
    Short(usize),
    /// None that this end takes; a later version may send other kinds.
    #[error("a datagram of unknown kind {0}")]
    Kind(u8),
    /// Unknown flags, a level out of range, or what no end would write like this.
    #[error("a datagram with unknown flags, levels or fields")]
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
    }
}
