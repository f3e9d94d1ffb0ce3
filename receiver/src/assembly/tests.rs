use raq_shared::coding::body::BodyError;
use raq_shared::wire::datagram::DatagramError;

use super::*;
use crate::sample::{DIM, check, codebooks, datagram, datagrams, temporal};

const GRID: TileGrid = TileGrid {
    columns: 3,
    rows: 2,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn assembler() -> Assembler {
    Assembler::new(GRID, &temporal(&codebooks(0)), ms(80))
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
    // The picture of each shows the last one already.
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
    assert_eq!(assembler.deadline(), None);
    assert_eq!(assembler.counts().malformed, 3);
    assert_eq!(assembler.report(), None);
}

#[test]
fn open_frames_are_bounded() {
    let mut assembler = assembler();
    for frame in 0..OPEN as u32 {
        let part = datagram(GRID, frame, 0, 2);
        assembler.datagram(ms(0), &part).unwrap();
    }
    assert!(numbers(&mut assembler).is_empty());
    assembler.datagram(ms(0), &datagram(GRID, 4, 0, 2)).unwrap();
    assert_eq!(numbers(&mut assembler), [0], "the oldest makes room");
    let closed = Err(Refused::Discard(Discard::Closed));
    let late = datagram(GRID, 0, 1, 2);
    assert_eq!(assembler.datagram(ms(0), &late), closed);
    assert_eq!(assembler.counts().stale, 1);
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
fn a_frame_that_still_arrives_stays_open() {
    let mut assembler = assembler();
    for (index, at) in [(0, 0), (1, 60), (2, 120)] {
        let part = datagram(GRID, 0, index, 4);
        assembler.datagram(ms(at), &part).unwrap();
    }
    assert_eq!(assembler.deadline(), Some(ms(200)));
    assert!(numbers(&mut assembler).is_empty());
}

#[test]
fn patience_ends_with_the_clock() {
    let mut assembler = assembler();
    assembler.datagram(ms(5), &datagram(GRID, 0, 0, 2)).unwrap();
    assert_eq!(assembler.deadline(), Some(ms(85)));
    assembler.advance(ms(84));
    assert!(numbers(&mut assembler).is_empty());
    assembler.advance(ms(85));
    assert_eq!(numbers(&mut assembler), [0]);
    assert!(assembler.is_closed_below(1));
}

#[test]
fn reports_tell_what_arrived_of_closed_frames() {
    let mut assembler = assembler();
    assert_eq!(assembler.report(), None);
    assembler.datagram(ms(0), &datagram(GRID, 3, 1, 2)).unwrap();
    assert_eq!(assembler.report(), None, "nothing is closed");
    for part in datagrams(GRID, 5, 2) {
        assembler.datagram(ms(1), &part).unwrap();
    }
    let report = assembler.report().unwrap();
    assert_eq!(report.newest, 5);
    let told = |frame: &FrameReport| {
        let arrived = (0..frame.count).map(|index| frame.arrived.contains(index));
        arrived.collect::<Vec<_>>()
    };
    let told: Vec<_> = report.frames.iter().map(told).collect();
    let nothing = vec![];
    let expected = [
        vec![true, true],
        nothing.clone(),
        vec![false, true],
        nothing.clone(),
        nothing.clone(),
        nothing,
    ];
    assert_eq!(told, expected);
    assert_eq!(assembler.report(), None, "told already");
    assembler.datagram(ms(2), &datagram(GRID, 6, 0, 1)).unwrap();
    let next = assembler.report().unwrap();
    assert_eq!((report.audit.tile, next.audit.tile), (0, 1));
    let shown = |tile| assembler.intake.scene().shown(tile).unwrap().fingerprint();
    assert_eq!(next.audit.fingerprint, shown(1));
}

#[test]
fn a_report_tells_of_sixteen_frames_at_most() {
    let mut assembler = assembler();
    for frame in 0..40 {
        let whole = datagram(GRID, frame, 0, 1);
        assembler.datagram(ms(0), &whole).unwrap();
    }
    let report = assembler.report().unwrap();
    assert_eq!((report.newest, report.frames.len()), (39, REPORTED));
    assert!(report.frames.iter().all(|frame| frame.count == 1));
    let mut bytes = Vec::new();
    report.encode(&mut bytes);
    assert_eq!(Report::parse(&bytes), Ok(report));
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
