//! Datagrams of the simulator's own: what a policy's receiving half tells its sending half, padding,
//! and the request for a key frame. The product's sessions never see them.

use std::time::Duration;

use super::Use;

/// First bytes; the product's datagrams begin with 2 or 3 in the upper half.
const FEEDBACK: u8 = 0xf0;
const PADDING: u8 = 0xe0;
const KEY_FRAME: u8 = 0xd0;
/// Bytes before the first arrival.
const FIXED: usize = 10;
/// Bytes of an arrival.
const ARRIVAL: usize = 8;
/// The most arrivals of a datagram.
pub const MOST: usize = 140;
/// The smallest datagram of padding.
pub const LEAST_PADDING: usize = 3;

/// A datagram that arrived, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Which.
    pub purpose: Use,
    /// When.
    pub at: Duration,
}

/// A datagram of the simulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// What arrived since the last one.
    Feedback {
        /// When this was made.
        made: Duration,
        /// In order of arrival.
        arrived: Vec<Arrived>,
    },
    /// Padding, with its number.
    Padding(u16),
    /// A request for a frame that builds on none.
    KeyFrame,
}

impl Own {
    /// Reads one; `None` where the datagram is the product's.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [KEY_FRAME] => Some(Self::KeyFrame),
            [PADDING, a, b, ..] => Some(Self::Padding(u16::from_be_bytes([a, b]))),
            [FEEDBACK, ..] => parse_feedback(bytes),
            _ => None,
        }
    }
}

fn parse_feedback(bytes: &[u8]) -> Option<Own> {
    let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
    let made = u64::from_be_bytes(fixed[1..9].try_into().ok()?);
    let (arrivals, _) = rest.as_chunks::<ARRIVAL>();
    let arrived = arrivals.iter().map(|&[kind, a, b, index, ago @ ..]| {
        let number = u16::from_be_bytes([a, b]);
        let ago = u64::from(u32::from_be_bytes(ago));
        Arrived {
            purpose: match kind {
                PADDING => Use::Padding(number),
                _ => Use::Media {
                    frame: number,
                    index,
                },
            },
            at: Duration::from_micros(made.saturating_sub(ago)),
        }
    });
    Some(Own::Feedback {
        made: Duration::from_micros(made),
        arrived: arrived.collect(),
    })
}

/// Feedback of at most [`MOST`] arrivals, to the microsecond.
pub fn encode(made: Duration, arrived: &[Arrived]) -> Vec<u8> {
    let made = made.as_micros() as u64;
    let mut bytes = vec![FEEDBACK];
    bytes.extend(made.to_be_bytes());
    bytes.push(arrived.len() as u8);
    for arrival in arrived {
        let ago = made.saturating_sub(arrival.at.as_micros() as u64) as u32;
        let (kind, number, index) = match arrival.purpose {
            Use::Media { frame, index } => (0, frame, index),
            Use::Padding(number) => (PADDING, number, 0),
            Use::Feedback | Use::Heartbeat => continue,
        };
        bytes.push(kind);
        bytes.extend(number.to_be_bytes());
        bytes.push(index);
        bytes.extend(ago.to_be_bytes());
    }
    bytes
}

/// A datagram of padding of `len` bytes, at least [`LEAST_PADDING`].
pub fn padding(number: u16, len: usize) -> Vec<u8> {
    let [a, b] = number.to_be_bytes();
    let mut bytes = vec![PADDING, a, b];
    bytes.resize(len.max(LEAST_PADDING), 0);
    bytes
}

/// A request for a key frame.
pub fn key_frame() -> Vec<u8> {
    vec![KEY_FRAME]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let micros = Duration::from_micros;
        let arrived = vec![
            Arrived {
                purpose: Use::Media {
                    frame: 65_535,
                    index: 7,
                },
                at: micros(999),
            },
            Arrived {
                purpose: Use::Padding(300),
                at: micros(12_345),
            },
        ];
        let bytes = encode(micros(20_000), &arrived);
        assert_eq!(bytes.len(), FIXED + 2 * ARRIVAL);
        let made = micros(20_000);
        assert_eq!(Own::parse(&bytes), Some(Own::Feedback { made, arrived }));
        assert_eq!(Own::parse(&padding(300, 50)), Some(Own::Padding(300)));
        assert_eq!(Own::parse(&key_frame()), Some(Own::KeyFrame));
        assert_eq!(Own::parse(&[0x20; 40]), None);
        assert!(encode(micros(0), &[arrived_one(); MOST]).len() <= 1150);
    }

    fn arrived_one() -> Arrived {
        Arrived {
            purpose: Use::Padding(0),
            at: Duration::ZERO,
        }
    }
}
