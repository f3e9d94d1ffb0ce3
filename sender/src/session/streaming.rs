//! Frames from the encoder to the network: what each may take, and when its datagrams leave.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use raq_shared::frame::SizeError;
use raq_shared::stage::MAX_STAGES;
use raq_shared::tile::TileGrid;
use raq_shared::units::Bitrate;
use raq_shared::wire::datagram::MAX_JUMP;
use raq_shared::wire::report::Report;

use super::{Counts, Output, Sent, Settings};
use crate::closings::Closings;
use crate::frame_coder::Allowance;
use crate::pacer::{self, Departure, Dropped, Pacer};
use crate::rate::{Path, RateControl};

/// After so many skipped frames one is sent whatever the path says: numbers must not jump far.
const MAX_SKIPPED: u32 = MAX_JUMP / 2;
/// How much faster than the estimate datagrams leave: a frame should not take all of the time to
/// the next one, and bursts that are no faster than the path say nothing about it.
const PACING: f64 = 2.0;

/// A frame that is being coded.
#[derive(Debug)]
struct Coding {
    number: u32,
    captured: Duration,
    allowance: Allowance,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Streaming {
    /// Time between frames.
    interval: Duration,
    /// How old a frame may be when it leaves.
    latency: Duration,
    rate: RateControl,
    /// Frames that are being coded.
    coding: VecDeque<Coding>,
    pacer: Pacer,
    /// Frames in the pacer.
    leaving: VecDeque<Sent>,
    /// How fast datagrams leave; none for at once.
    pace: Option<Bitrate>,
    /// Whether QUIC has no room for more.
    held: bool,
    /// From reports; none as long as the path's is all there is.
    estimate: Option<Bitrate>,
    pub(super) counts: Counts,
    /// The number after the last frame of the source.
    next: u32,
    /// The number after the last frame given out or being coded.
    next_sent: u32,
    /// The newest frame that the coder was told to be closed.
    closed: Option<u32>,
}

impl Streaming {
    /// Nothing was sent yet.
    ///
    /// # Errors
    /// [`SizeError`] where the video's size is out of range.
    pub(super) fn new(settings: &Settings) -> Result<Self, SizeError> {
        let Settings {
            video,
            max_rate,
            latency,
            ..
        } = settings;
        let tiles = TileGrid::of(video.size()?).tiles();
        let interval = video.frame_rate.time_of(1);
        Ok(Self {
            interval,
            latency: (*latency).max(2 * interval),
            rate: RateControl::new(video.frame_rate, tiles, *max_rate),
            coding: VecDeque::new(),
            pacer: Pacer::default(),
            leaving: VecDeque::new(),
            pace: None,
            held: false,
            estimate: None,
            counts: Counts::default(),
            next: 0,
            next_sent: 0,
            closed: None,
        })
    }

    /// The source has frames below `next`, sent or not.
    pub(super) fn seen(&mut self, next: u32) {
        self.next = self.next.max(next);
    }

    /// The number after the source's last frame, no further from the last one sent than the receiver
    /// follows.
    pub(super) fn total(&self) -> u32 {
        self.next.min(self.next_sent.saturating_add(MAX_JUMP))
    }

    /// Frames of the source were passed over.
    pub(super) fn skipped(&mut self, frames: u32) {
        self.counts.frames_skipped = self.counts.frames_skipped.saturating_add(frames);
    }

    /// The latents of a frame are ready: has it coded or forgotten.
    pub(super) fn encoded(
        &mut self,
        now: Duration,
        number: u32,
        captured: Duration,
        path: &Path,
    ) -> Output {
        if number < self.next_sent {
            return Output::Discard { number };
        }
        let path = Path {
            queued: path.queued + self.pacer.bytes(),
            ..*path
        };
        let paced = path.budget.is_none();
        self.pace = paced.then(|| path.estimate.scaled(PACING));
        let overdue = number - self.next_sent >= MAX_SKIPPED;
        let mut allowance = self.rate.allow(now, &path);
        if allowance.is_none() && overdue {
            allowance = Some(self.rate.least(&path));
        }
        let Some(allowance) = allowance else {
            self.skipped(1);
            return Output::Discard { number };
        };
        self.next_sent = number.saturating_add(1);
        self.coding.push_back(Coding {
            number,
            captured,
            allowance,
        });
        Output::Code { number, allowance }
    }

    /// The oldest of the frames that were to be coded is.
    pub(super) fn coded(
        &mut self,
        now: Duration,
        datagrams: &mut Vec<BytesMut>,
        level: u8,
        codewords: [u16; MAX_STAGES],
    ) {
        let Some(Coding {
            number,
            captured,
            allowance,
        }) = self.coding.pop_front()
        else {
            return;
        };
        // The header counts them in a byte.
        let count = datagrams.len() as u8;
        let bytes: usize = datagrams.iter().map(BytesMut::len).sum();
        self.rate.spent(allowance, bytes, count);
        if count == 0 {
            self.skipped(1);
            return;
        }
        // Where encoding takes longer than that, late frames are better than none.
        let deadline = (captured + self.latency).max(now + self.interval);
        let frame = pacer::Frame {
            number,
            captured,
            deadline,
        };
        self.pacer.push(frame, datagrams);
        self.leaving.push_back(Sent {
            number,
            captured,
            level,
            codewords,
            budget: allowance.bytes as u64,
            datagrams: count,
            left: 0,
            bytes: 0,
        });
    }

    /// Forgets what is too old at `now`, and gives out the next datagram if one leaves.
    pub(super) fn pump(&mut self, now: Duration, outputs: &mut VecDeque<Output>) {
        while let Some(dropped) = self.pacer.expire(now) {
            self.dropped(dropped, outputs);
        }
        if self.held {
            return;
        }
        let Some(departure) = self.pacer.pop(now, self.pace) else {
            return;
        };
        let Departure {
            frame,
            index,
            last,
            bytes,
        } = departure;
        if let Some(sent) = self.leaving.front_mut() {
            sent.left += 1;
            sent.bytes += bytes.len() as u64;
        }
        outputs.push_back(Output::Datagram {
            frame,
            index,
            bytes,
        });
        if last {
            self.gone(outputs);
        }
    }

    fn dropped(&mut self, dropped: Dropped, outputs: &mut VecDeque<Output>) {
        tracing::debug!(?dropped, "a frame became too old to leave");
        self.counts.datagrams_dropped += u64::from(dropped.dropped);
        self.gone(outputs);
    }

    /// Nothing of the oldest frame waits any more.
    fn gone(&mut self, outputs: &mut VecDeque<Output>) {
        if let Some(sent) = self.leaving.pop_front() {
            if sent.left > 0 {
                self.counts.frames_sent += 1;
                self.counts.bytes += sent.bytes;
            } else {
                self.skipped(1);
            }
            outputs.push_back(Output::Sent(sent));
        }
    }

    /// Waits for no frame any more.
    pub(super) fn give_up(&mut self, outputs: &mut VecDeque<Output>) {
        self.coding.clear();
        while let Some(dropped) = self.pacer.clear() {
            self.dropped(dropped, outputs);
        }
    }

    /// Whether no frame is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.coding.is_empty() && self.pacer.is_empty()
    }

    /// When [`Self::pump`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        match self.held {
            true => self.pacer.deadline(),
            false => self.pacer.wake(self.pace),
        }
    }

    /// Lets nothing leave, or again.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// See [`Session::estimate`](super::Session::estimate).
    pub(super) fn estimate(&self) -> Option<Bitrate> {
        self.estimate
    }

    /// A datagram came from the receiver: what it says of closed frames, if that is new.
    pub(super) fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Option<Closings> {
        let report = match Report::parse(bytes) {
            Ok(report) => report,
            Err(error) => {
                self.counts.malformed += 1;
                tracing::trace!(%error, len = bytes.len(), "not a report");
                return None;
            }
        };
        self.counts.reports += 1;
        let sent = self.next_sent.checked_sub(1)?;
        let _ = now;
        let closings = Closings::of(report, sent)?;
        let new = Some(closings.newest) > self.closed;
        if new {
            self.closed = Some(closings.newest);
        }
        new.then_some(closings)
    }
}
