//! Datagrams to pictures: any subset of a frame's datagrams makes a picture, and a late or missing
//! one never holds up a newer frame.
//!
//! Two decisions are apart. A frame is *given out*, once, when it is complete or little more of it can
//! be expected. It is *closed* when what still comes of it is discarded, which the sender is told;
//! frames close in order, and only once reordering and the gaps between datagrams cannot explain
//! what is missing. Until then late datagrams still serve what builds on them.

mod frame;
mod parity;

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::model::Temporal;
use raq_shared::stage::POSITIONS;
use raq_shared::tile::scene::{Arrivals, Discard, OPEN};
use raq_shared::tile::{Scene, TileGrid};
use raq_shared::wire::datagram::extend_frame_number;
use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::parity::ParityHeader;
use raq_shared::wire::report::{Audit, FrameReport, Report};
use raq_shared::wire::update::UpdateHeader;

use self::frame::OpenFrame;
use crate::arrivals::ArrivalLog;
use crate::closings::Closings;
use crate::distant::{Distant, Look};
use crate::intake::{Intake, Refused, Taken};
use crate::parity::{ParityStore, Restored};
use crate::reordering::Reordering;
use crate::spread::Spread;

pub use frame::{Counts, ReceivedFrame};

/// Frames given out that may wait to be taken; beyond it the oldest is given up.
const WAITING: usize = 8;
/// Buffers kept for frames to come.
const SPARE: usize = 8;
/// An incomplete frame waits at least this long for its next datagram, and so much longer than the
/// gaps between datagrams of nearly all frames were.
const WAIT: Duration = Duration::from_millis(5);

/// An incomplete frame is closed after so long without a datagram of it or any newer one: a link that
/// stalls gives later what it holds. Over three cellular traces 127 datagrams came too late for this,
/// 413 for 133 ms, 940 for 66 ms.
const SILENCE: Duration = Duration::from_millis(500);

/// Applies datagrams as they come, gives frames out and closes them in order of their numbers, and
/// reports.
#[derive(Debug)]
pub struct Assembler {
    grid: TileGrid,
    dim: usize,
    intake: Intake,
    /// The longest that an incomplete frame waits to be given out.
    patience: Duration,
    /// Frames are given out when they are closed.
    in_order: bool,
    newest: Option<u32>,
    /// All frames below this number are closed.
    closed_below: u32,
    /// No frame below this number is given out any more.
    given_below: u32,
    /// What nothing agrees with yet.
    distant: Distant,
    /// In order of their numbers, at most [`OPEN`].
    open: VecDeque<OpenFrame>,
    /// In order of their numbers, at most [`WAITING`].
    given: VecDeque<ReceivedFrame>,
    spread: Spread,
    reordering: Reordering,
    arrivals: ArrivalLog,
    /// What lost datagrams may be made of.
    kept: ParityStore,
    /// A buffer.
    restored: Restored,
    closings: Closings,
    /// A frame became complete since the last report.
    completed: bool,
    /// Number of the next report.
    number: u8,
    /// The tile that the next audit is about.
    audited: u16,
    spare: Vec<(Vec<f32>, Vec<f32>)>,
    counts: Counts,
}

impl Assembler {
    /// For pictures of these tiles. A frame that is not complete is given out `patience` after its
    /// latest datagram, or earlier where datagrams of a frame come closer together. Frames are captured
    /// so far apart as `interval` says.
    pub fn new(
        grid: TileGrid,
        temporal: &Temporal,
        patience: Duration,
        interval: Duration,
    ) -> Self {
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
            in_order: false,
            newest: None,
            closed_below: 0,
            given_below: 0,
            distant: Distant::new(interval),
            open: VecDeque::with_capacity(OPEN + 1),
            given: VecDeque::with_capacity(WAITING + 1),
            spread: Spread::default(),
            reordering: Reordering::default(),
            arrivals: ArrivalLog::default(),
            kept: ParityStore::default(),
            restored: Restored::default(),
            closings: Closings::default(),
            completed: false,
            number: 0,
            audited: 0,
            spare: Vec::with_capacity(SPARE),
            counts: Counts::default(),
        }
    }

    /// From now on frames are given out when they are closed, for decoders that need whole frames one
    /// after the other.
    pub fn give_in_order(&mut self) {
        self.in_order = true;
    }

    /// Takes a datagram that arrived at `now`.
    ///
    /// # Errors
    /// [`Refused`] where it adds nothing; the picture is then as before.
    pub fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Refused> {
        self.counts.datagrams += 1;
        self.counts.bytes += bytes.len() as u64;
        if let Some(parsed) = ParityHeader::parse(bytes) {
            return self.parity(now, parsed);
        }
        if let Some((header, frame)) = self.header(bytes) {
            let place = (frame, header.index);
            match self.distant.look(now, self.newest, place, bytes) {
                Look::Near => {}
                Look::Alone => {
                    self.advance(now);
                    return Err(Refused::Far(header.frame));
                }
                Look::Agrees(held) => {
                    let taken = self.take(held.at, &held.bytes);
                    tracing::trace!(?taken, "a jump of the frames' numbers");
                }
            }
        }
        self.take(now, bytes)
    }

    /// Takes a datagram of updates whose frame may be the newest.
    fn take(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Refused> {
        let logged = self.log(now, bytes);
        let taken = self.intake.datagram(bytes);
        match &taken {
            Ok(taken) => {
                self.reordering.note(now, taken.frame);
                self.note(now, taken);
                self.kept.keep(taken.frame, taken.header.index, bytes);
                self.restore(now, taken.frame);
            }
            Err(Refused::Discard(Discard::Closed)) => {
                self.counts.stale += 1;
                // One that came before tells nothing of the order.
                if let Some(frame) = logged {
                    self.reordering.note(now, frame);
                }
            }
            Err(Refused::Far(_)) => self.counts.stale += 1,
            Err(Refused::Discard(Discard::Duplicate)) => self.counts.duplicates += 1,
            Err(_) => self.counts.malformed += 1,
        }
        self.advance(now);
        taken.map(|_| ())
    }

    /// Takes a heartbeat that arrived at `now`: a report answers it.
    pub fn heartbeat(&mut self, now: Duration, heartbeat: Heartbeat) {
        self.arrivals.beat(now, heartbeat.sent);
    }

    /// Logs the arrival of any datagram of updates; gives its frame, where it comes first.
    fn log(&mut self, now: Duration, bytes: &[u8]) -> Option<u32> {
        let (header, frame) = self.header(bytes)?;
        let sent = header.capture.wrapping_add(header.send_delay.into());
        let first = self.arrivals.note(now, frame, header.index, sent);
        first.then_some(frame)
    }

    /// The header of a datagram of updates, and its frame's number.
    fn header(&self, bytes: &[u8]) -> Option<(UpdateHeader, u32)> {
        let (header, _) = UpdateHeader::parse(bytes).ok()?;
        Some((header, extend_frame_number(self.newest, header.frame)?))
    }

    fn note(&mut self, now: Duration, taken: &Taken) {
        let (number, header) = (taken.frame, &taken.header);
        self.newest = self.newest.max(Some(number));
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
                longest_gap: None,
                given: false,
            };
            self.open.insert(place, frame);
        } else {
            self.open[place].seen(now);
        }
        let frame = &mut self.open[place];
        frame.arrived.insert(header.index);
        self.completed |= frame.is_complete();
    }

    /// Gives out and closes the frames whose time has come at `now`.
    pub fn advance(&mut self, now: Duration) {
        for place in 0..self.open.len() {
            let frame = &self.open[place];
            if self.may_be_given(frame) && self.given_at(frame) <= now {
                self.give(place);
            }
        }
        let beyond = self.newest.and_then(|it| it.checked_sub(OPEN as u32));
        while let Some(frame) = self.open.front() {
            if Some(frame.number) > beyond && self.closed_at() > Some(now) {
                break;
            }
            self.close();
        }
    }

    fn may_be_given(&self, frame: &OpenFrame) -> bool {
        !self.in_order && !frame.given && frame.number >= self.given_below
    }

    /// How long an incomplete frame waits for its next datagram.
    fn wait(&self) -> Duration {
        let longest = self.patience.max(WAIT);
        let high = self.spread.high();
        high.map_or(longest, |high| high.saturating_add(WAIT).min(longest))
    }

    /// When nothing of a frame can be expected any more, as newer ones came.
    fn passed(&self, number: u32) -> Option<Duration> {
        let overtaken = self.reordering.overtaken(number);
        overtaken.map(|at| at.saturating_add(self.reordering.margin()))
    }

    /// When a frame is given out.
    fn given_at(&self, frame: &OpenFrame) -> Duration {
        if frame.is_complete() {
            return Duration::ZERO;
        }
        let waited = frame.last_seen.saturating_add(self.wait());
        self.passed(frame.number)
            .map_or(waited, |passed| passed.min(waited))
    }

    /// When the oldest open frame is closed, with all before it.
    fn closed_at(&self) -> Option<Duration> {
        let frame = self.open.front()?;
        let itself = if frame.is_complete() {
            Duration::ZERO
        } else {
            let silence = SILENCE.max(2 * self.wait());
            let silent = frame.last_seen.saturating_add(silence);
            self.passed(frame.number)
                .map_or(silent, |passed| passed.min(silent))
        };
        // Frames before it of which nothing came: they may have been skipped, or come yet.
        let missing = frame.number.checked_sub(1);
        let missing = missing.filter(|&before| before >= self.closed_below);
        let missing = missing.and_then(|before| self.passed(before));
        Some(itself.max(missing.unwrap_or_default()))
    }

    /// Gives out and closes all open frames.
    pub fn flush(&mut self) {
        while !self.open.is_empty() {
            self.close();
        }
    }

    /// Gives out an open frame, by its place.
    fn give(&mut self, place: usize) {
        let Some(frame) = self.open.get_mut(place) else {
            return;
        };
        frame.given = true;
        self.given_below = frame.number.saturating_add(1);
        let picture = self.picture(place);
        self.given.extend(picture);
        while self.given.len() > WAITING {
            self.counts.overrun += 1;
            if let Some(frame) = self.given.pop_front() {
                self.recycle(frame);
            }
        }
    }

    /// Closes the oldest open frame and all before it.
    fn close(&mut self) {
        if self.in_order || self.open.front().is_some_and(|it| self.may_be_given(it)) {
            self.give(0);
        }
        let Some(frame) = self.open.pop_front() else {
            return;
        };
        self.closed_below = frame.number.saturating_add(1);
        self.intake.close(frame.number);
        self.kept.close(frame.number);
        self.counts.frames += 1;
        self.counts.partial += u32::from(!frame.is_complete());
        self.counts.overtaken += u32::from(!frame.given);
        if let Some(gap) = frame.longest_gap {
            self.spread.note(gap);
        }
        let report = FrameReport::of(frame.count, frame.arrived);
        self.closings.push(frame.number, report);
    }

    fn picture(&mut self, place: usize) -> Option<ReceivedFrame> {
        let frame = self.open.get(place)?;
        let positions = self.grid.tiles() * POSITIONS;
        let (mut latents, mut depths) = self.spare.pop().unwrap_or_default();
        latents.resize(positions * self.dim, 0.0);
        depths.resize(positions, 0.0);
        let concealed = self.intake.fill(&mut latents, &mut depths);
        Some(ReceivedFrame {
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
        })
    }

    /// The next frame given out; numbers only rise.
    pub fn next_frame(&mut self) -> Option<ReceivedFrame> {
        self.given.pop_front()
    }

    /// What the sender should learn at `now`, if anything: a frame is complete or closed, or an
    /// arrival has waited for long. `backlog` is the number of frames that wait to be decoded.
    pub fn report(&mut self, now: Duration, backlog: u8) -> Option<Report> {
        let waited = self.arrivals.due().is_some_and(|due| due <= now);
        if !(self.completed || self.closings.is_untold() || waited) {
            return None;
        }
        self.completed = false;
        let number = self.number;
        self.number = number.wrapping_add(1);
        let (echo, arrivals) = self.arrivals.tell(now);
        let (closed, audit) = match self.closings.tell() {
            Some((newest, closed)) => (Some(closed), Some(self.audit(newest))),
            None => (None, None),
        };
        Some(Report {
            number,
            backlog,
            closed,
            audit,
            echo,
            arrivals,
        })
    }

    /// The fingerprint of the next tile in turn as of frame `newest`.
    fn audit(&mut self, newest: u32) -> Audit {
        let tile = self.audited;
        self.audited = ((usize::from(tile) + 1) % self.grid.tiles()) as u16;
        let generation = self.intake.scene().tile(tile.into()).newest_through(newest);
        Audit {
            tile,
            fingerprint: generation.map_or(0, |it| it.content.fingerprint()),
        }
    }

    /// When [`Self::advance`] and [`Self::report`] must be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let given = self.open.iter().filter(|frame| self.may_be_given(frame));
        let given = given.map(|frame| self.given_at(frame));
        let others = [self.closed_at(), self.arrivals.due()];
        given.chain(others.into_iter().flatten()).min()
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

    /// The picture's state.
    pub fn scene(&self) -> &Scene {
        self.intake.scene()
    }

    /// Bytes of the picture's state, of frames given out that wait, of buffers for frames to come and
    /// of datagrams kept for parity.
    pub fn held(&self) -> usize {
        let given = self
            .given
            .iter()
            .map(|frame| (&frame.latents, &frame.depths));
        let spare = self.spare.iter().map(|(latents, depths)| (latents, depths));
        let floats = given.chain(spare);
        let floats = floats.map(|(latents, depths)| latents.capacity() + depths.capacity());
        self.scene().held()
            + self.kept.bytes()
            + self.distant.bytes()
            + floats.sum::<usize>() * size_of::<f32>()
    }

    /// What became of the datagrams so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
