//! Which datagrams of closed frames had arrived.

use super::field::Reader;
use crate::tile::scene::{Arrivals, OPEN};
use crate::wire::datagram::DatagramError;

/// What arrived of a frame, in two bits.
const NONE: u8 = 0;
const ALL: u8 = 1;
const SOME: u8 = 2;

/// Which datagrams of a closed frame had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameReport {
    /// None, so the receiver does not know how many there are.
    #[default]
    None,
    /// All that the frame was sent in.
    All,
    /// Some of them.
    Some {
        /// Datagrams of the frame, 2 to 255.
        count: u8,
        /// Those that had arrived, below `count`; at least one, not all.
        arrived: Arrivals,
    },
}

impl FrameReport {
    /// Of a frame of `count` datagrams of which these arrived; others than its own do not count.
    pub fn of(count: u8, arrived: Arrivals) -> Self {
        let mut own = Arrivals::default();
        for index in (0..count).filter(|&index| arrived.contains(index)) {
            own.insert(index);
        }
        match own.len() {
            0 => Self::None,
            all if all == u32::from(count) => Self::All,
            _ => Self::Some {
                count,
                arrived: own,
            },
        }
    }

    /// The datagrams that arrived of a frame that was sent in `count`; `None` where the receiver took
    /// it for one of another number.
    pub fn arrived(&self, count: u8) -> Option<Arrivals> {
        match *self {
            Self::None => Some(Arrivals::default()),
            Self::All => Some(Arrivals::all(count)),
            Self::Some { count: of, arrived } => (of == count).then_some(arrived),
        }
    }

    /// As it goes over the wire.
    fn told(self) -> Self {
        match self {
            Self::Some { count, arrived } => Self::of(count, arrived),
            other => other,
        }
    }
}

/// The newest closed frames. On the wire, big-endian:
///
/// | bytes | field |
/// |---|---|
/// | 2 | low 16 bits of the newest closed frame |
/// | ⌈k/4⌉ | for each of the k frames, the newest first, two bits from the most significant on: 0 none of its datagrams had arrived, 1 all, 2 some; zero bits to the end |
/// | per frame with some: 1 | n, its number of datagrams |
/// | ⌈n/8⌉ | a bit for each of them, the first the most significant; zero bits to the end |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Low 16 bits of the newest closed frame.
    pub newest: u16,
    /// That frame and those before it, one after the other, 1 to [`OPEN`].
    pub frames: Vec<FrameReport>,
}

impl Closed {
    /// Frames that the bytes tell of.
    pub(super) fn told(&self) -> usize {
        self.frames.len().min(OPEN)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let frames = || self.frames.iter().take(OPEN).map(|frame| frame.told());
        out.extend_from_slice(&self.newest.to_be_bytes());
        let start = out.len();
        out.resize(start + self.told().div_ceil(4), 0);
        for (n, frame) in frames().enumerate() {
            let bits = match frame {
                FrameReport::None => NONE,
                FrameReport::All => ALL,
                FrameReport::Some { .. } => SOME,
            };
            out[start + n / 4] |= bits << (6 - n % 4 * 2);
        }
        for frame in frames() {
            if let FrameReport::Some { count, arrived } = frame {
                out.push(count);
                let start = out.len();
                out.resize(start + usize::from(count).div_ceil(8), 0);
                for index in (0..count).filter(|&index| arrived.contains(index)) {
                    out[start + usize::from(index / 8)] |= 0x80 >> (index % 8);
                }
            }
        }
    }

    pub(super) fn parse(k: usize, reader: &mut Reader<'_>) -> Result<Self, DatagramError> {
        if k > OPEN {
            return Err(DatagramError::Field);
        }
        let newest = u16::from_be_bytes(reader.array()?);
        let codes = reader.slice(k.div_ceil(4))?;
        let code = |n: usize| codes[n / 4] >> (6 - n % 4 * 2) & 3;
        if (k..4 * codes.len()).any(|n| code(n) != 0) {
            return Err(DatagramError::Field);
        }
        let mut frames = Vec::with_capacity(k);
        for n in 0..k {
            frames.push(match code(n) {
                NONE => FrameReport::None,
                ALL => FrameReport::All,
                SOME => some(reader)?,
                _ => return Err(DatagramError::Field),
            });
        }
        Ok(Self { newest, frames })
    }
}

fn some(reader: &mut Reader<'_>) -> Result<FrameReport, DatagramError> {
    let count = reader.byte()?;
    let mut arrived = Arrivals::default();
    for (n, byte) in reader
        .slice(usize::from(count).div_ceil(8))?
        .iter()
        .enumerate()
    {
        for bit in (0..8).filter(|bit| byte << bit & 0x80 != 0) {
            let index = 8 * n + bit;
            if index >= usize::from(count) {
                return Err(DatagramError::Field);
            }
            arrived.insert(index as u8);
        }
    }
    // None and all have shorter names.
    match FrameReport::of(count, arrived) {
        some @ FrameReport::Some { .. } => Ok(some),
        FrameReport::None | FrameReport::All => Err(DatagramError::Field),
    }
}

/// A check of one tile's content. On the wire the tile in 2 bytes and the fingerprint in 4, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// The tile.
    pub tile: u16,
    /// [`Content::fingerprint`](crate::tile::Content::fingerprint) of its newest generation at or
    /// below the newest closed frame; 0 where it has none.
    pub fingerprint: u32,
}

impl Audit {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tile.to_be_bytes());
        out.extend_from_slice(&self.fingerprint.to_be_bytes());
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, DatagramError> {
        Ok(Self {
            tile: u16::from_be_bytes(reader.array()?),
            fingerprint: u32::from_be_bytes(reader.array()?),
        })
    }
}
