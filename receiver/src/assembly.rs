//! Datagrams to pictures: any subset of a frame's datagrams makes a picture, and a late or missing
//! one never holds up a newer frame.

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::model::Temporal;
use raq_shared::stage::{MAX_STAGES, POSITIONS};
use raq_shared::tile::TileGrid;
use raq_shared::tile::scene::{Arrivals, Discard, OPEN as REPORTED};
use raq_shared::wire::report::{Audit, FrameReport, Report};

use crate::intake::{Intake, Refused, Taken};

/// Frames that may be open at once; a datagram of one more closes the oldest.
const OPEN: usize = 4;
/// Closed frames that may wait to be taken; beyond it the oldest is given up.
const WAITING: usize = 8;
/// Buffers kept for frames to come.
const SPARE: usize = 8;

/// The picture as a closed frame left it, ready for the decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedFrame {
    /// Frame number.
    pub number: u32,
    /// Quality level of the frame, 0..=96.
    pub level: u8,
    /// K̃ per stage, 0 for stages that the model does not have.
    pub codewords: [u16; MAX_STAGES],
    /// When the frame was captured, 100 µs since the session began, 24 bits, wrapping.
    pub capture: u32,
    /// Datagrams of the frame that arrived.
    pub datagrams_received: u8,
    /// Datagrams that the frame was sent in.
    pub datagrams_expected: u8,
    /// Tiles that were never received and show their neighbours.
    pub concealed_tiles: u32,
    /// Updates of the frame that were applied, each to a tile of its own. A newer frame that was
    /// received before this one was closed may already show over them.
    pub updated_tiles: u32,
    /// Latents of the whole picture, `[positions, dim]`, grid units.
    pub latents: Vec<f32>,
    /// Depth of every position, 0..=96.
    pub depths: Vec<f32>,
}

impl ReceivedFrame {
    /// Whether all datagrams arrived.
    pub fn is_complete(&self) -> bool {
        self.datagrams_received == self.datagrams_expected
    }
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

/// A frame of which datagrams may still come.
#[derive(Debug)]
struct OpenFrame {
    number: u32,
    level: u8,
    codewords: [u16; MAX_STAGES],
    capture: u32,
    count: u8,
    arrived: Arrivals,
    last_seen: Duration,
}

impl OpenFrame {
    fn is_complete(&self) -> bool {
        self.arrived.len() == u32::from(self.count)
    }
}

/// Applies datagrams as they come, closes frames in order of their numbers, and reports them.
#[derive(Debug)]
pub struct Assembler {
    grid: TileGrid,
    dim: usize,
    intake: Intake,
    patience: Duration,
    newest: Option<u32>,
    /// All frames below this number are closed.
    closed_below: u32,
    /// In order of their numbers, at most [`OPEN`].
    open: VecDeque<OpenFrame>,
    /// In order of their numbers, at most [`WAITING`].
    closed: VecDeque<ReceivedFrame>,
    /// What the next report tells, in order of frame numbers; the last is the newest closed frame.
    history: VecDeque<(u32, FrameReport)>,
    /// Frames were closed that no report has told of.
    unreported: bool,
    /// The tile that the next report audits.
    audited: u16,
    spare: Vec<(Vec<f32>, Vec<f32>)>,
    counts: Counts,
}

impl Assembler {
    /// For pictures of these tiles. A frame that is not complete is closed `patience` after its
    /// latest datagram, or as soon as a newer one is complete.
    pub fn new(grid: TileGrid, temporal: &Temporal, patience: Duration) -> Self {
        let Temporal {
            stages,
            basis,
            tables,
        } = temporal;
        Self {
            grid,
            dim: stages.dim(),
            intake: Intake::new(grid, stages, basis, tables),
            patience,
            newest: None,
            closed_below: 0,
            open: VecDeque::with_capacity(OPEN + 1),
            closed: VecDeque::with_capacity(WAITING + 1),
            history: VecDeque::with_capacity(REPORTED + 1),
            unreported: false,
            audited: 0,
            spare: Vec::with_capacity(SPARE),
            counts: Counts::default(),
        }
    }

    /// Takes a datagram that arrived at `now`.
    ///
    /// # Errors
    /// [`Refused`] where it adds nothing; the picture is then as before.
    pub fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Refused> {
        self.counts.datagrams += 1;
        self.counts.bytes += bytes.len() as u64;
        let taken = self.intake.datagram(bytes);
        let taken = match taken {
            Ok(taken) => {
                self.note(now, &taken);
                Ok(())
            }
            Err(refused) => {
                match refused {
                    Refused::Discard(Discard::Duplicate) => self.counts.duplicates += 1,
                    Refused::Discard(Discard::Closed) | Refused::Far(_) => self.counts.stale += 1,
                    _ => self.counts.malformed += 1,
                }
                Err(refused)
            }
        };
        self.advance(now);
        taken
    }

    fn note(&mut self, now: Duration, taken: &Taken) {
        let (number, header) = (taken.frame, &taken.header);
        let place = self.open.partition_point(|frame| frame.number < number);
        if self.open.get(place).is_none_or(|f| f.number != number) {
            let frame = OpenFrame {
                number,
                level: header.level,
                codewords: taken.codewords,
                capture: header.capture,
                count: header.count,
                arrived: Arrivals::default(),
                last_seen: now,
            };
            self.open.insert(place, frame);
        }
        self.open[place].arrived.insert(header.index);
        self.open[place].last_seen = now;
        self.newest = self.newest.max(Some(number));
    }

    /// Closes the frames whose time has come at `now`.
    pub fn advance(&mut self, now: Duration) {
        let newest_complete = self.open.iter().rposition(OpenFrame::is_complete);
        let overdue = self
            .open
            .iter()
            .rposition(|frame| now >= frame.last_seen + self.patience);
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
        for _ in 0..count {
            let Some(frame) = self.open.pop_front() else {
                break;
            };
            self.closed_below = frame.number.saturating_add(1);
            self.intake.close(frame.number);
            self.counts.frames += 1;
            self.counts.partial += u32::from(!frame.is_complete());
            self.unreported = true;
            if self.history.len() == REPORTED {
                self.history.pop_front();
            }
            let report = FrameReport {
                count: frame.count,
                arrived: frame.arrived,
            };
            self.history.push_back((frame.number, report));
            let picture = self.picture(&frame);
            self.closed.push_back(picture);
        }
        while self.closed.len() > WAITING {
            self.counts.overrun += 1;
            if let Some(frame) = self.closed.pop_front() {
                self.recycle(frame);
            }
        }
    }

    fn picture(&mut self, frame: &OpenFrame) -> ReceivedFrame {
        let positions = self.grid.tiles() * POSITIONS;
        let (mut latents, mut depths) = self.spare.pop().unwrap_or_default();
        latents.resize(positions * self.dim, 0.0);
        depths.resize(positions, 0.0);
        let concealed = self.intake.fill(&mut latents, &mut depths);
        ReceivedFrame {
            number: frame.number,
            level: frame.level,
            codewords: frame.codewords,
            capture: frame.capture,
            datagrams_received: frame.arrived.len() as u8,
            datagrams_expected: frame.count,
            concealed_tiles: concealed as u32,
            updated_tiles: self.intake.updated(frame.number) as u32,
            latents,
            depths,
        }
    }

    /// The next closed frame; numbers only rise.
    pub fn next_frame(&mut self) -> Option<ReceivedFrame> {
        self.closed.pop_front()
    }

    /// What the sender should learn, once frames were closed since the last time.
    pub fn report(&mut self) -> Option<Report> {
        let &(newest, _) = self.history.back()?;
        if !std::mem::take(&mut self.unreported) {
            return None;
        }
        let of = |number| {
            let found = self.history.iter().find(|(frame, _)| *frame == number);
            found.map_or_else(FrameReport::default, |&(_, report)| report)
        };
        let oldest = newest.saturating_sub(REPORTED as u32 - 1);
        let frames = (oldest..=newest).rev().map(of).collect();
        let tile = self.audited;
        self.audited = ((usize::from(tile) + 1) % self.grid.tiles()) as u16;
        let generation = self.intake.scene().tile(tile.into()).newest_through(newest);
        Some(Report {
            newest: newest as u16,
            frames,
            audit: Audit {
                tile,
                fingerprint: generation.map_or(0, |it| it.content.fingerprint()),
            },
        })
    }

    /// When [`Self::advance`] must be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        self.open
            .iter()
            .map(|frame| frame.last_seen + self.patience)
            .min()
    }

    /// Gives back the buffers of a frame, for frames to come.
    pub fn recycle(&mut self, frame: ReceivedFrame) {
        if self.spare.len() < SPARE {
            self.spare.push((frame.latents, frame.depths));
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
