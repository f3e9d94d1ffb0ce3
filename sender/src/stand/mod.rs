//! A closed loop in virtual time for tests: the whole of a sending session, a link, and a receiver
//! that reports as the real one does.

mod flow;
mod link;
mod receiver;
mod rival;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use raq_shared::codebook::Codebook;
use raq_shared::coding::Coding;
use raq_shared::stage::MAX_STAGES;
use raq_shared::units::Bitrate;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};
use raq_shared::wire::message::{CodebookOffer, Message, ModelId};
use raq_shared::wire::update::{UPDATE_HEADER_LEN, UpdateHeader, time_units};
use raq_shared::wire::{self};

use crate::fec::Fec;
use crate::frame_coder::Allowance;
use crate::rate::{PATH_OVERHEAD, Path, Skip};
use crate::session::{Input, Output, Session, Settings};

pub(crate) use link::Link;
pub(crate) use rival::Rival;
pub(crate) use steps::{Step, check};

use flow::Event;
use receiver::Receiver;

/// Time between frames.
pub(crate) const INTERVAL: Duration = Duration::from_nanos(33_333_333);
/// Most events at the same moment.
const STANDSTILL: u32 = 10_000;

/// What a sender of 640x360 at 30 fps holds.
pub(crate) fn settings() -> Settings {
    let codebook = Codebook::new(2, (0..8192).map(|i| i as i16).collect()).unwrap();
    Settings {
        program: "test".into(),
        model_id: ModelId([1; 32]),
        model_name: "base".into(),
        codebooks: Arc::new(codebook.into()),
        video: VideoFormat {
            width: 640,
            height: 360,
            frame_rate: FrameRate::new(30, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Mpeg2,
            colour_range: ColourRange::Limited,
        },
        max_rate: None,
        min_rate: None,
        estimator: crate::bandwidth::EstimatorName::Burst,
        latency: ms(100),
        fec: Fec::Off,
    }
}

/// What the receiver says to be welcome.
pub(crate) fn welcome(codebook: CodebookOffer) -> Vec<u8> {
    let mut said = vec![0, 1];
    wire::encode_message(&Message::Welcome { codebook }, &mut said).unwrap();
    said
}

/// Milliseconds.
pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What becomes of something on its way: how much longer it takes, or nothing where it is lost.
pub(crate) type Fate = Box<dyn FnMut(Duration) -> Option<Duration>>;

/// What the loop is made of.
pub(crate) struct Stand {
    pub link: Link,
    /// Delay one way, by the time.
    pub delay: Box<dyn Fn(Duration) -> Duration>,
    /// Of datagrams that are through the link, by when they leave it.
    pub there: Fate,
    /// Of reports, by when they are made.
    pub back: Fate,
    /// Most bytes that a frame can use, by the time; nothing where there is no frame.
    pub source: Box<dyn Fn(Duration) -> Option<usize>>,
    /// The receiver's clock.
    pub clock: Box<dyn Fn(Duration) -> Duration>,
    pub rival: Option<Rival>,
    pub max_rate: Option<Bitrate>,
    pub fec: Fec,
}

/// How things stand after a frame of the source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub now: Duration,
    /// What the link is estimated to carry, kbit/s.
    pub estimate: f64,
    /// Time that a datagram now waits before the link.
    pub queue: Duration,
    /// The same as the sender believes.
    pub seen: Duration,
    /// Whether the sender sees a rival.
    pub rival: bool,
    /// What the frame was allowed.
    pub allowance: Option<Allowance>,
    pub skip: Option<Skip>,
    /// Losses as the sender sees them.
    pub losses: f64,
    /// Bytes on the path that came through the link so far …
    pub through: u64,
    /// … and the rival's.
    pub rivals: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub samples: Vec<Sample>,
    pub heartbeats: Vec<Duration>,
    /// When frames came in, by their number.
    pub arrivals: Vec<(u32, Duration)>,
    /// Datagrams of parity that came in.
    pub parity: u32,
}

impl Default for Stand {
    /// 1 Mbit/s, 25 ms each way, a queue of 300 ms, a source that can use anything.
    fn default() -> Self {
        Self {
            link: Link::new(&[(0, 1000)], 37_500),
            delay: Box::new(|_| ms(25)),
            there: Box::new(|_| Some(Duration::ZERO)),
            back: Box::new(|_| Some(Duration::ZERO)),
            source: Box::new(|_| Some(usize::MAX)),
            // Any zero, and before the wrap of the 32 bits for a while.
            clock: Box::new(|now| now + Duration::from_secs(1000)),
            rival: None,
            max_rate: None,
            fec: Fec::Off,
        }
    }
}

impl Stand {
    /// With this link.
    pub(crate) fn of(link: Link) -> Self {
        Self {
            link,
            ..Self::default()
        }
    }

    /// Runs for `seconds`.
    pub(crate) fn run(self, seconds: u64) -> Run {
        self.run_session(seconds).0
    }

    /// The same; gives the session, too.
    pub(crate) fn run_session(self, seconds: u64) -> (Run, Session) {
        let mut running = Running::new(self);
        running.go(Duration::from_secs(seconds));
        (running.run, running.session)
    }
}

struct Running {
    stand: Stand,
    session: Session,
    receiver: Receiver,
    events: BTreeMap<(Duration, u64), Event>,
    serial: u64,
    run: Run,
    through: u64,
    allowance: Option<Allowance>,
    skip: Option<Skip>,
}

impl Running {
    fn new(stand: Stand) -> Self {
        let settings = Settings {
            max_rate: stand.max_rate,
            fec: stand.fec,
            ..settings()
        };
        let mut session = Session::new(settings, Duration::ZERO).unwrap();
        let said = welcome(CodebookOffer::Same);
        session.handle(Duration::ZERO, Input::Control(&said));
        while session.poll_output().is_some() {}
        let mut running = Self {
            stand,
            session,
            receiver: Receiver::default(),
            events: BTreeMap::new(),
            serial: 0,
            run: Run::default(),
            through: 0,
            allowance: None,
            skip: None,
        };
        running.at(Duration::ZERO, Event::Frame(0));
        if let Some(rival) = &running.stand.rival {
            let start = rival.from;
            running.at(start, Event::Rival);
        }
        running
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((time, self.serial), event);
    }

    fn go(&mut self, end: Duration) {
        let (mut last, mut same) = (Duration::ZERO, 0);
        loop {
            let first = self.events.first_key_value().map(|((at, _), _)| *at);
            let times = [first, self.session.deadline(), self.receiver.due()];
            let now = times.into_iter().flatten().min().unwrap_or(end).max(last);
            if now >= end {
                return;
            }
            same = if now == last { same + 1 } else { 0 };
            assert!(same < STANDSTILL, "it stands still at {now:?}");
            last = now;
            if first.is_some_and(|at| at <= now)
                && let Some((_, event)) = self.events.pop_first()
            {
                self.happen(now, event);
            } else if self.receiver.due().is_some_and(|at| at <= now) {
                self.report(now);
            } else {
                self.session.handle(now, Input::Timeout);
                self.drain(now);
            }
        }
    }

    fn frame(&mut self, now: Duration, number: u32) {
        self.at((number + 1) * INTERVAL, Event::Frame(number + 1));
        (self.allowance, self.skip) = (None, None);
        if (self.stand.source)(now).is_some() {
            let path = Path {
                queued: 0,
                max_datagram: 1162,
                budget: None,
            };
            let captured = now;
            let input = Input::Encoded {
                number,
                captured,
                path,
            };
            self.session.handle(now, input);
            self.drain(now);
        }
        let bandwidth = self.session.bandwidth();
        self.run.samples.push(Sample {
            now,
            estimate: bandwidth.estimate().kilobits_per_second(),
            queue: self.stand.link.queue(now),
            seen: bandwidth.queue(),
            rival: bandwidth.has_rival(),
            allowance: self.allowance,
            skip: self.skip,
            losses: bandwidth.losses().share(),
            through: self.through,
            rivals: self.stand.rival.as_ref().map_or(0, |rival| rival.through),
        });
    }

    fn drain(&mut self, now: Duration) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Code { number, allowance } => self.code(now, number, allowance),
                Output::Discard { skip, .. } => self.skip = skip,
                Output::Datagram { bytes, .. } => self.send(now, bytes),
                Output::Heartbeat(bytes) => {
                    self.run.heartbeats.push(now);
                    self.send(now, bytes);
                }
                Output::Sent(_) | Output::Closings(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn code(&mut self, now: Duration, number: u32, allowance: Allowance) {
        self.allowance = Some(allowance);
        let most = (self.stand.source)(now).unwrap_or(0);
        let mut datagrams = cut(now, number, allowance, most);
        let coded = Input::Coded {
            datagrams: &mut datagrams,
            level: 50,
            codewords: [9; MAX_STAGES],
        };
        self.session.handle(now, coded);
    }

    fn send(&mut self, now: Duration, bytes: Bytes) {
        let size = (bytes.len() + PATH_OVERHEAD) as u64;
        let Some(out) = self.stand.link.take(now, size) else {
            return;
        };
        self.at(out, Event::Through(size));
        if let Some(more) = (self.stand.there)(out) {
            let at = (out + (self.stand.delay)(out)).saturating_add(more);
            self.at(at, Event::Datagram(bytes));
        }
    }

    fn report(&mut self, now: Duration) {
        let bytes = self.receiver.report(now, &self.stand.clock);
        if let Some(more) = (self.stand.back)(now) {
            let at = now + (self.stand.delay)(now) + more;
            self.at(at, Event::Report(bytes));
        }
    }
}

/// The datagrams of a frame that can use `most` bytes.
fn cut(now: Duration, number: u32, allowance: Allowance, most: usize) -> Vec<BytesMut> {
    let Allowance {
        bytes,
        mut count,
        fewest,
        ..
    } = allowance;
    let own = bytes.min(most);
    if own < bytes {
        count = Allowance::of(own, None).count.max(fewest).min(count);
    }
    let datagram = |index: u8| {
        let header = UpdateHeader {
            coding: Coding::Plain,
            names_codewords: false,
            level: 50,
            frame: number as u16,
            capture: time_units(now) as u32,
            send_delay: 0,
            index,
            count,
            floor: 0,
        };
        let of = usize::from(count);
        let len = (own + of - 1 - usize::from(index)) / of;
        let mut datagram = BytesMut::from(&header.encode()[..]);
        datagram.resize(len.max(UPDATE_HEADER_LEN), 0);
        datagram
    };
    (0..count).map(datagram).collect()
}
