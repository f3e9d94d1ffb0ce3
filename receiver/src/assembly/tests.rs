use raq_shared::coding::body::BodyError;
use raq_shared::wire::datagram::DatagramError;

use super::*;

mod closing;
mod parity;

use crate::sample::{DIM, check, codebooks, datagram, datagrams, temporal};

const GRID: TileGrid = TileGrid {
    columns: 3,
    rows: 2,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn assembler() -> Assembler {
    Assembler::new(GRID, &temporal(&codebooks(0)), ms(80), ms(33))
}

fn taken(assembler: &mut Assembler) -> Vec<ReceivedFrame> {
    std::iter::from_fn(|| assembler.next_frame()).collect()
}

fn numbers(assembler: &mut Assembler) -> Vec<u32> {
    taken(assembler).iter().map(|frame| frame.number).collect()
}

#[test]
fn a_frame_is_whole_with_all_its_parts_in_any_order() {
    let mut assembler = assembler();
    for index in [2, 0, 1] {
        assert!(numbers(&mut assembler).is_empty());
        let part = datagram(GRID, 0, index, 3);
        assembler.datagram(ms(0), &part).unwrap();
    }
    let frame = assembler.next_frame().unwrap();
    assert!(frame.is_complete());
    assert_eq!(frame.concealed_tiles, 0);
    assert_eq!(check(GRID, &frame), GRID.tiles());
}

#[test]
fn what_is_missing_keeps_what_it_had() {
    let mut assembler = assembler();
    let part = datagram(GRID, 0, 0, 3);
    assembler.datagram(ms(0), &part).unwrap();
    assembler.flush();
    let first = assembler.next_frame().unwrap();
    assert_eq!(first.concealed_tiles as usize + check(GRID, &first), 6);
    for part in &datagrams(GRID, 1, 3)[1..] {
        assembler.datagram(ms(0), part).unwrap();
    }
    assembler.flush();
    let second = assembler.next_frame().unwrap();
    assert_eq!(second.concealed_tiles, 0);
    assert_eq!(check(GRID, &second) + check(GRID, &first), 6);
}

#[test]
fn updates_count_for_their_own_frame_alone() {
    let mut assembler = assembler();
    for (frame, indices) in [(0, &[0, 2][..]), (1, &[1]), (2, &[0, 1, 2])] {
        for &index in indices {
            let part = datagram(GRID, frame, index, 3);
            assembler.datagram(ms(0), &part).unwrap();
        }
    }
    // The picture of each shows the first datagram of the next one already.
    let updated: Vec<_> = taken(&mut assembler)
        .iter()
        .map(|frame| (frame.number, frame.updated_tiles, frame.concealed_tiles))
        .collect();
    assert_eq!(updated, [(0, 4, 0), (1, 2, 0), (2, 6, 0)]);
}

#[test]
fn the_parts_of_a_frame_must_agree() {
    let mut assembler = assembler();
    let part = |index, count| datagram(GRID, 0, index, count);
    assembler.datagram(ms(0), &part(0, 3)).unwrap();
    let disagrees = Err(Refused::Discard(Discard::Disagrees));
    assert_eq!(assembler.datagram(ms(0), &part(1, 4)), disagrees);
    let duplicate = Err(Refused::Discard(Discard::Duplicate));
    assert_eq!(assembler.datagram(ms(0), &part(0, 3)), duplicate);
    let counts = assembler.counts();
    assert_eq!((counts.malformed, counts.duplicates), (1, 1));
}

#[test]
fn bodies_that_make_no_sense_leave_no_trace() {
    let mut assembler = assembler();
    let good = datagram(GRID, 0, 0, 3);
    let mut long = good.clone();
    long.extend([1; 40]);
    for bad in [&good[..good.len() / 2], &long[..]] {
        let refused = assembler.datagram(ms(0), bad);
        assert!(matches!(refused, Err(Refused::Body(BodyError::Garbage(_)))));
    }
    let short = Err(Refused::Header(DatagramError::Short(5)));
    assert_eq!(assembler.datagram(ms(0), &[0; 5]), short);
    assert_eq!(assembler.frames_seen(), 0);
    assert_eq!(assembler.counts().malformed, 3);
    // When it came is about the path, whatever it holds.
    assert_eq!(assembler.deadline(), Some(ms(20)));
    assert_eq!(assembler.report(ms(19), 0), None);
    let report = assembler.report(ms(20), 0).unwrap();
    assert_eq!((report.closed, report.audit), (None, None));
    assert_eq!(report.arrivals.len(), 1);
    assert_eq!(assembler.deadline(), None);
}

#[test]
fn frames_nobody_takes_are_given_up_from_the_oldest() {
    let mut assembler = assembler();
    for frame in 0..20 {
        let whole = datagram(GRID, frame, 0, 1);
        assembler.datagram(ms(0), &whole).unwrap();
    }
    let kept = numbers(&mut assembler);
    assert_eq!(kept, (20 - WAITING as u32..20).collect::<Vec<_>>());
    assert_eq!(assembler.counts().overrun, 20 - WAITING as u32);
}

#[test]
fn buffers_are_used_again() {
    let mut assembler = assembler();
    assembler.datagram(ms(0), &datagram(GRID, 0, 0, 1)).unwrap();
    let frame = assembler.next_frame().unwrap();
    assert_eq!(frame.latents.len(), GRID.tiles() * POSITIONS * DIM);
    let buffer = frame.latents.as_ptr();
    assembler.recycle(frame);
    assembler.datagram(ms(1), &datagram(GRID, 1, 0, 1)).unwrap();
    let frame = assembler.next_frame().unwrap();
    assert_eq!(frame.latents.as_ptr(), buffer);
    assert_eq!(check(GRID, &frame), GRID.tiles());
}
