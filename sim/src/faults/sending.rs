//! The end that sends: the product's session and coder, with a clock of its own.

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use raq_send::{
    bandwidth::EstimatorName,
    choice::{Picture, Speed},
    fec::Fec,
    feedback::Feedback,
    frame_coder::FrameCoder,
    mirror::Mirror,
    rate::Path,
    session::{Input, Output, Session, Settings},
};
use raq_shared::{
    units::Bitrate,
    wire::{datagram::MAX_JUMP, update::time_units},
};

use super::sample::{MODEL, Sample};
use crate::flow::MAX_DATAGRAM;

/// The most that is sent.
const MOST: Bitrate = Bitrate::from_kilobits_per_second(150);
/// How old a frame may be when it leaves: what raq-send starts with.
const LATENCY: Duration = Duration::from_millis(100);
/// Frames of which it is remembered when they were captured.
const REMEMBERED: usize = 1024;

/// See the module. Its times are true ones, and the session is told what its clock makes of them.
#[derive(Debug)]
pub(super) struct SendingEnd {
    sample: &'static Sample,
    session: Session,
    coder: FrameCoder,
    feedback: Feedback,
    /// Its clock less the true time.
    ahead: Duration,
    started: bool,
    ended: Option<String>,
    /// The number of the next frame.
    next: u32,
    /// When the next frame is captured.
    due: Duration,
    /// Numbers of frames, and when they were captured in truth.
    captured: VecDeque<(u32, Duration)>,
    /// When the frame that is being coded was captured, by its clock.
    stamp: Duration,
    control: VecDeque<Vec<u8>>,
    datagrams: VecDeque<Bytes>,
    coded: Vec<BytesMut>,
    mismatches: u64,
}

impl SendingEnd {
    /// One whose connection is made at `now`; its clock is `ahead`.
    pub(super) fn new(now: Duration, ahead: Duration) -> Self {
        let sample = Sample::get();
        let settings = Settings {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model_id: MODEL,
            model_name: "sample".to_owned(),
            codebooks: sample.codebooks.clone(),
            video: sample.video,
            max_rate: Some(MOST),
            min_rate: None,
            latency: LATENCY,
            fec: Fec::Auto,
            estimator: EstimatorName::default(),
        };
        let temporal = &sample.temporal;
        let coder = FrameCoder::new(
            sample.grid,
            &temporal.stages,
            &temporal.basis,
            &temporal.tables,
            Speed::Fast,
        );
        let session = Session::new(settings, now + ahead).expect("a small picture");
        let mut end = Self {
            sample,
            session,
            coder,
            feedback: Feedback::default(),
            ahead,
            started: false,
            ended: None,
            next: 0,
            due: now,
            captured: VecDeque::with_capacity(REMEMBERED),
            stamp: Duration::ZERO,
            control: VecDeque::new(),
            datagrams: VecDeque::new(),
            coded: Vec::new(),
            mismatches: 0,
        };
        end.drain(now);
        end
    }

    /// Its clock less the true time.
    pub(super) fn ahead(&self) -> Duration {
        self.ahead
    }

    /// Its clock leaps ahead. Frames are numbered by it, as those of a camera are.
    pub(super) fn leap(&mut self, by: Duration) {
        self.ahead += by;
        let missed = self.sample.video.frame_rate.number_at(by) as u32;
        self.next = self.next.saturating_add(missed.min(MAX_JUMP / 2));
    }

    /// Bytes for the control stream.
    pub(super) fn control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// A datagram to send.
    pub(super) fn datagram(&mut self) -> Option<Bytes> {
        self.datagrams.pop_front()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// What it knows of the receiver.
    pub(super) fn mirror(&self) -> &Mirror {
        self.coder.mirror()
    }

    /// Bytes of what it holds.
    pub(super) fn held(&self) -> usize {
        self.session.held_bytes() + self.coder.mirror().held()
    }

    /// What it takes the path to carry.
    pub(super) fn estimate(&self) -> Bitrate {
        self.session.bandwidth().estimate()
    }

    /// When a frame was captured in truth.
    pub(super) fn captured(&self, number: u32) -> Option<Duration> {
        let place = self.captured.partition_point(|&(of, _)| of < number);
        let &(of, at) = self.captured.get(place)?;
        (of == number).then_some(at)
    }

    /// When [`Self::advance`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        let own = self.session.deadline();
        let own = own.map(|at| at.saturating_sub(self.ahead));
        let frame = self.started.then_some(self.due);
        [own, frame].into_iter().flatten().min()
    }

    /// Tells the session something.
    pub(super) fn tell(&mut self, now: Duration, input: Input<'_>) {
        if self.ended.is_none() {
            self.session.handle(now + self.ahead, input);
            self.drain(now);
        }
    }

    /// Does what is due at `now`; true where a frame was captured.
    pub(super) fn advance(&mut self, now: Duration) -> bool {
        let clock = now + self.ahead;
        if self.session.deadline().is_some_and(|at| at <= clock) {
            self.tell(now, Input::Timeout);
        }
        if !self.started || now < self.due {
            return false;
        }
        self.due = now + self.sample.video.frame_rate.time_of(1);
        let number = self.next;
        self.next = number.saturating_add(1);
        if self.captured.len() == REMEMBERED {
            self.captured.pop_front();
        }
        self.captured.push_back((number, now));
        self.stamp = clock;
        let path = Path {
            queued: 0,
            max_datagram: MAX_DATAGRAM,
            budget: None,
        };
        let input = Input::Encoded {
            number,
            captured: clock,
            path,
        };
        self.tell(now, input);
        true
    }

    fn drain(&mut self, now: Duration) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Control(bytes) => self.control.push_back(bytes),
                Output::Start => {
                    self.started = true;
                    self.due = now;
                }
                Output::Code { number, allowance } => {
                    let filmed = self.sample.frame(number);
                    let picture = Picture {
                        target: &filmed.latents,
                        luma: &filmed.luma,
                    };
                    let capture = time_units(self.stamp) as u32;
                    let coded = self
                        .coder
                        .encode(number, picture, allowance, capture, || false);
                    self.coded.clear();
                    self.coded.append(coded);
                    let input = Input::Coded {
                        datagrams: &mut self.coded,
                        level: self.coder.chooser().level(),
                        codewords: self.coder.codewords(),
                    };
                    self.session.handle(now + self.ahead, input);
                }
                Output::Closings(closings) => {
                    self.feedback.take(&mut self.coder, &closings);
                }
                Output::Datagram { bytes, .. } | Output::Heartbeat(bytes) => {
                    self.datagrams.push_back(bytes);
                }
                Output::End(end) => self.ended = Some(end.to_string()),
                Output::StopSource => self
                    .session
                    .handle(now + self.ahead, Input::SourceEnd { next: self.next }),
                Output::Flush => self.session.handle(now + self.ahead, Input::Flushed),
                Output::Sent(_) | Output::Discard { .. } | Output::Shipment(_) => {}
            }
        }
        self.mismatches = self.feedback.mismatches();
    }

    /// Audits that differed.
    pub(super) fn mismatches(&self) -> u64 {
        self.mismatches
    }
}
