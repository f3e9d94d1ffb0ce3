//! A datagram that tells the receiver what the sender knows of the path: for those who watch.

use super::datagram::DatagramError;
use crate::units::Bitrate;

/// The kind of such a datagram.
const KIND_NOTE: u8 = 6;
/// Bytes of it.
pub const NOTE_LEN: usize = 7;
/// The highest rate that it can tell, in kbit/s.
const MOST: u64 = 0xff_ffff;

/// Sent about once a second; not answered, and nothing follows from it. Big-endian on the wire:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 6 = note), zero |
/// | 3 | what the path is taken to carry, kbit/s |
/// | 3 | what frames may take, kbit/s |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The bandwidth estimate.
    pub estimate: Bitrate,
    /// The frames' budgets over the last second or so.
    pub target: Bitrate,
}

impl Note {
    /// Its bytes. Rates are rounded down to kbit/s; the highest is 16.8 Gbit/s.
    pub fn encode(&self) -> [u8; NOTE_LEN] {
        let kilobits = |rate: Bitrate| {
            let kilobits = (rate.bits_per_second() / 1000).min(MOST);
            (kilobits as u32).to_be_bytes()
        };
        let [_, a, b, c] = kilobits(self.estimate);
        let [_, d, e, f] = kilobits(self.target);
        [KIND_NOTE << 4, a, b, c, d, e, f]
    }

    /// Reads one; `None` where the datagram is of another kind.
    ///
    /// # Errors
    /// [`DatagramError`] when it is a note of another length or with unknown flags.
    pub fn parse(datagram: &[u8]) -> Option<Result<Self, DatagramError>> {
        let first = *datagram.first()?;
        if first >> 4 != KIND_NOTE {
            return None;
        }
        let Ok([first, a, b, c, d, e, f]) = <[u8; NOTE_LEN]>::try_from(datagram) else {
            return Some(Err(DatagramError::Short(datagram.len())));
        };
        let rate = |bytes| Bitrate::from_kilobits_per_second(u32::from_be_bytes(bytes).into());
        Some(match first & 0xf {
            0 => Ok(Self {
                estimate: rate([0, a, b, c]),
                target: rate([0, d, e, f]),
            }),
            _ => Err(DatagramError::Field),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_fixed() {
        let note = Note {
            estimate: Bitrate::from_kilobits_per_second(0x01_0203),
            target: Bitrate::from_bits_per_second(700_999),
        };
        let bytes = [0x60, 1, 2, 3, 0, 2, 0xbc];
        assert_eq!(note.encode(), bytes);
        let target = Bitrate::from_kilobits_per_second(700);
        assert_eq!(Note::parse(&bytes), Some(Ok(Note { target, ..note })));
    }

    #[test]
    fn rates_beyond_it_are_the_highest() {
        let note = Note {
            estimate: Bitrate::MAX,
            target: Bitrate::ZERO,
        };
        assert_eq!(note.encode(), [0x60, 0xff, 0xff, 0xff, 0, 0, 0]);
    }

    #[test]
    fn others_are_not_taken() {
        for other in [&[][..], &[0x40, 0, 0, 0], &[0x20; 12]] {
            assert_eq!(Note::parse(other), None);
        }
        for wrong in [&[0x61, 0, 0, 0, 0, 0, 0][..], &[0x60; 6], &[0x60; 8]] {
            assert!(matches!(Note::parse(wrong), Some(Err(_))), "{wrong:?}");
        }
    }
}
