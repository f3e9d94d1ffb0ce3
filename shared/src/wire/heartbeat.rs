//! A datagram that only asks whether the path is there.

use super::datagram::DatagramError;

/// The kind of such a datagram.
const KIND_HEARTBEAT: u8 = 4;
/// Bytes of it.
pub const HEARTBEAT_LEN: usize = 4;

/// Sent while nothing comes back; answered with a report at once. Big-endian on the wire:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 4 = heartbeat), zero |
/// | 3 | send time, 100 µs since the session began, wrapping |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// When it was sent, 100 µs since the session began, 24 bits, wrapping.
    pub sent: u32,
}

impl Heartbeat {
    /// Its bytes. Only the low 24 bits of the time are written.
    pub fn encode(&self) -> [u8; HEARTBEAT_LEN] {
        let [_, a, b, c] = self.sent.to_be_bytes();
        [KIND_HEARTBEAT << 4, a, b, c]
    }

    /// Reads one; `None` where the datagram is of another kind.
    ///
    /// # Errors
    /// [`DatagramError`] when it is a heartbeat of another length or with unknown flags.
    pub fn parse(datagram: &[u8]) -> Option<Result<Self, DatagramError>> {
        let first = *datagram.first()?;
        if first >> 4 != KIND_HEARTBEAT {
            return None;
        }
        let Ok([first, a, b, c]) = <[u8; HEARTBEAT_LEN]>::try_from(datagram) else {
            return Some(Err(DatagramError::Short(datagram.len())));
        };
        Some(match first & 0xf {
            0 => Ok(Self {
                sent: u32::from_be_bytes([0, a, b, c]),
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
        let heartbeat = Heartbeat { sent: 0x12_3456 };
        assert_eq!(heartbeat.encode(), [0x40, 0x12, 0x34, 0x56]);
        let parsed = Heartbeat::parse(&[0x40, 0x12, 0x34, 0x56]);
        assert_eq!(parsed, Some(Ok(heartbeat)));
    }

    #[test]
    fn others_are_not_taken() {
        for other in [&[][..], &[0x30, 0, 0, 0], &[0x20; 12]] {
            assert_eq!(Heartbeat::parse(other), None);
        }
        for wrong in [&[0x41, 0, 0, 0][..], &[0x40, 0, 0], &[0x40; 5]] {
            assert!(matches!(Heartbeat::parse(wrong), Some(Err(_))), "{wrong:?}");
        }
    }
}
