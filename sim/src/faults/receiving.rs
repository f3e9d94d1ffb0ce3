//! The end that receives: the product's session and playout, with a clock of its own.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use raq_recv::{
    playout::{Playout, Ready},
    session::{Input, Output, Session, Settings},
};
use raq_shared::tile::Scene;

use super::sample::{MODEL, Sample};

/// How long frames may wait for their time: what raq-recv starts with.
const LATENCY: Duration = Duration::from_millis(100);

/// See the module. Its times are true ones, and the session is told what its clock makes of them.
#[derive(Debug)]
pub(super) struct ReceivingEnd {
    session: Session,
    playout: Playout<()>,
    /// Its clock less the true time.
    ahead: Duration,
    over: Option<String>,
    shown: Option<u32>,
    frames: u64,
    control: VecDeque<Vec<u8>>,
    datagrams: VecDeque<Bytes>,
}

impl ReceivingEnd {
    /// One whose connection is made at `now`; its clock is `ahead`.
    pub(super) fn new(now: Duration, ahead: Duration) -> Self {
        let sample = Sample::get();
        let settings = Settings {
            model_id: MODEL,
            model_name: "sample".to_owned(),
            codebooks: sample.codebooks.clone(),
            temporal: sample.temporal.clone(),
            codeword_limit: i16::MAX,
            max_width: sample.video.width,
            max_height: sample.video.height,
            format: None,
        };
        Self {
            session: Session::new(settings, now + ahead),
            playout: Playout::new(LATENCY),
            ahead,
            over: None,
            shown: None,
            frames: 0,
            control: VecDeque::new(),
            datagrams: VecDeque::new(),
        }
    }

    /// Its clock less the true time.
    pub(super) fn ahead(&self) -> Duration {
        self.ahead
    }

    /// Its clock leaps ahead.
    pub(super) fn leap(&mut self, by: Duration) {
        self.ahead += by;
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
        self.over.as_deref()
    }

    /// The picture's state.
    pub(super) fn scene(&self) -> Option<&Scene> {
        self.session.scene()
    }

    /// Bytes of what it holds.
    pub(super) fn held(&self) -> usize {
        self.session.held()
    }

    /// The newest frame that came onto the screen.
    pub(super) fn shown(&self) -> Option<u32> {
        self.shown
    }

    /// Frames that came onto the screen.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// When [`Self::advance`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        let times = [self.session.deadline(), self.playout.wake()];
        let first = times.into_iter().flatten().min();
        first.map(|at| at.saturating_sub(self.ahead))
    }

    /// Tells the session something.
    pub(super) fn tell(&mut self, now: Duration, input: Input<'_>) {
        if self.over.is_none() {
            self.session.handle(now + self.ahead, input);
            self.drain(now);
        }
    }

    /// Does what is due at `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        let clock = now + self.ahead;
        if self.session.deadline().is_some_and(|at| at <= clock) {
            self.tell(now, Input::Timeout);
        }
        self.show(clock);
    }

    fn show(&mut self, clock: Duration) {
        while let Some(due) = self.playout.next(clock) {
            if due.shown {
                self.shown = Some(due.number);
                self.frames += 1;
            }
        }
    }

    fn drain(&mut self, now: Duration) {
        let clock = now + self.ahead;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Prepare(_) => self.session.handle(clock, Input::Prepared),
                Output::Control(bytes) => self.control.push_back(bytes),
                Output::Datagram(bytes) => self.datagrams.push_back(bytes),
                Output::Frame(frame) => {
                    // One that is given back is not shown: a newer one was.
                    let _ = self.playout.ready(Ready {
                        number: frame.number,
                        capture: frame.capture,
                        at: clock,
                        picture: (),
                    });
                    self.session.recycle(frame);
                }
                Output::Drain { .. } => {
                    let frames_decoded = self.frames as u32;
                    self.session
                        .handle(clock, Input::Drained { frames_decoded });
                }
                Output::End(end) => self.over = Some(end.to_string()),
                Output::Codebooks { .. } => {}
            }
        }
        self.show(clock);
    }
}
