//! What the receiver tells of closed frames.

use super::datagram::DatagramError;
use crate::tile::scene::{Arrivals, OPEN};

/// The kind of a datagram that carries a report.
const KIND_REPORT: u8 = 3;
/// Bytes before the first frame.
const FIXED: usize = 4;
/// Bytes of the audit.
const AUDIT: usize = 6;

/// Which datagrams of a closed frame had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameReport {
    /// Datagrams of the frame; 0 where none had arrived.
    pub count: u8,
    /// Those that had arrived, below `count`.
    pub arrived: Arrivals,
}

/// A check of one tile's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// The tile.
    pub tile: u16,
    /// [`Content::fingerprint`](crate::tile::Content::fingerprint) of its newest generation at or
    /// below the newest reported frame; 0 where it has none.
    pub fingerprint: u32,
}

/// A report: the newest closed frames and one tile's fingerprint. On the wire, big-endian:
///
/// | bytes | field |
/// |---|---|
/// | 1 | kind (upper 4 bits, 3 = report), number of frames less one |
/// | 1 | zero |
/// | 2 | low 16 bits of the newest closed frame |
/// | per frame, the newest first: 1 | its number of datagrams, 0 where none had arrived |
/// | ⌈n / 8⌉ | a bit for each of them, the first the most significant; zero bits to the end |
/// | 2 | the audited tile |
/// | 4 | its fingerprint |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Low 16 bits of the newest closed frame.
    pub newest: u16,
    /// That frame and those before it, one after the other, 1 to [`OPEN`].
    pub frames: Vec<FrameReport>,
    /// One tile in turn.
    pub audit: Audit,
}

impl Report {
    /// Appends the report's bytes.
    ///
    /// # Panics
    /// Without frames, or with more than [`OPEN`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        assert!((1..=OPEN).contains(&self.frames.len()), "1 to 16 frames");
        out.push(KIND_REPORT << 4 | (self.frames.len() - 1) as u8);
        out.push(0);
        out.extend_from_slice(&self.newest.to_be_bytes());
        for frame in &self.frames {
            out.push(frame.count);
            let start = out.len();
            out.resize(start + usize::from(frame.count).div_ceil(8), 0);
            for index in (0..frame.count).filter(|&index| frame.arrived.contains(index)) {
                out[start + usize::from(index / 8)] |= 0x80 >> (index % 8);
            }
        }
        out.extend_from_slice(&self.audit.tile.to_be_bytes());
        out.extend_from_slice(&self.audit.fingerprint.to_be_bytes());
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`DatagramError`] when it is of another kind, too short or too long, or bits are set that
    /// stand for nothing.
    pub fn parse(datagram: &[u8]) -> Result<Self, DatagramError> {
        let short = || DatagramError::Short(datagram.len());
        let (fixed, mut rest) = datagram.split_first_chunk::<FIXED>().ok_or_else(short)?;
        let [first, zero, newest @ ..] = *fixed;
        if first >> 4 != KIND_REPORT {
            return Err(DatagramError::Kind(first >> 4));
        }
        if zero != 0 {
            return Err(DatagramError::Field);
        }
        let mut frames = Vec::with_capacity(OPEN);
        for _ in 0..=first & 0xf {
            let (&count, after) = rest.split_first().ok_or_else(short)?;
            let bytes = usize::from(count).div_ceil(8);
            let (bits, after) = after.split_at_checked(bytes).ok_or_else(short)?;
            rest = after;
            let mut arrived = Arrivals::default();
            for (n, byte) in bits.iter().enumerate() {
                for bit in (0..8).filter(|bit| byte << bit & 0x80 != 0) {
                    let index = 8 * n + bit;
                    if index >= usize::from(count) {
                        return Err(DatagramError::Field);
                    }
                    arrived.insert(index as u8);
                }
            }
            frames.push(FrameReport { count, arrived });
        }
        let audit: [u8; AUDIT] = rest.try_into().map_err(|_| short())?;
        let [a, b, hash @ ..] = audit;
        Ok(Self {
            newest: u16::from_be_bytes(newest),
            frames,
            audit: Audit {
                tile: u16::from_be_bytes([a, b]),
                fingerprint: u32::from_be_bytes(hash),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrivals(indices: &[u8]) -> Arrivals {
        let mut arrived = Arrivals::default();
        for &index in indices {
            arrived.insert(index);
        }
        arrived
    }

    #[test]
    fn the_bytes_are_fixed() {
        let report = Report {
            newest: 0x1234,
            frames: vec![
                FrameReport {
                    count: 10,
                    arrived: arrivals(&[0, 3, 9]),
                },
                FrameReport::default(),
            ],
            audit: Audit {
                tile: 7,
                fingerprint: 0xdead_beef,
            },
        };
        let mut bytes = vec![];
        report.encode(&mut bytes);
        let expected = [
            0x31, 0, 0x12, 0x34, 10, 0x90, 0x40, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(Report::parse(&bytes), Ok(report));
    }

    #[test]
    fn wrong_reports_are_refused() {
        let good = [0x30, 0, 0, 1, 3, 0xe0, 0, 0, 0, 0, 0, 0];
        assert!(Report::parse(&good).is_ok());
        for (at, value) in [(0, 0x20), (0, 0x31), (1, 1), (4, 2), (4, 9), (5, 0x10)] {
            let mut bad = good;
            bad[at] = value;
            assert!(Report::parse(&bad).is_err(), "byte {at} = {value}");
        }
        assert!(Report::parse(&good[..11]).is_err());
        assert!(Report::parse(&[&good[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_report(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(report) = Report::parse(&bytes) {
                let mut again = vec![];
                report.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
