//! Datagrams to frames: any subset of a frame's datagrams makes a frame, and a late or missing
//! one never holds up a newer frame.

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::frame::Grid;
use raq_shared::interleave::Interleave;
use raq_shared::packing::unpack;
use raq_shared::wire::datagram::{Header, extend_frame_number};

/// Stands for the index of a position that was not received.
pub const MISSING: u16 = u16::MAX;

/// Frames that may be open at once; a datagram of one more closes the oldest.
const OPEN: usize = 4;
/// Closed frames that may wait to be taken; beyond it the oldest is given up.
const WAITING: usize = 8;
/// Buffers kept for frames to come.
const SPARE: usize = 8;

/// The received part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// Frame number.
    pub number: u32,
    /// Codebook size K̃, 1..=4096.
    pub codewords: u16,
    /// When the frame was captured, µs since the session began, wrapping.
    pub capture_us: u32,
    /// The codeword index of every position, [`MISSING`] where none was received.
    pub indices: Vec<u16>,
    /// Datagrams of the frame that arrived.
    pub datagrams_received: u8,
    /// Datagrams that the frame was sent in.
    pub datagrams_expected: u8,
    arrived: [u64; 4],
    first_seen: Duration,
}

impl ReceivedFrame {
    /// Whether all datagrams arrived.
    pub fn is_complete(&self) -> bool {
        self.datagrams_received == self.datagrams_expected
    }
}

/// Why a datagram was of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// It is not what a sender of this session makes.
    Malformed,
    /// Its frame is closed, or too far from the newest one.
    Stale,
    /// It had arrived before.
    Duplicate,
}

/// What became of the datagrams of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams that arrived.
    pub datagrams: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Those that no sender makes.
    pub malformed: u64,
    /// Those that came after their frame was closed.
    pub stale: u64,
    /// Those that came twice.
    pub duplicates: u64,
    /// Frames closed with all their datagrams or some.
    pub frames: u32,
    /// Frames closed with some of their datagrams.
    pub partial: u32,
    /// Frames given up because nobody took them.
    pub overrun: u32,
}

/// Collects datagrams into frames and gives them out in order of their numbers.
#[derive(Debug)]
pub struct Assembler {
    grid: Grid,
    max_codewords: u16,
    patience: Duration,
    newest: Option<u32>,
    /// All frames below this number are closed.
    closed_below: u32,
    /// In order of their numbers, at most [`OPEN`].
    open: VecDeque<ReceivedFrame>,
    /// In order of their numbers, at most [`WAITING`].
    closed: VecDeque<ReceivedFrame>,
    spare: Vec<Vec<u16>>,
    unpacked: Vec<u16>,
    counts: Counts,
}

impl Assembler {
    /// For frames of `grid` coded with at most `max_codewords` codewords; a frame that is not
    /// complete is closed `patience` after its first datagram, or as soon as a newer one is
    /// complete.
    pub fn new(grid: Grid, max_codewords: u16, patience: Duration) -> Self {
        Self {
            grid,
            max_codewords,
            patience,
            newest: None,
            closed_below: 0,
            open: VecDeque::with_capacity(OPEN + 1),
            closed: VecDeque::with_capacity(WAITING + 1),
            spare: Vec::with_capacity(SPARE),
            unpacked: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Takes a datagram that arrived at `now`.
    ///
    /// # Errors
    /// [`Unused`] where it adds nothing; the state is then as before.
    pub fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Unused> {
        self.counts.datagrams += 1;
        self.counts.bytes += bytes.len() as u64;
        let taken = self.take(now, bytes);
        match taken {
            Ok(()) => {}
            Err(Unused::Malformed) => self.counts.malformed += 1,
            Err(Unused::Stale) => self.counts.stale += 1,
            Err(Unused::Duplicate) => self.counts.duplicates += 1,
        }
        self.advance(now);
        taken
    }

    fn take(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Unused> {
        let (header, payload) = Header::parse(bytes).map_err(|_| Unused::Malformed)?;
        if header.codewords > self.max_codewords {
            return Err(Unused::Malformed);
        }
        let number = extend_frame_number(self.newest, header.frame).ok_or(Unused::Stale)?;
        if number < self.closed_below {
            return Err(Unused::Stale);
        }
        let place = self.open.partition_point(|frame| frame.number < number);
        let known = self
            .open
            .get(place)
            .is_some_and(|frame| frame.number == number);
        if known {
            let frame = &self.open[place];
            let same = frame.codewords == header.codewords
                && frame.datagrams_expected == header.count
                && frame.capture_us == header.capture_us;
            if !same {
                return Err(Unused::Malformed);
            }
            if frame.arrived[usize::from(header.index) / 64] >> (header.index % 64) & 1 == 1 {
                return Err(Unused::Duplicate);
            }
        } else if place == 0 && self.open.len() == OPEN {
            // There is no room for a frame older than all that are open.
            return Err(Unused::Stale);
        }

        let spread = Interleave::new(self.grid, header.count);
        let index = usize::from(header.index);
        unpack(
            payload,
            spread.len(index),
            header.codewords.into(),
            &mut self.unpacked,
        )
        .map_err(|_| Unused::Malformed)?;
        if !known {
            let frame = self.open_frame(now, number, &header);
            self.open.insert(place, frame);
        }
        let frame = &mut self.open[place];
        for (position, &codeword) in spread.positions(index).zip(&self.unpacked) {
            frame.indices[position] = codeword;
        }
        frame.arrived[index / 64] |= 1 << (index % 64);
        frame.datagrams_received += 1;
        self.newest = self.newest.max(Some(number));
        Ok(())
    }

    fn open_frame(&mut self, now: Duration, number: u32, header: &Header) -> ReceivedFrame {
        let mut indices = self.spare.pop().unwrap_or_default();
        indices.clear();
        indices.resize(self.grid.positions(), MISSING);
        ReceivedFrame {
            number,
            codewords: header.codewords,
            capture_us: header.capture_us,
            indices,
            datagrams_received: 0,
            datagrams_expected: header.count,
            arrived: [0; 4],
            first_seen: now,
        }
    }

    /// Closes the frames whose time has come at `now`.
    pub fn advance(&mut self, now: Duration) {
        let newest_complete = self.open.iter().rposition(ReceivedFrame::is_complete);
        let overdue = self
            .open
            .iter()
            .rposition(|frame| now >= frame.first_seen + self.patience);
        let crowded = self.open.len().checked_sub(OPEN + 1);
        // `None` is below every `Some`.
        if let Some(last) = newest_complete.max(overdue).max(crowded) {
            self.close(last + 1);
        }
    }

    /// Closes all open frames.
    pub fn flush(&mut self) {
        self.close(self.open.len());
    }

    fn close(&mut self, count: usize) {
        for frame in self.open.drain(..count) {
            self.closed_below = frame.number.saturating_add(1);
            self.counts.frames += 1;
            self.counts.partial += u32::from(!frame.is_complete());
            self.closed.push_back(frame);
        }
        while self.closed.len() > WAITING {
            self.counts.overrun += 1;
            if let Some(frame) = self.closed.pop_front() {
                self.recycle(frame);
            }
        }
    }

    /// The next closed frame; numbers only rise.
    pub fn next_frame(&mut self) -> Option<ReceivedFrame> {
        self.closed.pop_front()
    }

    /// When [`Self::advance`] must be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        self.open
            .iter()
            .map(|frame| frame.first_seen + self.patience)
            .min()
    }

    /// Gives back the buffers of a frame, for frames to come.
    pub fn recycle(&mut self, frame: ReceivedFrame) {
        if self.spare.len() < SPARE {
            self.spare.push(frame.indices);
        }
    }

    /// The number after the newest frame seen: how many frames there were so far.
    pub fn frames_seen(&self) -> u32 {
        self.newest.map_or(0, |newest| newest.saturating_add(1))
    }

    /// Whether every frame below `number` is closed.
    pub fn is_closed_below(&self, number: u32) -> bool {
        self.closed_below >= number
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
