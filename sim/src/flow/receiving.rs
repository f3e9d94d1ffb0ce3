//! The end that shows: session, screen and the receiving half of the policy.

use std::{collections::VecDeque, time::Duration};

use raq_recv::playout::{Playout, Ready};
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
    /// Frames that are being decoded.
    decoding: VecDeque<Ready<()>>,
    /// Frames that are decoded and not yet on the screen.
    playout: Playout<()>,
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
            format: None,
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
            playout: Playout::new(scenario.media.latency.0),
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
        let decoded = self.decoding.front().map(|frame| frame.at);
        let own = [self.feedback, decoded, self.playout.wake()];
        own.into_iter()
            .chain([self.session.deadline()])
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
            if self.timing != FeedbackTiming::Never {
                self.arrived.push(Arrived { purpose, at: now });
            }
            match self.timing {
                FeedbackTiming::Never => {}
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
                frame: None,
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
                    frame: None,
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
                        self.decoding.push_back(Ready {
                            number: frame.number,
                            capture: frame.capture,
                            at: now + self.decode_time,
                            picture: (),
                        });
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
        while let Some(&frame) = self.decoding.front()
            && frame.at <= now
        {
            self.decoding.pop_front();
            // Frames come in order and are asked for in time, so that none is given back.
            let _ = self.playout.ready(frame);
            self.play(frame.at);
        }
        self.play(now);
    }

    fn play(&mut self, now: Duration) {
        while let Some(due) = self.playout.next(now) {
            if due.shown {
                self.screen.show(due.number);
                self.noted.push_back(SeenFrame::Shown {
                    frame: due.number,
                    at: now,
                });
            }
        }
    }

    fn ask(&mut self, now: Duration) {
        if self.asked.is_none_or(|asked| now >= asked + ASK_AGAIN) {
            self.asked = Some(now);
            self.handed.push_back(Handed {
                purpose: Use::Feedback,
                bytes: feedback::key_frame().into(),
                frame: None,
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
