use super::*;
use crate::sample::parity;

const COUNT: u8 = 3;

/// A frame with two datagrams of parity, those of updates first.
fn protected(frame: u32) -> Vec<Vec<u8>> {
    let mut all = datagrams(GRID, frame, COUNT);
    let made = parity(frame, &all, 2);
    all.extend(made);
    all
}

/// An assembler that has seen a whole frame 0 with parity, and told of it.
fn acquainted() -> Assembler {
    let mut assembler = assembler();
    for part in protected(0) {
        assembler.datagram(ms(0), &part).unwrap();
    }
    assert_eq!(numbers(&mut assembler), [0]);
    assert!(assembler.report(ms(0), 0).is_some());
    assembler
}

fn told(assembler: &mut Assembler, now: Duration) -> (Option<FrameReport>, Vec<u8>) {
    let report = assembler.report(now, 0).unwrap();
    let frame = report.closed.map(|closed| closed.frames[0]);
    let news = report.arrivals.iter().filter(|it| it.frame == 1);
    (frame, news.map(|it| it.index).collect())
}

#[test]
fn as_many_as_were_lost_are_made_again_from_parity() {
    for arriving in [[0, 1, 3], [2, 3, 4], [4, 3, 1], [3, 0, 4]] {
        let mut assembler = acquainted();
        let parts = protected(1);
        for place in arriving {
            assert!(numbers(&mut assembler).is_empty());
            assembler.datagram(ms(40), &parts[place]).unwrap();
        }
        let frame = assembler.next_frame().unwrap();
        assert!(frame.is_complete());
        assert_eq!(check(GRID, &frame), GRID.tiles(), "{arriving:?}");
        // The sender's mirror takes them for arrived, its estimate only what has.
        let (closed, news) = told(&mut assembler, ms(40));
        assert_eq!(closed, Some(FrameReport::All));
        assert_eq!(news, arriving.map(|place| place as u8));
        let lost = arriving.iter().filter(|&&place| place >= COUNT.into());
        assert_eq!(assembler.counts().restored, lost.count() as u64);
        assert_eq!(assembler.counts().partial, 0);
    }
}

#[test]
fn too_few_make_nothing() {
    let mut assembler = acquainted();
    let parts = protected(1);
    for place in [1, 3] {
        assembler.datagram(ms(40), &parts[place]).unwrap();
    }
    assembler
        .datagram(ms(73), &datagram(GRID, 2, 0, 1))
        .unwrap();
    let (closed, _) = told(&mut assembler, ms(73));
    assert_eq!(closed, Some(FrameReport::All), "frame 2");
    assert_eq!(assembler.counts().restored, 0);
    assert_eq!(assembler.counts().partial, 1);
    // What comes too late is of no use, but an arrival.
    assembler.datagram(ms(74), &parts[4]).unwrap();
    assert_eq!(told(&mut assembler, ms(94)), (None, vec![1, 3, 4]));
}

#[test]
fn what_was_lost_may_still_come() {
    let mut assembler = acquainted();
    let parts = protected(1);
    for place in [0, 1, 3] {
        assembler.datagram(ms(40), &parts[place]).unwrap();
    }
    assert_eq!(assembler.counts().restored, 1);
    assert_eq!(numbers(&mut assembler), [1]);
    let late = assembler.datagram(ms(41), &parts[2]);
    assert!(matches!(late, Err(Refused::Discard(_))), "{late:?}");
    assembler.datagram(ms(42), &parts[4]).unwrap();
    assert_eq!(told(&mut assembler, ms(62)).1, [0, 1, 3, 2, 4]);
    assert_eq!(assembler.counts().malformed, 0);
}

#[test]
fn forged_parity_changes_nothing_but_its_frame() {
    let mut assembler = acquainted();
    let parts = protected(1);
    let mut forged = parts[3].clone();
    for byte in &mut forged[20..] {
        *byte ^= 0x5a;
    }
    for part in [&forged, &parts[0], &parts[1]] {
        assembler.datagram(ms(40), part).unwrap();
    }
    // The right one disagrees in nothing that can be seen, but nothing is made twice.
    assembler.datagram(ms(41), &parts[4]).unwrap();
    for part in protected(2) {
        assembler.datagram(ms(73), &part).unwrap();
    }
    let frame = taken(&mut assembler).pop().unwrap();
    assert_eq!((frame.number, frame.is_complete()), (2, true));
    assert_eq!(check(GRID, &frame), GRID.tiles());
}

#[test]
fn parity_of_another_number_of_datagrams_makes_nothing() {
    let mut assembler = acquainted();
    let others = parity(1, &datagrams(GRID, 1, 2), 2);
    let parts = protected(1);
    for part in [&others[0], &parts[0], &others[1], &parts[3], &parts[4]] {
        assembler.datagram(ms(40), part).unwrap();
    }
    assert_eq!(assembler.open[0].count, COUNT);
    assert!(!assembler.open[0].is_complete());
}

#[test]
fn what_is_kept_is_bounded() {
    let mut assembler = acquainted();
    let header = |frame: u16, index| ParityHeader {
        frame,
        capture: 0,
        send_delay: 0,
        index,
        count: 200,
        parity: 55,
    };
    for frame in 1..=60 {
        for index in 0..55 {
            let forged = [&header(frame, index).encode()[..], &[7; 2048]].concat();
            assembler.datagram(ms(50), &forged).unwrap();
        }
    }
    assert!(
        assembler.kept.bytes() <= 1 << 20,
        "{}",
        assembler.kept.bytes()
    );
    let whole = datagram(GRID, 61, 0, 1);
    assembler.datagram(ms(60), &whole).unwrap();
    assert_eq!(numbers(&mut assembler), [61]);
    assert_eq!(assembler.kept.bytes(), 0, "all are closed");
}
