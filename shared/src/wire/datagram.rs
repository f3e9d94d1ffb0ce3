//! What all datagrams have in common: their errors and the extension of frame numbers.

/// A sender's frame numbers jump no further as long as it is heard, and what comes late is no
/// further behind.
pub const MAX_JUMP: u32 = 1 << 14;
/// A datagram's frame is less than this ahead of the newest one seen: what comes after an outage is
/// understood whatever the frame rate, as connections last through 45 s and there are at most 1000
/// frames a second.
pub const MAX_AHEAD: u32 = (1 << 16) - MAX_JUMP;

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

/// The number of the frame whose datagram, with these low bits, has come after `newest`: up to
/// [`MAX_JUMP`] before it, otherwise after it. A session begins with frame 0.
///
/// `None` where that is below 0 or past the last number, 2^32 − 2.
pub fn extend_frame_number(newest: Option<u32>, low: u16) -> Option<u32> {
    let Some(newest) = newest else {
        return (u32::from(low) < MAX_AHEAD).then_some(low.into());
    };
    let ahead = u32::from(low.wrapping_sub(newest as u16));
    let number = match ahead < MAX_AHEAD {
        true => newest.checked_add(ahead),
        false => newest.checked_sub((1 << 16) - ahead),
    };
    number.filter(|&number| number < u32::MAX)
}

/// The number of a frame of which a report tells, where `sent` is the newest that was sent; `None`
/// where no such frame was sent of late.
pub fn reported_frame_number(sent: u32, low: u16) -> Option<u32> {
    let behind = u32::from((sent as u16).wrapping_sub(low));
    sent.checked_sub(behind).filter(|_| behind < MAX_AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frame_numbers_begin_at_zero() {
        assert_eq!(extend_frame_number(None, 0), Some(0));
        assert_eq!(extend_frame_number(None, 49151), Some(49151));
        assert_eq!(extend_frame_number(None, 49152), None, "below 0");
        assert_eq!(extend_frame_number(Some(9), 65535), None, "below 0");
        let last = u32::MAX - 1;
        assert_eq!(extend_frame_number(Some(last), 65534), Some(last));
        assert_eq!(extend_frame_number(Some(last), 65535), None, "past it");
        assert_eq!(extend_frame_number(Some(last), 0), None, "past it");
        assert_eq!(extend_frame_number(Some(65535), 0), Some(65536));
        assert_eq!(extend_frame_number(Some(65536), 65535), Some(65535));
        assert_eq!(reported_frame_number(5, 6), None, "never sent");
        assert_eq!(reported_frame_number(65536, 65535), Some(65535));
    }

    proptest! {
        #[test]
        fn numbers_survive(newest in 0..u32::MAX, offset in -16384i64..49152) {
            let number = i64::from(newest) + offset;
            let expected = u32::try_from(number).ok().filter(|&it| it < u32::MAX);
            prop_assert_eq!(extend_frame_number(Some(newest), number as u16), expected);
        }

        #[test]
        fn reported_numbers_survive(sent: u32, behind in 0u32..1 << 16) {
            let number = sent.wrapping_sub(behind) as u16;
            let expected = sent.checked_sub(behind).filter(|_| behind < MAX_AHEAD);
            prop_assert_eq!(reported_frame_number(sent, number), expected);
        }
    }
}
