//! The end that captures: schedule, coder, session, policy and, for comparators, a pacer.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::BytesMut;
use raq_send::{
    frame_coder::Allowance,
    rate::{PATH_OVERHEAD, Path},
    session::{End, Input, Output, Session, Settings},
};
use raq_shared::{
    exit::{Exit, Failure},
    stage::MAX_STAGES,
    units::Bitrate,
    wire::{message::ModelId, update::time_units},
};

use super::{
    Handed, MAX_DATAGRAM, Use,
    book::SentFrame,
    feedback::{self, Arrived, Own},
    pacer::Pacer,
    schedule::Schedule,
};
use crate::{
    media::{Agreement, Coded, Coder},
    policy::{Feedback, Policy, SentDatagram, Transport},
    scenario::Scenario,
};

/// Datagrams that feedback may still tell of.
const REMEMBERED: usize = 1 << 14;
/// How old a frame may be when it leaves: what raq-send starts with.
const LATENCY: Duration = Duration::from_millis(100);
/// The name of the model that both ends claim to have.
pub(super) const MODEL: (ModelId, &str) = (ModelId([0; 32]), "simulated");

/// A network that nothing was sent over yet.
const IDLE: Transport = Transport {
    window: 0,
    round_trip: Duration::ZERO,
    shortest: Duration::ZERO,
    queued: 0,
};

/// A frame between capture and coding.
#[derive(Debug, Clone, Copy)]
struct Captured {
    frame: u32,
    at: Duration,
    /// When its latents are ready.
    ready: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct SendingEnd {
    session: Session,
    coder: Box<dyn Coder>,
    policy: Box<dyn Policy>,
    schedule: Schedule,
    /// Time between frames.
    interval: Duration,
    pacer: Pacer,
    encode_time: Duration,
    encoding: VecDeque<Captured>,
    started: bool,
    transport: Transport,
    /// The estimate with which the frame that is being coded was admitted.
    estimate: Bitrate,
    control: VecDeque<Vec<u8>>,
    handed: VecDeque<Handed>,
    /// Bytes in `handed`: the network may take them late.
    handed_bytes: usize,
    /// Whether the session was told that the network does not take it.
    held: bool,
    noted: VecDeque<SentFrame>,
    /// Number of the next datagram that the policy is told of.
    sequence: u64,
    sequences: BTreeMap<Use, u64>,
    order: VecDeque<Use>,
    padding: u16,
    datagrams: Vec<BytesMut>,
}

impl SendingEnd {
    /// Of a flow of the scenario, by its number, which captures its first frame `phase` after its start.
    ///
    /// # Errors
    /// [`Failure`] where the medium's size is out of range.
    pub fn new(
        scenario: &Scenario,
        (number, phase): (usize, Duration),
        agreement: &Agreement,
        mut coder: Box<dyn Coder>,
        policy: Box<dyn Policy>,
    ) -> Result<Self, Failure> {
        let estimator = policy.estimator();
        coder.keeps_account(estimator.is_none());
        let settings = Settings {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            model_id: MODEL.0,
            model_name: MODEL.1.to_owned(),
            codebooks: agreement.codebooks.clone(),
            video: agreement.video,
            max_rate: scenario.media.most(),
            min_rate: None,
            latency: LATENCY,
            fec: scenario.media.fec,
            estimator: estimator.unwrap_or_default(),
        };
        let session = Session::new(settings, Duration::ZERO)
            .map_err(|error| Failure::new(Exit::Failure, error))?;
        let flow = &scenario.flows()[number];
        let rate = agreement.video.frame_rate;
        let mut end = Self {
            session,
            coder,
            policy,
            schedule: Schedule::new(rate, flow, phase, scenario.duration.0),
            interval: rate.time_of(1),
            pacer: Pacer::default(),
            encode_time: scenario
                .media
                .encode_time
                .map_or(Duration::ZERO, |time| time.0),
            encoding: VecDeque::new(),
            started: false,
            transport: IDLE,
            estimate: Bitrate::ZERO,
            control: VecDeque::new(),
            handed: VecDeque::new(),
            handed_bytes: 0,
            held: false,
            noted: VecDeque::new(),
            sequence: 0,
            sequences: BTreeMap::new(),
            order: VecDeque::new(),
            padding: 0,
            datagrams: Vec::new(),
        };
        end.drain(Duration::ZERO)?;
        Ok(end)
    }

    /// Whether the handshake is over.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Bytes to say on the control stream.
    pub fn control(&mut self) -> Option<Vec<u8>> {
        self.control.pop_front()
    }

    /// The next datagram to hand to the network. What is not taken counts as queued.
    pub fn handed(&mut self) -> Option<Handed> {
        let handed = self.handed.pop_front()?;
        self.handed_bytes -= handed.bytes.len();
        Some(handed)
    }

    /// What is to be noted of a frame.
    pub(super) fn noted(&mut self) -> Option<SentFrame> {
        self.noted.pop_front()
    }

    /// Time that coding took so far, and frames it was for.
    pub fn cpu(&self) -> Option<(Duration, u32)> {
        self.coder.cpu()
    }

    /// What the product's session takes the path to carry, for QUIC's window.
    pub fn estimate(&self) -> Option<Bitrate> {
        self.session.estimate()
    }

    /// When [`Self::advance`] is due.
    pub fn wake(&self) -> Option<Duration> {
        let released = self.held && self.handed.is_empty();
        let times = [
            released.then_some(Duration::ZERO),
            self.schedule.next().map(|(_, at)| at),
            self.encoding.front().map(|captured| captured.ready),
            self.pacer.wake(),
            self.policy.wake(),
            self.session.deadline(),
        ];
        times.into_iter().flatten().min()
    }

    /// The receiving end said this on the control stream.
    ///
    /// # Errors
    /// [`Failure`] where the session ends.
    pub fn heard(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Failure> {
        self.session.handle(now, Input::Control(bytes));
        self.drain(now)
    }

    /// A datagram came from the receiving end.
    ///
    /// # Errors
    /// [`Failure`] where the session ends.
    pub fn datagram(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Failure> {
        match Own::parse(bytes) {
            Some(Own::Feedback { made, arrived }) => {
                let arrivals = arrived.iter().filter_map(|&Arrived { purpose, at }| {
                    let sequence = *self.sequences.get(&purpose)?;
                    Some((sequence, at))
                });
                let feedback = Feedback {
                    made,
                    arrivals: arrivals.collect(),
                };
                self.policy.feedback(now, &feedback);
                Ok(())
            }
            Some(Own::KeyFrame) => {
                self.coder.key_frame();
                Ok(())
            }
            Some(Own::Padding(_)) => Ok(()),
            None => {
                self.session.handle(now, Input::Datagram(bytes));
                self.drain(now)
            }
        }
    }

    /// Does what is due at `now`, where the network is in this state.
    ///
    /// # Errors
    /// [`Failure`] where the medium breaks or the session ends.
    pub fn advance(&mut self, now: Duration, transport: Transport) -> Result<(), Failure> {
        self.transport = transport;
        if !self.started {
            return Ok(());
        }
        // Comparators' pacers hold back as they think best.
        let held = self.policy.estimator().is_some() && !self.handed.is_empty();
        if held != self.held {
            self.held = held;
            self.session.handle(now, Input::Held(held));
            self.drain(now)?;
        }
        if self.policy.wake().is_some_and(|at| at <= now) {
            self.policy.tick(now);
        }
        while let Some((frame, at)) = self.schedule.next()
            && at <= now
        {
            self.schedule.advance();
            self.coder.capture(frame)?;
            self.encoding.push_back(Captured {
                frame,
                at,
                ready: at + self.encode_time,
            });
            self.encoded(now)?;
        }
        self.encoded(now)?;
        if self.session.deadline().is_some_and(|at| at <= now) {
            self.session.handle(now, Input::Timeout);
            self.drain(now)?;
        }
        self.pace(now);
        Ok(())
    }

    fn encoded(&mut self, now: Duration) -> Result<(), Failure> {
        while let Some(&Captured { frame, at, ready }) = self.encoding.front()
            && ready <= now
        {
            let mut transport = self.transport;
            transport.queued += self.pacer.bytes() + self.handed_bytes;
            let permitted = self.policy.permit(now, &transport);
            let own = self.policy.estimator().is_some();
            self.estimate = match own {
                true => self.session.bandwidth().estimate(),
                false => self.policy.estimate(),
            };
            let path = Path {
                queued: transport.queued,
                max_datagram: MAX_DATAGRAM,
                budget: (!own).then(|| self.share(permitted)),
            };
            let input = Input::Encoded {
                number: frame,
                captured: at,
                path,
            };
            self.session.handle(now, input);
            self.drain(now)?;
            self.encoding.pop_front();
        }
        Ok(())
    }

    /// A frame's bytes at a rate.
    fn share(&self, rate: Option<Bitrate>) -> usize {
        let bits = rate.map_or(0, Bitrate::bits_per_second);
        (bits as f64 * self.interval.as_secs_f64() / 8.0).round() as usize
    }

    fn drain(&mut self, now: Duration) -> Result<(), Failure> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Control(bytes) => self.control.push_back(bytes),
                Output::Start => self.started = true,
                Output::Code { number, allowance } => self.code(now, number, allowance)?,
                Output::Discard { number, .. } => self.note(number, None, &Coded::default()),
                Output::Closings(closings) => self.coder.report(&closings),
                Output::End(end) => return Err(ended(&end)),
                Output::Datagram {
                    frame,
                    index,
                    bytes,
                } => self.pacer.push(Handed {
                    purpose: Use::Media {
                        frame: frame as u16,
                        index,
                    },
                    bytes,
                    frame: Some(frame),
                }),
                Output::Heartbeat(bytes) => self.pacer.push(Handed {
                    purpose: Use::Heartbeat,
                    bytes,
                    frame: None,
                }),
                Output::Sent(_) | Output::Shipment(_) | Output::StopSource | Output::Flush => {}
            }
        }
        Ok(())
    }

    fn code(&mut self, now: Duration, frame: u32, allowance: Allowance) -> Result<(), Failure> {
        let captured = self.encoding.front().map_or(now, |captured| captured.at);
        let capture = time_units(captured) as u32;
        let mut datagrams = std::mem::take(&mut self.datagrams);
        datagrams.clear();
        let coded = self.coder.code(frame, allowance, capture, &mut datagrams)?;
        let mut codewords = [0; MAX_STAGES];
        for (to, &from) in codewords.iter_mut().zip(&coded.codewords) {
            *to = from;
        }
        self.note(frame, Some((allowance, &datagrams)), &coded);
        let input = Input::Coded {
            datagrams: &mut datagrams,
            level: coded.level.unwrap_or(0),
            codewords,
        };
        self.session.handle(now, input);
        self.datagrams = datagrams;
        Ok(())
    }

    fn note(&mut self, frame: u32, coded: Option<(Allowance, &[BytesMut])>, said: &Coded) {
        let captured = self.encoding.front().map_or(Duration::ZERO, |it| it.at);
        let datagrams = coded.map_or(&[][..], |(_, datagrams)| datagrams);
        self.noted.push_back(SentFrame::Coded {
            frame,
            captured,
            skipped: datagrams.is_empty(),
            estimate: self.estimate,
            budget: coded.map_or(0, |(allowance, _)| allowance.bytes as u64),
            bytes: datagrams.iter().map(|datagram| datagram.len() as u64).sum(),
            datagrams: datagrams.len() as u8,
            said: said.clone(),
        });
    }

    /// Hands over what may leave.
    fn pace(&mut self, now: Duration) {
        while let Some(len) = self.policy.padding(now) {
            let len = (len as usize).saturating_sub(PATH_OVERHEAD);
            let len = len.clamp(feedback::LEAST_PADDING, MAX_DATAGRAM);
            let number = self.padding;
            self.padding = number.wrapping_add(1);
            self.hand(
                now,
                Handed {
                    purpose: Use::Padding(number),
                    bytes: feedback::padding(number, len).into(),
                    frame: None,
                },
            );
        }
        while let Some(handed) = self.pacer.pop(now, self.policy.pace(), PATH_OVERHEAD) {
            self.hand(now, handed);
        }
    }

    fn hand(&mut self, now: Duration, handed: Handed) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.sequences.insert(handed.purpose, sequence);
        self.order.push_back(handed.purpose);
        if self.order.len() > REMEMBERED
            && let Some(old) = self.order.pop_front()
            // Numbers come again.
            && self.sequences.get(&old).is_some_and(|&it| it + REMEMBERED as u64 <= sequence)
        {
            self.sequences.remove(&old);
        }
        self.policy.sent(&SentDatagram {
            sequence,
            bytes: (handed.bytes.len() + PATH_OVERHEAD) as u32,
            at: now,
            padding: matches!(handed.purpose, Use::Padding(_)),
        });
        if let Some(frame) = handed.frame {
            self.noted.push_back(SentFrame::Left { frame, at: now });
        }
        self.handed_bytes += handed.bytes.len();
        self.handed.push_back(handed);
    }
}

fn ended(end: &End) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("the sending session ended: {end}"),
    )
}
