//! Frames from the encoder to the network: what each may take, and when its datagrams leave.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use raq_shared::frame::SizeError;
use raq_shared::stage::MAX_STAGES;
use raq_shared::tile::TileGrid;
use raq_shared::units::Bitrate;
use raq_shared::wire::datagram::{MAX_JUMP, reported_frame_number};
use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::report::Report;
use raq_shared::wire::update::time_units;

use super::protection::{Protection, Room};
use super::{Counts, Output, Sent, Settings};
use crate::bandwidth::{Arrival, Datagram, Estimator};
use crate::closings::Closings;
use crate::frame_coder::Allowance;
use crate::pacer::{self, Departure, Dropped, Pacer};
use crate::rate::{Limit, PATH_OVERHEAD, Path, RateControl, Share, Skip};

/// After so many skipped frames one is sent whatever the path says: numbers must not jump far.
const MAX_SKIPPED: u32 = MAX_JUMP / 2;
/// A unit of times on the wire.
const UNIT: Duration = Duration::from_micros(100);

/// A frame that is being coded.
#[derive(Debug)]
pub(super) struct Coding {
    pub(super) number: u32,
    pub(super) captured: Duration,
    allowance: Allowance,
    limit: Limit,
    pub(super) room: Room,
    estimate: Bitrate,
    queue: Duration,
}

/// What a frame may take.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    allowance: Allowance,
    limit: Limit,
    /// With parity.
    room: Room,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Streaming {
    /// Time between frames.
    interval: Duration,
    /// How old a frame may be when it leaves.
    latency: Duration,
    rate: RateControl,
    protection: Protection,
    /// Frames that are being coded.
    coding: VecDeque<Coding>,
    pacer: Pacer,
    /// Frames in the pacer.
    leaving: VecDeque<Sent>,
    /// How fast datagrams leave; none for at once.
    pace: Option<Bitrate>,
    /// Whether QUIC has no room for more.
    held: bool,
    bandwidth: Estimator,
    /// Whether reports have told of arrivals.
    reported: bool,
    /// Frames that wait for the receiver's decoder.
    backlog: u8,
    pub(super) counts: Counts,
    /// The number after the last frame of the source.
    next: u32,
    /// The number after the last frame given out or being coded.
    next_sent: u32,
    /// The newest frame that the coder was told to be closed.
    closed: Option<u32>,
}

impl Streaming {
    /// At `now`, when nothing was sent yet.
    ///
    /// # Errors
    /// [`SizeError`] where the video's size is out of range.
    pub(super) fn new(settings: &Settings, now: Duration) -> Result<Self, SizeError> {
        let Settings {
            video,
            max_rate,
            min_rate,
            latency,
            fec,
            estimator,
            ..
        } = settings;
        let tiles = TileGrid::of(video.size()?).tiles();
        let interval = video.frame_rate.time_of(1);
        Ok(Self {
            interval,
            latency: (*latency).max(2 * interval),
            rate: RateControl::new(interval, tiles, *max_rate),
            protection: Protection::new(*fec),
            coding: VecDeque::new(),
            pacer: Pacer::default(),
            leaving: VecDeque::new(),
            pace: None,
            held: false,
            bandwidth: Estimator::new(*estimator, now, [*min_rate, *max_rate]),
            reported: false,
            backlog: 0,
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
            self.skipped(1);
            return Output::Discard { number, skip: None };
        }
        let overdue = number - self.next_sent >= MAX_SKIPPED;
        let admitted = match self.admit(now, path) {
            Err(_) if overdue => self.admit_least(now, path),
            admitted => admitted,
        };
        let Admitted {
            allowance,
            limit,
            room,
        } = match admitted {
            Ok(admitted) => admitted,
            Err(skip) => {
                self.skipped(1);
                let skip = Some(skip);
                return Output::Discard { number, skip };
            }
        };
        self.next_sent = number.saturating_add(1);
        self.coding.push_back(Coding {
            number,
            captured,
            allowance,
            limit,
            room,
            estimate: self.bandwidth.estimate(),
            queue: self.bandwidth.queue(),
        });
        Output::Code { number, allowance }
    }

    fn admit(&mut self, now: Duration, path: &Path) -> Result<Admitted, Skip> {
        if let Some(budget) = path.budget {
            self.pace = None;
            let allowance = self.rate.allowance(budget, path.max_datagram, Some(1));
            let given = allowance.map(|allowance| Admitted {
                allowance,
                limit: Limit::Given,
                room: Room::NONE,
            });
            return given.ok_or(Skip::Rate);
        }
        let standing = self.bandwidth.standing(now, self.interval, self.backlog);
        self.pace = Some(self.bandwidth.pace());
        let path = Path {
            queued: path.queued + self.pacer.bytes(),
            ..*path
        };
        let share = self.rate.share(now, &path, &standing)?;
        self.allow(&share, &path)
    }

    fn admit_least(&mut self, now: Duration, path: &Path) -> Result<Admitted, Skip> {
        let share = self.rate.least(now);
        self.allow(&share, path)
    }

    fn allow(&mut self, share: &Share, path: &Path) -> Result<Admitted, Skip> {
        let &Share {
            bytes,
            limit,
            spare,
        } = share;
        let anyway = self.rate.allowance(bytes, path.max_datagram, None);
        let anyway = anyway.ok_or(Skip::Room)?;
        let count = self.bandwidth.datagrams(bytes, anyway.count);
        let more = (count > anyway.count).then_some(count);
        let allowance = self.rate.allowance(bytes, path.max_datagram, more);
        let allowance = allowance.unwrap_or(anyway);
        let limit = match self.rate.is_most(&allowance) {
            true => Limit::Picture,
            false => limit,
        };
        Ok(Admitted {
            allowance,
            limit,
            room: Room {
                bytes: bytes + spare,
                max_datagram: path.max_datagram,
            },
        })
    }

    /// The oldest of the frames that were to be coded is.
    pub(super) fn coded(
        &mut self,
        now: Duration,
        datagrams: &mut Vec<BytesMut>,
        level: u8,
        codewords: [u16; MAX_STAGES],
    ) {
        let Some(coding) = self.coding.pop_front() else {
            return;
        };
        if datagrams.is_empty() {
            self.skipped(1);
            return;
        }
        let parity = self
            .protection
            .append(&coding, self.bandwidth.losses(), datagrams);
        let Coding {
            number, captured, ..
        } = coding;
        // The header counts them in a byte.
        let count = datagrams.len() as u8;
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
            budget: coding.allowance.bytes as u64,
            limit: coding.limit,
            estimate: coding.estimate,
            queue: coding.queue,
            datagrams: count,
            parity,
            left: 0,
            bytes: 0,
        });
    }

    /// Forgets what is too old at `now`, and gives out the next datagram if one leaves.
    pub(super) fn pump(&mut self, now: Duration, outputs: &mut VecDeque<Output>) {
        if self.bandwidth.beat(now) {
            let sent = time_units(now) as u32;
            let bytes = Bytes::copy_from_slice(&Heartbeat { sent }.encode());
            outputs.push_back(Output::Heartbeat(bytes));
        }
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
        self.bandwidth.sent(Datagram {
            frame,
            index,
            bytes: (bytes.len() + PATH_OVERHEAD) as u32,
            at: now,
        });
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

    /// Waits for no frame any more: those under way are skipped, unless a part of them has left.
    pub(super) fn give_up(&mut self, outputs: &mut VecDeque<Output>) {
        self.skipped(self.coding.len() as u32);
        self.coding.clear();
        while let Some(dropped) = self.pacer.clear() {
            self.dropped(dropped, outputs);
        }
    }

    /// Whether no frame is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.coding.is_empty() && self.pacer.is_empty()
    }

    /// Bytes of datagrams that wait to leave.
    pub(super) fn held_bytes(&self) -> usize {
        self.pacer.bytes()
    }

    /// When [`Self::pump`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        let leaves = match self.held {
            true => self.pacer.deadline(),
            false => self.pacer.wake(self.pace),
        };
        [leaves, self.bandwidth.wake()].into_iter().flatten().min()
    }

    /// Lets nothing leave, or again.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// See [`Session::estimate`](super::Session::estimate).
    pub(super) fn estimate(&self) -> Option<Bitrate> {
        self.reported.then(|| self.bandwidth.estimate())
    }

    /// What the path is taken to carry, reports or not.
    pub(super) fn bandwidth(&self) -> &Estimator {
        &self.bandwidth
    }

    /// A datagram came from the receiver: what it says of closed frames, if that is new.
    pub(super) fn datagram(&mut self, now: Duration, bytes: &[u8], outputs: &mut VecDeque<Output>) {
        let report = match Report::parse(bytes) {
            Ok(report) => report,
            Err(error) => {
                self.counts.malformed += 1;
                tracing::trace!(%error, len = bytes.len(), "not a report");
                return;
            }
        };
        self.counts.reports += 1;
        let sent = self.next_sent.checked_sub(1);
        self.heard(now, &report, sent.unwrap_or(0), outputs);
        let closings = sent.and_then(|sent| Closings::of(report, sent));
        if let Some(closings) = closings.filter(|it| Some(it.newest) > self.closed) {
            self.closed = Some(closings.newest);
            outputs.push_back(Output::Closings(closings));
        }
    }

    /// What a report tells of the path.
    fn heard(
        &mut self,
        now: Duration,
        report: &Report,
        newest: u32,
        outputs: &mut VecDeque<Output>,
    ) {
        self.backlog = report.backlog;
        self.reported |= !report.arrivals.is_empty();
        let arrivals = report.arrivals.iter().filter_map(|arrival| {
            let frame = reported_frame_number(newest, arrival.frame)?;
            Some(Arrival {
                frame,
                index: arrival.index,
                at: arrival.at,
            })
        });
        let passed = sent_at(now, report.echo.sent);
        if self.bandwidth.heard(now, arrivals, passed) {
            // What was captured before the outage is of no use any more.
            while let Some(dropped) = self.pacer.clear() {
                self.dropped(dropped, outputs);
            }
        }
    }
}

/// The time before `now` of which a report tells the low 24 bits, in units of 100 µs.
fn sent_at(now: Duration, echo: u32) -> Duration {
    let ago = (time_units(now) as u32).wrapping_sub(echo) & 0x00ff_ffff;
    now.saturating_sub(UNIT * ago)
}
