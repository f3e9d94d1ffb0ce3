//! In steady state neither end allocates for a frame.

mod synthetic;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use raq_recv::intake::Intake;
use raq_send::bandwidth::EstimatorName;
use raq_send::choice::{Picture, Speed};
use raq_send::fec::Fec;
use raq_send::frame_coder::{Allowance, FrameCoder};
use raq_send::rate::Path;
use raq_send::session::{Input, Output, Session, Settings};
use raq_shared::codebook::Codebook;
use raq_shared::stage::MAX_STAGES;
use raq_shared::tile::TileGrid;
use raq_shared::units::Bitrate;
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};
use raq_shared::wire::message::{CodebookOffer, Message, ModelId};
use raq_shared::wire::report::{Arrival, Closed, FrameReport, Report};
use raq_shared::wire::{encode_message, encode_preface};

/// Counts what is asked of the system's allocator.
struct Counting;

thread_local! {
    /// On this thread: that of the test harness says after a minute that a test takes long.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ASKED.set(ASKED.get() + 1);
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frames of the clip, and how often it is seen before counting.
const FRAMES: usize = 8;
const WARM: u32 = 20 * FRAMES as u32;
/// Frames until a report arrives.
const DELAY: usize = 3;

/// A report may ask for its two lists.
const LISTS: usize = 2;

/// The sending session, and when it is.
struct Sending {
    session: Session,
    now: Duration,
}

impl Sending {
    fn new(grid: TileGrid) -> Self {
        let codebook = Codebook::new(2, vec![0; 8192]).unwrap();
        let settings = Settings {
            program: "test".into(),
            model_id: ModelId([0; 32]),
            model_name: "test".into(),
            codebooks: Arc::new(codebook.into()),
            video: VideoFormat {
                width: grid.columns as u32 * 32,
                height: grid.rows as u32 * 32,
                frame_rate: FrameRate::new(30, 1).unwrap(),
                aspect: Fraction::new(1, 1),
                chroma_siting: ChromaSiting::Unspecified,
                colour_range: ColourRange::Unspecified,
            },
            max_rate: Some(Bitrate::from_kilobits_per_second(700)),
            min_rate: None,
            latency: Duration::from_millis(100),
            estimator: EstimatorName::Burst,
            fec: Fec::Off,
        };
        let mut session = Session::new(settings, Duration::ZERO).unwrap();
        let mut said = Vec::new();
        encode_preface(&mut said);
        let codebook = CodebookOffer::Same;
        encode_message(&Message::Welcome { codebook }, &mut said).unwrap();
        session.handle(Duration::ZERO, Input::Control(&said));
        while session.poll_output().is_some() {}
        Self {
            session,
            now: Duration::ZERO,
        }
    }

    /// What a frame may take.
    fn encoded(&mut self, number: u32) -> Allowance {
        self.now = self.now.max(Duration::from_secs(1) * number / 30);
        let path = Path {
            queued: 0,
            max_datagram: 1162,
            budget: None,
        };
        let encoded = Input::Encoded {
            number,
            captured: self.now,
            path,
        };
        self.session.handle(self.now, encoded);
        match self.session.poll_output() {
            Some(Output::Code { allowance, .. }) => allowance,
            other => panic!("{other:?}"),
        }
    }

    fn coded(&mut self, datagrams: &mut Vec<BytesMut>) {
        let coded = Input::Coded {
            datagrams,
            level: 50,
            codewords: [9; MAX_STAGES],
        };
        self.session.handle(self.now, coded);
    }

    /// The next datagram of the frame that leaves, and its place.
    fn leaves(&mut self) -> Option<(u8, Bytes)> {
        loop {
            match self.session.poll_output() {
                Some(Output::Datagram { index, bytes, .. }) => return Some((index, bytes)),
                Some(Output::Sent(_)) => return None,
                Some(other) => panic!("{other:?}"),
                None => {
                    self.now = self.session.deadline()?;
                    self.session.handle(self.now, Input::Timeout);
                }
            }
        }
    }

    /// A report comes.
    fn report(&mut self, bytes: &[u8]) {
        self.session.handle(self.now, Input::Datagram(bytes));
        while self.session.poll_output().is_some() {}
    }
}

#[test]
fn frames_allocate_nothing() {
    let grid = TileGrid {
        columns: 6,
        rows: 4,
    };
    let model = synthetic::model();
    let clip = synthetic::clip(&model, grid, FRAMES);
    let (stages, basis, tables) = (&model.stages, &model.basis, &model.tables);
    let mut coder = FrameCoder::new(grid, stages, basis, tables, Speed::Medium);
    let mut sending = Sending::new(grid);
    let mut intake = Intake::new(grid, stages, basis, tables);
    let positions = grid.tiles() * 16;
    let mut latents = vec![0.0; positions * synthetic::DIM];
    let mut depths = vec![0.0; positions];
    let mut reports = VecDeque::with_capacity(2 * DELAY);
    let (mut copies, mut bytes) = (0, 0);
    for frame in 0..4 * WARM {
        let shown = &clip[frame as usize % FRAMES];
        let picture = Picture {
            target: &shown.latents,
            luma: &shown.luma,
        };
        let mut report = Report {
            number: frame as u8,
            closed: Some(Closed {
                newest: frame as u16,
                frames: vec![FrameReport::All; 4],
            }),
            arrivals: Vec::with_capacity(64),
            ..Report::default()
        };
        let mut encoded = Vec::with_capacity(1200);
        let before = ASKED.get();
        // More than one datagram, and now and then fewer bytes.
        let most = sending.encoded(frame);
        let allowance = match frame % 5 {
            0 => Allowance::of(most.bytes / 2, None),
            _ => most,
        };
        let datagrams = coder.encode(frame, picture, allowance, 0, || false);
        sending.coded(datagrams);
        let mut sent = ASKED.get() - before;
        let mut received = 0;
        loop {
            let before = ASKED.get();
            let left = sending.leaves();
            let then = ASKED.get();
            sent += then - before;
            let Some((index, datagram)) = left else { break };
            report.arrivals.push(Arrival {
                frame: frame as u16,
                index,
                // 5 Mbit/s.
                at: frame * 33_333 + u32::from(index) * 1600,
            });
            report.echo.sent = (sending.now.as_micros() / 100) as u32;
            intake.datagram(&datagram).unwrap();
            received += ASKED.get() - then;
        }
        let before = ASKED.get();
        let arrived = intake.close(frame);
        intake.fill(&mut latents, &mut depths);
        received += ASKED.get() - before;
        report.encode(&mut encoded);
        let before = ASKED.get();
        sending.report(&encoded);
        let heard = ASKED.get() - before;
        assert!(frame < WARM || heard <= LISTS, "frame {frame}: {heard}");
        reports.push_back((frame, arrived));
        let before = ASKED.get();
        if reports.len() > DELAY {
            let (frame, arrived) = reports.pop_front().unwrap();
            coder.report(frame, arrived);
        }
        let reported = ASKED.get() - before;
        if frame >= WARM {
            assert_eq!(
                [sent, received, reported],
                [0, 0, 0],
                "frame {frame}: sender, leaving and receiver, report"
            );
        }
        let updates = coder.chooser().updates().flatten();
        copies += updates.filter(|u| !u.source_bases.is_empty()).count();
        bytes += datagrams_len(&coder);
    }
    assert!(copies > 0 && bytes > 0, "there was something to do");
    let estimate = sending.session.bandwidth().estimate();
    assert!(
        estimate.kilobits_per_second() > 700.0,
        "{estimate}: reports were heard"
    );
}

fn datagrams_len(coder: &FrameCoder) -> usize {
    coder.coded().map(|(_, updates)| updates.len()).sum()
}
