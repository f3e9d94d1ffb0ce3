//! When frames are given out, closed and reported.

use raq_shared::wire::report::{Closed, MAX_HELD};

use super::*;

/// Delivers datagrams of a frame of `count`.
fn deliver(assembler: &mut Assembler, at: Duration, frame: u32, indices: &[u8], count: u8) {
    for &index in indices {
        let part = datagram(GRID, frame, index, count);
        assembler.datagram(at, &part).unwrap();
    }
}

/// Whole frames before `frame` whose datagrams come `gap` apart, so that both are known.
fn usual_gap(assembler: &mut Assembler, gap: Duration, frames: u32) {
    for frame in 0..frames {
        for index in 0..4 {
            deliver(
                assembler,
                gap * (4 * frame + u32::from(index)),
                frame,
                &[index],
                4,
            );
        }
    }
    assert_eq!(numbers(assembler), (0..frames).collect::<Vec<_>>());
    assembler.report(gap * 4 * frames, 0).unwrap();
}

/// Frame 0 comes so long after frame 1: the first time that happens it is too late.
fn overtake(assembler: &mut Assembler, late: Duration) {
    deliver(assembler, ms(0), 1, &[0], 1);
    let closed = Err(Refused::Discard(Discard::Closed));
    assert_eq!(assembler.datagram(late, &datagram(GRID, 0, 0, 1)), closed);
    assembler.report(late, 0).unwrap();
    assert_eq!(numbers(assembler), [1]);
}

fn told(report: &Report) -> (u16, Vec<FrameReport>) {
    let Closed { newest, frames } = report.closed.clone().unwrap();
    (newest, frames)
}

fn some(count: u8, indices: &[u8]) -> FrameReport {
    let mut arrived = Arrivals::default();
    for &index in indices {
        arrived.insert(index);
    }
    FrameReport::of(count, arrived)
}

#[test]
fn before_gaps_are_known_patience_is_long() {
    let mut assembler = assembler();
    for (index, at) in [(0, 0), (1, 60), (2, 120)] {
        deliver(&mut assembler, ms(at), 0, &[index], 4);
        assembler.report(ms(at + 20), 0).unwrap();
    }
    assert_eq!(assembler.deadline(), Some(ms(200)));
    assembler.advance(ms(199));
    assert!(numbers(&mut assembler).is_empty());
    assembler.advance(ms(200));
    assert_eq!(numbers(&mut assembler), [0]);
    assert_eq!(assembler.deadline(), Some(ms(620)));
    assembler.advance(ms(619));
    assert!(!assembler.is_closed_below(1), "the last one may still come");
    assembler.advance(ms(620));
    assert!(assembler.is_closed_below(1));
    assert_eq!(assembler.deadline(), None);
}

#[test]
fn where_datagrams_come_close_together_little_is_waited_for() {
    let mut assembler = assembler();
    usual_gap(&mut assembler, ms(4), 8);
    deliver(&mut assembler, ms(200), 8, &[0, 1], 4);
    assert_eq!(assembler.deadline(), Some(ms(209)));
    assembler.advance(ms(209));
    let frame = assembler.next_frame().unwrap();
    assert_eq!((frame.number, frame.datagrams_received), (8, 2));
    // What comes now is still used, though the frame is not given out again.
    deliver(&mut assembler, ms(230), 8, &[2, 3], 4);
    assert!(numbers(&mut assembler).is_empty());
    let report = assembler.report(ms(230), 0).unwrap();
    assert_eq!(told(&report), (8, vec![FrameReport::All; 9]));
}

#[test]
fn silence_closes_a_frame() {
    let mut assembler = assembler();
    usual_gap(&mut assembler, ms(4), 8);
    deliver(&mut assembler, ms(200), 8, &[1], 4);
    assembler.advance(ms(699));
    assembler.report(ms(699), 0).unwrap();
    assert_eq!(assembler.deadline(), Some(ms(700)));
    assert!(!assembler.is_closed_below(9));
    assembler.advance(ms(700));
    assert!(assembler.is_closed_below(9));
    let report = assembler.report(ms(700), 3).unwrap();
    assert_eq!(told(&report).1[..2], [some(4, &[1]), FrameReport::All]);
    assert_eq!((report.backlog, report.number), (3, 2));
    // Nothing is said of time where nothing came.
    assert_eq!(report.arrivals.len(), 1);
    assert_eq!(report.echo.held, ms(500));
    let closed = Err(Refused::Discard(Discard::Closed));
    let late = datagram(GRID, 8, 0, 4);
    assert_eq!(assembler.datagram(ms(710), &late), closed);
    assert_eq!(assembler.counts().stale, 1);
    assert_eq!(assembler.deadline(), Some(ms(730)), "its time is told");
    assert_eq!(
        assembler.report(MAX_HELD * 2, 0).unwrap().echo.held,
        MAX_HELD
    );
}

#[test]
fn in_order_a_newer_frame_closes_an_older_one_at_once() {
    let mut assembler = assembler();
    deliver(&mut assembler, ms(0), 0, &[0, 2], 3);
    assert!(numbers(&mut assembler).is_empty());
    deliver(&mut assembler, ms(30), 1, &[0], 2);
    assert_eq!(numbers(&mut assembler), [0]);
    let report = assembler.report(ms(30), 0).unwrap();
    assert_eq!(told(&report), (0, vec![some(3, &[0, 2])]));
}

#[test]
fn a_frame_that_was_overtaken_is_not_lost() {
    let mut assembler = assembler();
    overtake(&mut assembler, ms(8));
    // Frame 2 is overtaken as a whole, frame 3 in part; the margin is 10 ms.
    deliver(&mut assembler, ms(100), 3, &[0, 1], 3);
    deliver(&mut assembler, ms(104), 4, &[0, 1], 2);
    assert_eq!(
        numbers(&mut assembler),
        [4],
        "a whole frame is given out at once"
    );
    assert!(!assembler.is_closed_below(3));
    let report = assembler.report(ms(104), 0).unwrap();
    assert_eq!(report.closed, None, "it is complete, not closed");
    assert_eq!(report.audit, None);
    deliver(&mut assembler, ms(109), 2, &[0], 1);
    deliver(&mut assembler, ms(111), 3, &[2], 3);
    let report = assembler.report(ms(111), 0).unwrap();
    let mut expected = vec![FrameReport::All; 4];
    expected.push(FrameReport::None);
    assert_eq!(told(&report), (4, expected));
    assert!(report.audit.is_some());
    assert!(numbers(&mut assembler).is_empty(), "numbers only rise");
    let counts = assembler.counts();
    assert_eq!((counts.frames, counts.overtaken), (4, 2));
    assert_eq!((counts.partial, counts.stale), (0, 1));
}

#[test]
fn nothing_is_waited_for_longer_than_the_margin() {
    let mut assembler = assembler();
    overtake(&mut assembler, ms(8));
    deliver(&mut assembler, ms(100), 3, &[0], 3);
    deliver(&mut assembler, ms(104), 4, &[0, 1], 2);
    assembler.report(ms(104), 0).unwrap();
    // The margin has shrunk since, a little.
    let due = assembler.deadline().unwrap();
    assert!(ms(113) < due && due <= ms(114), "{due:?}");
    assembler.advance(due);
    let report = assembler.report(due, 0).unwrap();
    let expected = [FrameReport::All, some(3, &[0]), FrameReport::None];
    assert_eq!(told(&report).1[..3], expected);
    // One that is later than that widens it.
    let closed = Err(Refused::Discard(Discard::Closed));
    let late = datagram(GRID, 2, 0, 1);
    assert_eq!(assembler.datagram(ms(124), &late), closed);
    assert_eq!(assembler.reordering.margin(), ms(30));
    // The same once more is a duplicate, whenever it comes.
    assert_eq!(assembler.datagram(ms(150), &late), closed);
    assert!(assembler.reordering.margin() <= ms(30));
}

#[test]
fn decoders_that_need_it_get_frames_in_order() {
    let mut assembler = assembler();
    assembler.give_in_order();
    overtake(&mut assembler, ms(8));
    deliver(&mut assembler, ms(100), 2, &[0, 2], 3);
    deliver(&mut assembler, ms(101), 3, &[0], 1);
    assert!(numbers(&mut assembler).is_empty());
    deliver(&mut assembler, ms(105), 2, &[1], 3);
    let given = taken(&mut assembler);
    let given: Vec<_> = given
        .iter()
        .map(|it| (it.number, it.is_complete()))
        .collect();
    assert_eq!(given, [(2, true), (3, true)]);
    deliver(&mut assembler, ms(200), 4, &[1], 2);
    assembler.report(ms(220), 0).unwrap();
    assert_eq!(
        assembler.deadline(),
        Some(ms(700)),
        "not before it is closed"
    );
    assembler.advance(ms(700));
    assert_eq!(numbers(&mut assembler), [4]);
    assert_eq!(assembler.counts().overtaken, 0);
}

#[test]
fn open_frames_are_bounded() {
    let mut assembler = assembler();
    overtake(&mut assembler, ms(500));
    for frame in 2..2 + OPEN as u32 {
        deliver(&mut assembler, ms(600), frame, &[0], 2);
    }
    assert_eq!(assembler.open.len(), OPEN);
    assert!(numbers(&mut assembler).is_empty());
    deliver(&mut assembler, ms(600), 18, &[0], 2);
    assert_eq!(assembler.open.len(), OPEN);
    assert_eq!(numbers(&mut assembler), [2], "the oldest makes room");
    deliver(&mut assembler, ms(600), 80, &[0], 2);
    assert_eq!(assembler.open.len(), 1);
    assert_eq!(assembler.closings.tell().unwrap().0, 18);
}

#[test]
fn reports_tell_what_arrived_of_closed_frames() {
    let mut assembler = assembler();
    assert_eq!(assembler.report(ms(0), 0), None);
    deliver(&mut assembler, ms(0), 3, &[1], 2);
    assert_eq!(assembler.report(ms(0), 0), None, "nothing is closed");
    deliver(&mut assembler, ms(1), 5, &[0, 1], 2);
    let report = assembler.report(ms(1), 0).unwrap();
    let expected = [
        FrameReport::All,
        FrameReport::None,
        some(2, &[1]),
        FrameReport::None,
        FrameReport::None,
        FrameReport::None,
    ];
    assert_eq!(told(&report), (5, expected.to_vec()));
    assert_eq!(assembler.report(ms(1), 0), None, "told already");
    deliver(&mut assembler, ms(2), 6, &[0], 1);
    let next = assembler.report(ms(2), 0).unwrap();
    let (audit, second) = (report.audit.unwrap(), next.audit.unwrap());
    assert_eq!((audit.tile, second.tile), (0, 1));
    let shown = |tile| assembler.intake.scene().shown(tile).unwrap().fingerprint();
    assert_eq!(second.fingerprint, shown(1));
    assert_eq!((report.number, next.number), (0, 1));
}

#[test]
fn a_report_tells_of_sixteen_frames_at_most() {
    let mut assembler = assembler();
    for frame in 0..40 {
        deliver(&mut assembler, ms(0), frame, &[0], 1);
    }
    let report = assembler.report(ms(0), 0).unwrap();
    assert_eq!(told(&report), (39, vec![FrameReport::All; OPEN]));
    let mut bytes = Vec::new();
    report.encode(&mut bytes);
    assert_eq!(Report::parse(&bytes), Ok(report));
}

#[test]
fn two_reports_in_a_row_may_get_lost() {
    let mut assembler = assembler();
    let mut known = std::collections::BTreeMap::new();
    for frame in 0..60u32 {
        // One in five is missing a datagram; reports number 3, 4, 8, 9 … get lost.
        let indices: &[u8] = if frame % 5 == 2 { &[1] } else { &[0, 1] };
        deliver(&mut assembler, ms(40 * u64::from(frame)), frame, indices, 2);
        let Some(report) = assembler.report(ms(40 * u64::from(frame)), 0) else {
            continue;
        };
        if report.number % 5 < 3 {
            let (newest, frames) = told(&report);
            for (back, of) in frames.iter().enumerate() {
                known.insert(newest as usize - back, *of);
            }
        }
    }
    let expected = |frame| match frame % 5 {
        2 => some(2, &[1]),
        _ => FrameReport::All,
    };
    assert!(known.len() > 55);
    assert!(known.iter().all(|(&frame, of)| *of == expected(frame)));
    assert!(known.keys().copied().eq(0..known.len()), "without a gap");
}

#[test]
fn one_number_that_is_wrong_does_not_stop_the_frames_that_follow() {
    let mut assembler = assembler();
    for frame in 0..200 {
        let at = ms(33 * u64::from(frame));
        if frame == 20 {
            let wrong = datagram(GRID, 20 + 8192, 0, 1);
            assert_eq!(assembler.datagram(at, &wrong), Err(Refused::Far(8212)));
        }
        let whole = datagram(GRID, frame, 0, 1);
        assembler.datagram(at, &whole).unwrap();
        assert_eq!(numbers(&mut assembler), [frame]);
    }
}

#[test]
fn the_second_datagram_after_a_jump_is_followed_however_far_it_is() {
    // The longest outage that a connection lasts through, at 1000 frames a second; a camera that was
    // away for half of that, and then as many frames were left out.
    for (first, second) in [(45_000, 45_001), (49_100, 49_140), (22_000, 22_030)] {
        let mut assembler = assembler();
        assembler.datagram(ms(0), &datagram(GRID, 0, 0, 1)).unwrap();
        assert_eq!(numbers(&mut assembler), [0]);
        let lone = datagram(GRID, first - 16_000, 0, 1);
        assert!(assembler.datagram(ms(44_000), &lone).is_err());
        let lone = datagram(GRID, first, 0, 1);
        assert!(assembler.datagram(ms(45_000), &lone).is_err());
        let agrees = datagram(GRID, second, 0, 1);
        assembler.datagram(ms(45_001), &agrees).unwrap();
        assert_eq!(numbers(&mut assembler), [first, second]);
    }
}

#[test]
fn after_a_jump_nothing_of_the_new_frames_is_missing() {
    let mut assembler = assembler();
    assembler.datagram(ms(0), &datagram(GRID, 0, 0, 1)).unwrap();
    assert_eq!(numbers(&mut assembler), [0]);
    let parts = datagrams(GRID, 900, 2);
    let first = assembler.datagram(ms(30_000), &parts[0]);
    assert_eq!(first, Err(Refused::Far(900)), "nothing agrees with it yet");
    assembler.datagram(ms(30_005), &parts[1]).unwrap();
    let frame = assembler.next_frame().unwrap();
    assert!(frame.number == 900 && frame.is_complete());
    let report = assembler.report(ms(30_005), 0).unwrap();
    let arrivals: Vec<_> = report.arrivals.iter().map(|it| (it.frame, it.at)).collect();
    assert_eq!(arrivals[1..], [(900, 30_000_000), (900, 30_005_000)]);
}
