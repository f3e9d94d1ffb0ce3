//! Search, choice, coding and applying at 640×360 on one thread, on a synthetic clip.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use raq_recv::intake::Intake;
use raq_send::choice::scan::Scan;
use raq_send::choice::{Picture, Speed};
use raq_send::frame_coder::{Allowance, FrameCoder};
use raq_shared::coding::{Sink, write};
use raq_shared::tile::TileGrid;

const GRID: TileGrid = TileGrid {
    columns: 20,
    rows: 12,
};
/// Frames of the clip.
const FRAMES: usize = 8;
/// Bytes of a frame: 400 kbit/s at 25 frames a second.
const BYTES: usize = 2000;

/// The best codeword at three scales, by build and by how much of the codebook is looked at.
fn search(criterion: &mut Criterion) {
    let model = synthetic::model();
    let clip = synthetic::clip(
        &model,
        TileGrid {
            columns: 2,
            rows: 2,
        },
        1,
    );
    let mut group = criterion.benchmark_group("search");
    for (book, codebook) in model.stages.codebooks().iter().enumerate() {
        let scan = Scan::new(codebook);
        let residual: Vec<i16> = clip[0].latents.values()[..codebook.dims()].to_vec();
        let stage = (0..)
            .find(|&s| model.stages.stage(s).codebook == book)
            .unwrap_or(0);
        let mut biases = Vec::new();
        let band = model.tables.band(60);
        scan.biases(
            &model.stages,
            stage,
            band,
            codebook.codewords(),
            40.0,
            &mut biases,
        );
        for (build, mut scan) in scan.builds() {
            for (name, part) in [("near", 0.3), ("all", f32::NEG_INFINITY)] {
                group.bench_function(format!("{build}/{book}/{name}"), |b| {
                    b.iter(|| scan.best(black_box(&residual), [&biases, &biases, &biases], part));
                });
            }
        }
    }
    group.finish();
}

/// A frame's choice and coding in the middle of a session, by speed.
fn choice(criterion: &mut Criterion) {
    let model = synthetic::model();
    let clip = synthetic::clip(&model, GRID, FRAMES);
    let mut group = criterion.benchmark_group("choice");
    for speed in [Speed::Fast, Speed::Medium, Speed::Thorough] {
        let mut session = Session::new(&model, speed);
        for _ in 0..2 * FRAMES {
            session.frame(&clip);
        }
        group.bench_function(format!("{speed:?}").to_lowercase(), |b| {
            b.iter(|| session.frame(&clip));
        });
    }
    group.finish();
}

/// Writing the symbols of a frame, and taking its datagram apart and applying it.
fn coding_and_apply(criterion: &mut Criterion) {
    let model = synthetic::model();
    let clip = synthetic::clip(&model, GRID, FRAMES);
    let mut session = Session::new(&model, Speed::Medium);
    let mut datagrams = Vec::new();
    for _ in 0..4 * FRAMES {
        datagrams.extend(session.frame(&clip));
    }
    // What is coded is told of until a report changes the floor.
    session.code(&clip);
    criterion.bench_function("coding", |b| {
        let (mut sink, mut body) = (Sink::new(), Vec::new());
        b.iter(|| {
            body.clear();
            for (framing, updates) in session.coder.coded() {
                write(&framing, black_box(updates), &mut sink, &mut body);
            }
            body.len()
        });
    });
    let (stages, basis, tables) = (&model.stages, &model.basis, &model.tables);
    let each = 4 * FRAMES as u32;
    criterion.bench_function("apply/32 frames", |b| {
        b.iter(|| {
            let mut intake = Intake::new(GRID, stages, basis, tables);
            for (frame, datagram) in (0..each).zip(&datagrams) {
                intake.datagram(black_box(datagram)).expect("in order");
                intake.close(frame);
            }
            intake
        });
    });
}

/// A sender that is told at once that everything arrived.
struct Session {
    coder: FrameCoder,
    intake: Intake,
    frame: u32,
}

impl Session {
    fn new(model: &synthetic::Model, speed: Speed) -> Self {
        let (stages, basis, tables) = (&model.stages, &model.basis, &model.tables);
        Self {
            coder: FrameCoder::new(GRID, stages, basis, tables, speed),
            intake: Intake::new(GRID, stages, basis, tables),
            frame: 0,
        }
    }

    /// Codes the next frame, has it received, and returns its datagrams.
    fn frame(&mut self, clip: &[synthetic::Frame]) -> Vec<bytes::BytesMut> {
        let datagrams = self.code(clip);
        for datagram in &datagrams {
            self.intake.datagram(datagram).expect("in order");
        }
        let arrived = self.intake.close(self.frame);
        self.coder.report(self.frame, arrived);
        self.frame += 1;
        datagrams
    }

    fn code(&mut self, clip: &[synthetic::Frame]) -> Vec<bytes::BytesMut> {
        let shown = &clip[self.frame as usize % clip.len()];
        let picture = Picture {
            target: &shown.latents,
            luma: &shown.luma,
        };
        let allowance = Allowance {
            bytes: BYTES,
            count: 1,
            fewest: 1,
            datagram_bytes: BYTES,
        };
        let datagrams = self
            .coder
            .encode(self.frame, picture, allowance, 0, || false);
        std::mem::take(datagrams)
    }
}

criterion_group!(benches, search, choice, coding_and_apply);
criterion_main!(benches);
