//! In steady state neither end allocates for a frame.

mod synthetic;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use raq_recv::intake::Intake;
use raq_send::choice::{Picture, Speed};
use raq_send::frame_coder::{Allowance, FrameCoder};
use raq_send::pacer::{self, Pacer};
use raq_shared::tile::TileGrid;

/// Counts what is asked of the system's allocator.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frames of the clip, and how often it is seen before counting.
const FRAMES: usize = 8;
const WARM: u32 = 10 * FRAMES as u32;
/// Frames until a report arrives.
const DELAY: usize = 3;

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
    let mut pacer = Pacer::default();
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
        // More than one datagram, and now and then fewer bytes.
        let allowance = Allowance::of(if frame % 5 == 0 { 900 } else { 2500 }, None);
        let before = ASKED.load(Ordering::Relaxed);
        let datagrams = coder.encode(frame, picture, allowance, 0, || false);
        let leaving = pacer::Frame {
            number: frame,
            captured: Duration::ZERO,
            deadline: Duration::MAX,
        };
        pacer.push(leaving, datagrams);
        let sent = ASKED.load(Ordering::Relaxed);
        while let Some(departure) = pacer.pop(Duration::ZERO, None) {
            intake.datagram(&departure.bytes).unwrap();
        }
        let arrived = intake.close(frame);
        intake.fill(&mut latents, &mut depths);
        let received = ASKED.load(Ordering::Relaxed);
        reports.push_back((frame, arrived));
        if reports.len() > DELAY {
            let (frame, arrived) = reports.pop_front().unwrap();
            coder.report(frame, arrived);
        }
        let reported = ASKED.load(Ordering::Relaxed);
        let counts = [sent - before, received - sent, reported - received];
        if frame >= WARM {
            assert_eq!(
                counts,
                [0, 0, 0],
                "frame {frame}: sender, leaving and receiver, report"
            );
        }
        let updates = coder.chooser().updates().flatten();
        copies += updates.filter(|u| !u.source_bases.is_empty()).count();
        bytes += datagrams_len(&coder);
    }
    assert!(copies > 0 && bytes > 0, "there was something to do");
}

fn datagrams_len(coder: &FrameCoder) -> usize {
    coder.coded().map(|(_, updates)| updates.len()).sum()
}
