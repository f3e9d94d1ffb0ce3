//! Datagrams of open frames, kept so that lost ones can be made again from those of parity.

use std::collections::VecDeque;
use std::ops::Range;

use raq_shared::tile::scene::{Arrivals, OPEN};
use raq_shared::wire::parity::{ParityHeader, fill_shard};
use reed_solomon_simd::{Error, ReedSolomonDecoder};

/// For so many frames after one that had parity, datagrams are kept: most senders never send any.
const FRAMES: u32 = 64;
/// Most bytes kept; beyond it the oldest frame's are forgotten.
const MOST: usize = 1 << 20;

/// Datagrams that were made again.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Restored {
    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let ranges = starts.zip(&self.ends);
        ranges.filter_map(|(&start, &end)| self.bytes.get(start..end))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct ParityStore {
    decoder: Option<ReedSolomonDecoder>,
    /// In order of their numbers, at most [`OPEN`] and one.
    frames: VecDeque<Kept>,
    spare: Vec<Kept>,
    /// The newest frame of which parity came.
    newest: Option<u32>,
    bytes: usize,
    shard: Vec<u8>,
}

/// What came of a frame.
#[derive(Debug, Default)]
struct Kept {
    number: u32,
    /// Of the first datagram of parity, and the length of its shard.
    parity: Option<(ParityHeader, usize)>,
    /// By the places in the frame, parity last.
    arrived: Arrivals,
    pieces: Vec<(u8, Range<usize>)>,
    bytes: Vec<u8>,
    /// There is nothing more to be made.
    done: bool,
}

impl std::fmt::Debug for ParityStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("ParityStore");
        text.field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl ParityStore {
    /// Parity of this frame came, so more of it is likely.
    pub(crate) fn expect(&mut self, frame: u32) {
        self.newest = self.newest.max(Some(frame));
    }

    /// Keeps a datagram of updates that was taken.
    pub(crate) fn keep(&mut self, frame: u32, index: u8, datagram: &[u8]) {
        let until = self.newest.map(|newest| newest.saturating_add(FRAMES));
        if until.is_some_and(|until| frame <= until) {
            self.add(frame, index, datagram);
        }
    }

    /// Keeps a datagram of parity of an open frame. One that disagrees with the first of its frame is
    /// not kept.
    pub(crate) fn keep_parity(&mut self, frame: u32, header: &ParityHeader, shard: &[u8]) {
        let kept = self.frame(frame);
        let (first, len) = kept.parity.get_or_insert((*header, shard.len()));
        if (first.count, first.parity, *len) == (header.count, header.parity, shard.len()) {
            self.add(frame, header.place(), shard);
        }
    }

    /// Where what came of a frame with these datagrams of updates suffices, makes the others again, in
    /// place of what `restored` holds; false where there is nothing to be made.
    pub(crate) fn restore(&mut self, frame: u32, arrived: &Arrivals, out: &mut Restored) -> bool {
        out.clear();
        let Some(kept) = self.frames.iter_mut().find(|kept| kept.number == frame) else {
            return false;
        };
        let Some((header, _)) = kept.parity else {
            return false;
        };
        let count = u32::from(header.count);
        kept.done |= arrived.len() >= count;
        if kept.done || kept.arrived.len() < count {
            return false;
        }
        // Once: what came is not going to be any better.
        kept.done = true;
        if let Err(error) = make(&mut self.decoder, kept, &mut self.shard, out) {
            tracing::debug!(frame, ?error, "parity that does not fit its frame");
            out.clear();
        }
        !out.ends.is_empty()
    }

    /// Forgets all frames through `frame`.
    pub(crate) fn close(&mut self, frame: u32) {
        while self.frames.front().is_some_and(|it| it.number <= frame) {
            self.forget();
        }
    }

    /// Bytes of all that is kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, frame: u32, place: u8, bytes: &[u8]) {
        let kept = self.frame(frame);
        if kept.arrived.insert(place) {
            let start = kept.bytes.len();
            kept.bytes.extend_from_slice(bytes);
            kept.pieces.push((place, start..kept.bytes.len()));
            self.bytes += bytes.len();
        }
        while self.bytes > MOST {
            self.forget();
        }
    }

    fn frame(&mut self, number: u32) -> &mut Kept {
        let known = |frames: &VecDeque<Kept>| frames.iter().position(|it| it.number == number);
        let place = known(&self.frames).unwrap_or_else(|| {
            if self.frames.len() > OPEN {
                self.forget();
            }
            let place = self.frames.partition_point(|it| it.number < number);
            let mut kept = self.spare.pop().unwrap_or_default();
            kept.begin(number);
            self.frames.insert(place, kept);
            place
        });
        &mut self.frames[place]
    }

    /// Forgets the oldest frame.
    fn forget(&mut self) {
        if let Some(kept) = self.frames.pop_front() {
            self.bytes -= kept.bytes.len();
            self.spare.push(kept);
        }
    }
}

impl Kept {
    /// Nothing came yet.
    fn begin(&mut self, number: u32) {
        self.pieces.clear();
        self.bytes.clear();
        (self.number, self.parity, self.done) = (number, None, false);
        self.arrived = Arrivals::default();
    }
}

/// Appends the datagrams of updates that did not come, as the code has them.
fn make(
    decoder: &mut Option<ReedSolomonDecoder>,
    kept: &Kept,
    shard: &mut Vec<u8>,
    out: &mut Restored,
) -> Result<(), Error> {
    let Some((header, len)) = kept.parity else {
        return Ok(());
    };
    let (count, parity) = (usize::from(header.count), usize::from(header.parity));
    let decoder = match decoder {
        Some(decoder) => {
            decoder.reset(count, parity, len)?;
            decoder
        }
        None => decoder.insert(ReedSolomonDecoder::new(count, parity, len)?),
    };
    for (place, range) in &kept.pieces {
        let bytes = &kept.bytes[range.clone()];
        match usize::from(*place).checked_sub(count) {
            Some(index) => decoder.add_recovery_shard(index, bytes)?,
            None if fill_shard(bytes, len, shard) => {
                decoder.add_original_shard(usize::from(*place), &shard)?;
            }
            None => {
                let shard_bytes = len;
                let got = bytes.len();
                return Err(Error::DifferentShardSize { shard_bytes, got });
            }
        }
    }
    let made = decoder.decode()?;
    for (index, shard) in made.restored_original_iter() {
        // Places are bytes.
        if header.restore(index as u8, shard, &mut out.bytes) {
            out.ends.push(out.bytes.len());
        }
    }
    Ok(())
}
