//! A frame's indices as datagrams, each decodable without the others.

use bytes::{Bytes, BytesMut};
use raq_shared::frame::Grid;
use raq_shared::interleave::{Interleave, MAX_DATAGRAMS};
use raq_shared::packing::{pack, packed_len};
use raq_shared::wire::datagram::{HEADER_LEN, Header};

/// Bytes of indices a datagram is filled with; what fits the smallest path that QUIC allows.
const FULL: usize = 1150;
/// Small frames are spread over several datagrams of about this size, so that a lost one thins
/// the picture instead of taking half of it …
const SPREAD: usize = 450;
/// … as long as there are no more than this.
const MAX_SPREAD: usize = 8;

/// What QUIC, UDP and IP add to a datagram, in bytes: short header, packet number, tag, frame
/// header; 8 and 20 to 40.
pub const PATH_OVERHEAD: usize = 64;

/// How positions fall on n datagrams, for every n that was asked for.
#[derive(Debug)]
pub struct Spreads {
    grid: Grid,
    /// Per n − 1: distinct numbers of positions of a datagram, the largest first, and how many
    /// datagrams have each.
    known: Vec<Option<Vec<(usize, usize)>>>,
}

impl Spreads {
    /// Nothing asked yet.
    pub fn new(grid: Grid) -> Self {
        Self {
            grid,
            known: vec![None; MAX_DATAGRAMS],
        }
    }

    /// The positions.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    fn over(&mut self, count: u8) -> &[(usize, usize)] {
        let grid = self.grid;
        self.known[usize::from(count) - 1].get_or_insert_with(|| {
            let spread = Interleave::new(grid, count);
            let mut lens: Vec<usize> = (0..spread.count()).map(|index| spread.len(index)).collect();
            lens.sort_unstable_by_key(|&len| std::cmp::Reverse(len));
            let runs = lens.chunk_by(|a, b| a == b);
            runs.map(|run| (run[0], run.len())).collect()
        })
    }

    /// Number of datagrams for a frame with K̃ = `codewords`, none with more than `max_payload`
    /// bytes of indices; `None` when [`MAX_DATAGRAMS`] are not enough.
    pub fn datagrams(&mut self, codewords: usize, max_payload: usize) -> Option<u8> {
        let bytes = packed_len(self.grid.positions(), codewords);
        let first = bytes
            .div_ceil(FULL)
            .max((bytes / SPREAD).clamp(1, MAX_SPREAD));
        (first..=MAX_DATAGRAMS)
            .map(|count| count as u8)
            .find(|&count| {
                let (longest, _) = self.over(count)[0];
                packed_len(longest, codewords) <= max_payload
            })
    }

    /// Bytes of all datagrams of a frame, headers included; `None` as [`Spreads::datagrams`].
    pub fn frame_len(&mut self, codewords: usize, max_payload: usize) -> Option<usize> {
        let count = self.datagrams(codewords, max_payload)?;
        let of_run =
            |&(len, times): &(usize, usize)| times * (HEADER_LEN + packed_len(len, codewords));
        Some(self.over(count).iter().map(of_run).sum())
    }
}

/// A frame to be packed.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// One index per position, each below `codewords`.
    pub indices: &'a [u16],
    /// K̃.
    pub codewords: u16,
    /// Frame number.
    pub frame: u32,
    /// Capture time, µs since the session began, wrapping.
    pub capture_us: u32,
    /// Time since then in units of 100 µs, saturating.
    pub send_delay: u16,
}

/// Packs frames; buffers are used again once the datagrams are gone.
#[derive(Debug)]
pub struct Packetizer {
    grid: Grid,
    packed: Vec<u8>,
    buffer: BytesMut,
}

impl Packetizer {
    /// For frames of these positions.
    pub fn new(grid: Grid) -> Self {
        Self {
            grid,
            packed: Vec::new(),
            buffer: BytesMut::new(),
        }
    }

    /// Packs `frame` into `count` datagrams and gives each to `send`, in order.
    ///
    /// # Panics
    /// When there is not one index per position, or one is not below K̃.
    pub fn pack(&mut self, frame: Packet<'_>, count: u8, mut send: impl FnMut(Bytes)) {
        assert_eq!(
            frame.indices.len(),
            self.grid.positions(),
            "one index per position"
        );
        let spread = Interleave::new(self.grid, count);
        let codewords = usize::from(frame.codewords);
        for index in 0..count {
            let header = Header {
                codewords: frame.codewords,
                frame: frame.frame as u16,
                capture_us: frame.capture_us,
                send_delay: frame.send_delay,
                index,
                count,
            };
            let positions = spread.positions(index.into());
            let indices = positions.map(|position| frame.indices[position]);
            self.packed.clear();
            pack(indices, codewords, &mut self.packed);
            self.buffer.extend_from_slice(&header.encode());
            self.buffer.extend_from_slice(&self.packed);
            send(self.buffer.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests;
