//! The end that shows: session, screen and the receiving half of the policy.

use std::{collections::VecDeque, time::Duration};

use raq_recv::session::{End, Input, Output, Session, Settings};
use raq_shared::{
    exit::{Exit, Failure},
    wire::update::UpdateHeader,
};

use super::{
    Handed, Use,
    book::SeenFrame,
    feedback::{self, Arrived, Own},
    sending::MODEL,
};
use crate::{
    media::{Agreement, Quality, Screen},
    policy::FeedbackTiming,
    scenario::Scenario,
};

/// A request for a key frame is not made again for this long.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug)]
pub struct ReceivingEnd {
    session: Session,
    screen: Box<dyn Screen>,
    timing: FeedbackTiming,
    decode_time: Duration,
    /// Arrivals that no feedback has told of.
    arrived: Vec<Arrived>,
    /// When the next feedback goes.
    feedback: Option<Duration>,
    asked: Option<Duration>,
    /// Frames that are decoded and not yet on the screen.
    decoding: VecDeque<(Duration, u32)>,
    control: VecDeque<Vec<u8>>,
    handed: VecDeque<Handed>,
    noted: VecDeque<SeenFrame>,
}

impl ReceivingEnd {
    /// Of any flow of the scenario.
    pub fn new(
        scenario: &Scenario,
        agreement: &Agreement,
        screen: Box<dyn Screen>,
        timing: FeedbackTiming,
    ) -> Self {
        let settings = Settings {
            model_id: MODEL.0,
            model_name: MODEL.1.to_owned(),
            codebooks: agreement.codebooks.clone(),
            temporal: agreement.temporal.clone(),
            codeword_limit: i16::MAX,
            max_width: u32::MAX,
            max_height: u32::MAX,
        };
        let mut session = Session::new(settings, Duration::ZERO);
        if screen.needs_order() {
            session.give_in_order();
        }
        Self {
            session,
            screen,
            timing,
            decode_time: scenario
                .media
                .decode_time
                .map_or(Duration::ZERO, |time| time.0),
            arrived: Vec::new(),
            feedback: None,
            asked: None,
            decoding: VecDeque::new(),
            control: VecDeque::new(),
            handed: VecDeque::new(),
            noted: VecDeque::new(),
        }
    }

    /// Bytes to say on the control stream.
    pub fn control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// The next datagram to hand to the network.
    pub fn handed(&mut self) -> Option<Handed> {
        self.handed.pop_front()
    }

    /// What is to be noted of a frame.
    pub(super) fn noted(&mut self) -> Option<SeenFrame> {
        self.noted.pop_front()
    }

    /// Time that decoding took so far.
    pub fn cpu(&self) -> Option<Duration> {
        self.screen.cpu()
    }

    /// What is on the screen at the deadline of source frame `due` against it.
    pub(super) fn against(&mut self, due: u32) -> Option<Quality> {
        self.screen.against(due)
    }

    /// What is on the screen at the deadline of source frame `due`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn png(&mut self, due: u32) -> Result<Option<Vec<u8>>, Failure> {
        self.screen.png(due)
    }

    /// When [`Self::advance`] is due.
    pub fn wake(&self) -> Option<Duration> {
        let shown = self.decoding.front().map(|&(at, _)| at);
        [self.session.deadline(), self.feedback, shown]
            .into_iter()
            .flatten()
            .min()
    }

    /// The sending end said this on the control stream.
    ///
    /// # Errors
    /// [`Failure`] where the session ends.
    pub fn heard(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Failure> {
        self.session.handle(now, Input::Control(bytes));
        self.drain(now)
    }

    /// A datagram came from the sending end.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks or the session ends.
    pub fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Failure> {
        let own = Own::parse(bytes);
        let purpose = match &own {
            Some(Own::Padding(number)) => Some(Use::Padding(*number)),
            Some(_) => None,
            None => UpdateHeader::parse(bytes)
                .ok()
                .map(|(header, _)| Use::Media {
                    frame: header.frame,
                    index: header.index,
                }),
        };
        if let Some(purpose) = purpose {
            self.arrived.push(Arrived { purpose, at: now });
            match self.timing {
                FeedbackTiming::EveryDatagram => self.tell(now),
                FeedbackTiming::Every(interval) => {
                    self.feedback.get_or_insert_with(|| after(now, interval));
                }
            }
        }
        if own.is_some() {
            return Ok(());
        }
        self.session.handle(now, Input::Datagram(bytes));
        self.drain(now)
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks or the session ends.
    pub fn advance(&mut self, now: Duration) -> Result<(), Failure> {
        if self.feedback.is_some_and(|at| at <= now) {
            self.tell(now);
        }
        if self.session.deadline().is_some_and(|at| at <= now) {
            self.session.handle(now, Input::Timeout);
            self.drain(now)?;
        }
        self.show(now);
        Ok(())
    }

    fn tell(&mut self, now: Duration) {
        self.feedback = None;
        for arrived in self.arrived.chunks(feedback::MOST) {
            self.handed.push_back(Handed {
                purpose: Use::Feedback,
                bytes: feedback::encode(now, arrived).into(),
                ends: None,
            });
        }
        self.arrived.clear();
    }

    fn drain(&mut self, now: Duration) -> Result<(), Failure> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Prepare(_) => self.session.handle(now, Input::Prepared),
                Output::Control(bytes) => self.control.push_back(bytes),
                Output::Datagram(bytes) => self.handed.push_back(Handed {
                    purpose: Use::Feedback,
                    bytes,
                    ends: None,
                }),
                Output::Frame(frame) => {
                    let seen = self.screen.decode(&frame)?;
                    self.noted.push_back(SeenFrame::Closed {
                        frame: frame.number,
                        arrived: frame.datagrams_received,
                        at: now,
                        updates: seen.updates,
                        quality: seen.quality,
                    });
                    if seen.shown {
                        self.decoding
                            .push_back((now + self.decode_time, frame.number));
                    }
                    if seen.wants_key_frame {
                        self.ask(now);
                    }
                    self.session.recycle(frame);
                }
                Output::End(end) => return Err(ended(&end)),
                Output::Codebooks { .. } | Output::Drain { .. } => {}
            }
        }
        // What takes no time to decode is shown at once.
        if self.decode_time.is_zero() {
            self.show(now);
        }
        Ok(())
    }

    fn show(&mut self, now: Duration) {
        while let Some(&(at, frame)) = self.decoding.front()
            && at <= now
        {
            self.decoding.pop_front();
            self.screen.show(frame);
            self.noted.push_back(SeenFrame::Shown { frame, at });
        }
    }

    fn ask(&mut self, now: Duration) {
        if self.asked.is_none_or(|asked| now >= asked + ASK_AGAIN) {
            self.asked = Some(now);
            self.handed.push_back(Handed {
                purpose: Use::Feedback,
                bytes: feedback::key_frame().into(),
                ends: None,
            });
        }
    }
}

/// The next whole multiple of `interval`: feedback goes by the clock, not by arrivals.
fn after(now: Duration, interval: Duration) -> Duration {
    let nanos = interval.as_nanos().max(1);
    Duration::from_nanos(((now.as_nanos() / nanos + 1) * nanos) as u64)
}

fn ended(end: &End) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("the receiving session ended: {end}"),
    )
}
