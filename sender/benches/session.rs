//! What the session takes for a frame: choice of its bytes, pacing of its datagrams, and the estimator
//! with a report of when they arrived.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use raq_send::bandwidth::EstimatorName;
use raq_send::fec::Fec;
use raq_send::rate::Path;
use raq_send::session::{Input, Output, Session, Settings};
use raq_shared::codebook::Codebook;
use raq_shared::stage::MAX_STAGES;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};
use raq_shared::wire::message::{CodebookOffer, Message, ModelId};
use raq_shared::wire::report::{Arrival, Closed, FrameReport, Report};
use raq_shared::wire::{encode_message, encode_preface};

/// Frames a second.
const RATE: u32 = 30;
/// Bytes of a datagram.
const DATAGRAM: usize = 1000;

/// A session in which frames flow.
struct Streaming {
    session: Session,
    now: Duration,
    /// When the path is free again.
    free: Duration,
    frame: u32,
    buffer: BytesMut,
    datagrams: Vec<BytesMut>,
    report: Report,
    said: Vec<u8>,
}

impl Streaming {
    fn new() -> Self {
        let codebook = Codebook::new(2, vec![0; 8192]).expect("a codebook");
        let settings = Settings {
            program: "bench".into(),
            model_id: ModelId([0; 32]),
            model_name: "bench".into(),
            codebooks: Arc::new(codebook.into()),
            video: VideoFormat {
                width: 640,
                height: 360,
                frame_rate: FrameRate::new(RATE, 1).expect("a rate"),
                aspect: Fraction { num: 1, den: 1 },
                chroma_siting: ChromaSiting::Unspecified,
                colour_range: ColourRange::Unspecified,
            },
            max_rate: None,
            min_rate: None,
            latency: Duration::from_secs(1),
            fec: Fec::Off,
            estimator: EstimatorName::Burst,
        };
        let mut session = Session::new(settings, Duration::ZERO).expect("a size");
        let mut said = Vec::new();
        encode_preface(&mut said);
        let welcome = Message::Welcome {
            codebook: CodebookOffer::Same,
        };
        encode_message(&welcome, &mut said).expect("a message");
        session.handle(Duration::ZERO, Input::Control(&said));
        let outputs: Vec<_> = std::iter::from_fn(|| session.poll_output()).collect();
        assert_eq!(outputs.last(), Some(&Output::Start));
        Self {
            session,
            now: Duration::ZERO,
            free: Duration::ZERO,
            frame: 0,
            buffer: BytesMut::new(),
            datagrams: Vec::new(),
            report: Report::default(),
            said: Vec::new(),
        }
    }

    /// A frame in so many datagrams, and the report on it; bytes that left.
    fn frame(&mut self, count: usize) -> u64 {
        let captured = self.now.max(Duration::from_secs(1) * self.frame / RATE);
        let path = Path {
            queued: 0,
            max_datagram: 1162,
            budget: None,
        };
        let encoded = Input::Encoded {
            number: self.frame,
            captured,
            path: black_box(path),
        };
        self.session.handle(captured, encoded);
        let output = self.session.poll_output();
        assert!(matches!(output, Some(Output::Code { .. })), "{output:?}");
        self.buffer.reserve(count * DATAGRAM);
        for _ in 0..count {
            self.buffer.resize(DATAGRAM, 0);
            self.datagrams.push(self.buffer.split());
        }
        let coded = Input::Coded {
            datagrams: &mut self.datagrams,
            level: 50,
            codewords: [9; MAX_STAGES],
        };
        self.session.handle(captured, coded);
        self.now = captured;
        let left = self.leave();
        self.report();
        self.frame += 1;
        left
    }

    fn leave(&mut self) -> u64 {
        let mut left = 0;
        loop {
            match self.session.poll_output() {
                Some(Output::Datagram { bytes, index, .. }) => {
                    left += bytes.len() as u64;
                    // A path of 20 Mbit/s.
                    let took = Duration::from_micros(425);
                    self.free = self.free.max(self.now) + took;
                    self.report.arrivals.push(Arrival {
                        frame: self.frame as u16,
                        index,
                        at: self.free.as_micros() as u32,
                    });
                }
                Some(Output::Sent(_)) => return left,
                Some(other) => unreachable!("{other:?}"),
                None => {
                    let due = self.session.deadline();
                    self.now = due.expect("more datagrams wait");
                    self.session.handle(self.now, Input::Timeout);
                }
            }
        }
    }

    /// As a receiver tells of every arrival twice, so does this one.
    fn report(&mut self) {
        self.report.number = self.report.number.wrapping_add(1);
        self.report.echo.sent = (self.now.as_micros() / 100) as u32 & 0xff_ffff;
        self.report.closed = Some(Closed {
            newest: self.frame as u16,
            frames: vec![FrameReport::All; 4],
        });
        self.said.clear();
        self.report.encode(&mut self.said);
        let arrivals = &mut self.report.arrivals;
        arrivals.retain(|arrival| arrival.frame == self.frame as u16);
        self.session.handle(self.now, Input::Datagram(&self.said));
        let output = self.session.poll_output();
        assert!(matches!(output, Some(Output::Closings(_))), "{output:?}");
    }
}

fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    for count in [1, 4, 16] {
        let mut streaming = Streaming::new();
        assert_eq!(streaming.frame(count), (count * DATAGRAM) as u64);
        group.bench_function(format!("{count} datagrams"), |b| {
            b.iter(|| streaming.frame(count));
        });
    }
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
