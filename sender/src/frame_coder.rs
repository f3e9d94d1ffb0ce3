//! One frame's latents into datagrams that fit their bytes exactly.

use std::sync::Arc;

use bytes::BytesMut;
use raq_shared::coding::{Framing, Sink, Tables, write};
use raq_shared::stage::{MAX_STAGES, Stages};
use raq_shared::tile::scene::FrameHead;
use raq_shared::tile::{Basis, TileGrid, Update};
use raq_shared::wire::update::{UPDATE_HEADER_LEN, UpdateHeader};

use crate::choice::{Budget, Chooser, Picture, Speed, Standing};
use crate::mirror::Mirror;

/// Bits that a datagram's body takes beyond the prices of its symbols: the end of range coding and
/// the number of updates.
const OVERHEAD_BITS: f32 = 14.0;
/// Bytes of a body without updates, at most.
const LEAST_BODY: usize = 2;
/// Bits of an average operation.
const OPERATION_BITS: f32 = 13.0;
/// How often a frame is topped up.
const TOP_UPS: usize = 2;

/// What a frame may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes of all datagrams, headers included.
    pub bytes: usize,
    /// Number of datagrams, at least 1; fewer where the choice leaves most of the bytes …
    pub count: u8,
    /// … but no fewer than this.
    pub fewest: u8,
    /// Bytes of one datagram, its header included.
    pub datagram_bytes: usize,
}

/// Bytes of a datagram, its header included: what QUIC carries on any path that it works on.
const DATAGRAM_BYTES: usize = 1150;
/// Bytes of the largest frame whose datagrams are sure to lie in one buffer.
const MOST_RESERVED: usize = 1 << 20;
/// Bytes that a datagram is filled to on average where a frame needs several: tiles fill them
/// unevenly.
const FILLED_BYTES: usize = 1000;
/// Allowances below this take one datagram.
const ONE_DATAGRAM: usize = 600;
/// Bytes per datagram below which a frame is not split further.
const SPLIT_BYTES: usize = 450;
/// The most datagrams that a frame is split into where fewer would hold it.
const SPLIT: usize = 8;

impl Allowance {
    /// `bytes` for a frame in as many datagrams as they need, and in some more where each still
    /// holds 450: a lost one then costs less. `count` asks for another number, which is
    /// raised where so few do not hold the bytes.
    pub fn of(bytes: usize, count: Option<u8>) -> Self {
        let needed = bytes.div_ceil(FILLED_BYTES);
        let wanted = match count {
            Some(count) => count.into(),
            None if bytes < ONE_DATAGRAM => 1,
            None => (bytes / SPLIT_BYTES).min(SPLIT),
        };
        Self {
            bytes,
            count: u8::try_from(needed.max(wanted)).map_or(u8::MAX, |count| count.max(1)),
            fewest: count.unwrap_or(1).max(1),
            datagram_bytes: DATAGRAM_BYTES,
        }
    }
}

/// Turns frames into datagrams and remembers what the receiver has.
#[derive(Debug)]
pub struct FrameCoder {
    grid: TileGrid,
    stages: Arc<Stages>,
    tables: Arc<Tables>,
    chooser: Chooser,
    mirror: Mirror,
    loss: f32,
    sink: Sink,
    body: Vec<u8>,
    buffer: BytesMut,
    /// Coded bits per bit of the estimate, running mean.
    ratio: f32,
    datagrams: Vec<BytesMut>,
    /// Number and datagrams of the frame coded last, where it had room.
    coded: Option<(u32, u8)>,
}

impl FrameCoder {
    /// For a session with pictures of these tiles.
    pub fn new(
        grid: TileGrid,
        stages: &Arc<Stages>,
        basis: &Arc<Basis>,
        tables: &Arc<Tables>,
        speed: Speed,
    ) -> Self {
        let chooser = Chooser::new(
            grid,
            Arc::clone(stages),
            Arc::clone(basis),
            Arc::clone(tables),
            speed,
        );
        Self {
            grid,
            stages: Arc::clone(stages),
            tables: Arc::clone(tables),
            chooser,
            mirror: Mirror::new(grid, stages, basis),
            loss: 0.0,
            sink: Sink::with_room(),
            body: Vec::new(),
            buffer: BytesMut::new(),
            ratio: 1.0,
            datagrams: Vec::new(),
            coded: None,
        }
    }

    /// The share of datagrams that get lost, 0 to 1: what updates build on, and what is sent again
    /// before its loss is known, follow from it. 0 takes for granted that everything arrives.
    pub fn set_loss(&mut self, share: f32) {
        self.loss = share.clamp(0.0, 0.99);
    }

    /// Does so much work from the next frame on.
    pub fn set_speed(&mut self, speed: Speed) {
        self.chooser.set_speed(speed);
    }

    /// Uses at most `most` codewords in every stage.
    ///
    /// # Panics
    /// When `most` is 0.
    pub fn limit_codewords(&mut self, most: u16) {
        self.chooser.limit_codewords(most);
    }

    /// K̃ per stage of the frame coded last, 0 for stages that the model does not have.
    pub fn codewords(&self) -> [u16; MAX_STAGES] {
        let band = self.tables.band(self.chooser.level());
        self.chooser.codewords().unwrap_or(band.codewords)
    }

    /// What is known of the receiver.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Keeps every chosen refinement for [`Chooser::taken`].
    pub fn record(&mut self) {
        self.chooser.record();
    }

    /// The choice, for its level and updates.
    pub fn chooser(&self) -> &Chooser {
        &self.chooser
    }

    /// What each datagram of the frame coded last says, with its framing; none where the frame had
    /// no datagrams. To be asked before the next report, which changes the floor.
    pub fn coded(&self) -> impl Iterator<Item = (Framing<'_>, &[Update])> {
        let coded = self.coded.into_iter();
        coded.flat_map(move |(frame, count)| {
            let updates = self.chooser.updates().enumerate();
            updates.map(move |(index, updates)| (self.framing(frame, index as u8, count), updates))
        })
    }

    /// The receiver closed `frame` with these datagrams of it, and every frame before.
    pub fn report(&mut self, frame: u32, arrived: raq_shared::tile::scene::Arrivals) {
        if self.mirror.report(frame, arrived) {
            self.chooser.forget_rendered();
        }
    }

    /// Compares a tile as of the last reported frame with the receiver's fingerprint of it; one that
    /// differs is reset by what follows, false then.
    pub fn audit(&mut self, tile: usize, fingerprint: u32) -> bool {
        let agrees = self.mirror.audit(tile, fingerprint);
        if !agrees {
            self.chooser.forget_rendered();
        }
        agrees
    }

    /// Codes frame `frame`. The datagrams take at most the allowance's bytes; there are none where
    /// it has no room for their headers. `capture` is when it was captured, in units of 100 µs since
    /// the session began; 24 bits are sent. Whoever sends the datagrams takes them out and stamps
    /// them. `expired` ends the choice early; it is asked often.
    ///
    /// # Panics
    /// When the picture has another size, or frame numbers do not ascend.
    pub fn encode(
        &mut self,
        frame: u32,
        picture: Picture<'_>,
        mut allowance: Allowance,
        capture: u32,
        mut expired: impl FnMut() -> bool,
    ) -> &mut Vec<BytesMut> {
        self.datagrams.clear();
        self.coded = None;
        let headers = usize::from(allowance.count) * UPDATE_HEADER_LEN;
        let names = self.name_bits();
        let least = LEAST_BODY + (names / 8.0).ceil() as usize;
        if allowance.bytes < headers + usize::from(allowance.count) * least {
            return &mut self.datagrams;
        }
        let standing = Standing {
            loss: self.loss,
            floor: self.floor_back(frame),
        };
        let mirror = &self.mirror;
        let known = |tile| mirror.bases(tile, frame);
        self.chooser.begin(picture, standing, known, &mut expired);
        let room = (allowance.bytes - headers) as f32 * 8.0;
        let overhead = f32::from(allowance.count) * (OVERHEAD_BITS + names);
        let body = allowance.datagram_bytes.saturating_sub(UPDATE_HEADER_LEN) as f32 * 8.0;
        let mut bits = ((room - overhead) / self.ratio).max(0.0);
        for _ in 0..=TOP_UPS {
            let budget = Budget {
                bits,
                count: allowance.count,
                datagram_bits: (body - OVERHEAD_BITS - names) / self.ratio,
            };
            self.chooser.fill(picture, budget, &mut expired);
            self.write_all(frame, allowance, capture);
            let spare = allowance.bytes.saturating_sub(self.total());
            if !self.chooser.wants_more() || (spare as f32) * 8.0 < 2.0 * OPERATION_BITS {
                break;
            }
            bits += spare as f32 * 8.0 - OPERATION_BITS;
        }
        let estimate = self.chooser.bits().max(1.0);
        let coded = (self.total().saturating_sub(headers)) as f32 * 8.0 - overhead;
        let seen = (coded / estimate).clamp(0.8, 1.25);
        self.ratio += 0.1 * (seen - self.ratio);
        let enough = Allowance::of(self.total(), None)
            .count
            .max(allowance.fewest);
        if enough < allowance.count {
            allowance.count = enough;
            self.chooser.respread(enough);
            self.write_all(frame, allowance, capture);
        }
        self.shrink(frame, allowance, capture);
        self.chooser.finish();
        self.note(frame, allowance.count);
        self.coded = Some((frame, allowance.count));
        &mut self.datagrams
    }

    /// Bits in which a datagram names K̃ of every stage.
    fn name_bits(&self) -> f32 {
        let Some(_) = self.chooser.codewords() else {
            return 0.0;
        };
        let stages = self.stages.numbers();
        stages
            .map(|stage| (self.stages.codewords(stage) as f32).log2())
            .sum()
    }

    /// Takes operations back until everything fits.
    fn shrink(&mut self, frame: u32, allowance: Allowance, capture: u32) {
        loop {
            let longest = self.datagrams.iter().map(BytesMut::len).max().unwrap_or(0);
            let over = (self.total().saturating_sub(allowance.bytes))
                .max(longest.saturating_sub(allowance.datagram_bytes));
            if over == 0 {
                return;
            }
            let count = (over as f32 * 8.0 / OPERATION_BITS).ceil() as usize + 1;
            if !self.chooser.take_back(count) {
                return;
            }
            self.write_all(frame, allowance, capture);
        }
    }

    fn total(&self) -> usize {
        self.datagrams.iter().map(BytesMut::len).sum()
    }

    fn floor_back(&self, frame: u32) -> u8 {
        let back = self.mirror.floor(frame).map(|floor| frame - floor);
        back.and_then(|back| u8::try_from(back).ok()).unwrap_or(0)
    }

    fn framing(&self, frame: u32, index: u8, count: u8) -> Framing<'_> {
        Framing {
            grid: self.grid,
            stages: &self.stages,
            tables: &self.tables,
            level: self.chooser.level(),
            codewords: self.chooser.codewords(),
            floor: self.floor_back(frame),
            index,
            count,
        }
    }

    fn write_all(&mut self, frame: u32, allowance: Allowance, capture: u32) {
        self.datagrams.clear();
        // At once, while no datagram holds the buffer that is to be used again.
        let most = usize::from(allowance.count).saturating_mul(allowance.datagram_bytes);
        let likely = allowance.bytes.min(most).min(MOST_RESERVED);
        self.buffer.reserve(likely + likely / 2);
        let mut sink = std::mem::take(&mut self.sink);
        let mut body = std::mem::take(&mut self.body);
        for (index, updates) in self.chooser.updates().enumerate() {
            let framing = self.framing(frame, index as u8, allowance.count);
            body.clear();
            let coding = write(&framing, updates, &mut sink, &mut body);
            let header = UpdateHeader {
                coding,
                names_codewords: framing.codewords.is_some(),
                level: framing.level,
                frame: frame as u16,
                capture,
                // Stamped when it leaves.
                send_delay: 0,
                index: framing.index,
                count: framing.count,
                floor: framing.floor,
            };
            self.buffer.extend_from_slice(&header.encode());
            self.buffer.extend_from_slice(&body);
            self.datagrams.push(self.buffer.split());
        }
        (self.sink, self.body) = (sink, body);
    }

    fn note(&mut self, frame: u32, count: u8) {
        let head = FrameHead {
            frame,
            floor: self.mirror.floor(frame),
            level: self.chooser.level(),
            count,
        };
        self.mirror.sent(head, self.chooser.updates());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_as_many_datagrams_as_it_should() {
        let count = |bytes| Allowance::of(bytes, None).count;
        let found = [0, 599, 600, 899, 900, 1150, 3600, 8000, 8001, 9001].map(count);
        assert_eq!(found, [1, 1, 1, 1, 2, 2, 8, 8, 9, 10]);
        assert_eq!(count(usize::MAX), 255);
        let asked = |bytes, count| Allowance::of(bytes, Some(count)).count;
        assert_eq!([asked(100, 4), asked(1151, 1), asked(9, 0)], [4, 2, 1]);
    }
}
