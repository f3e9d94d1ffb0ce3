use raq_shared::packing::pack;

use super::*;

const GRID: Grid = Grid {
    columns: 12,
    rows: 8,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn datagram(frame: u32, index: u8, count: u8, codewords: u16) -> Vec<u8> {
    let frame = frame as u16;
    let header = Header {
        codewords,
        frame,
        capture_us: 0,
        send_delay: 0,
        index,
        count,
    };
    let mut bytes = header.encode().to_vec();
    let positions = Interleave::new(GRID, count).positions(index.into());
    pack(
        positions.map(|p| p as u16 % codewords),
        codewords.into(),
        &mut bytes,
    );
    bytes
}

fn assembler() -> Assembler {
    Assembler::new(GRID, 64, ms(80))
}

fn numbers(assembler: &mut Assembler) -> Vec<u32> {
    std::iter::from_fn(|| assembler.next_frame())
        .map(|frame| frame.number)
        .collect()
}

#[test]
fn the_parts_of_a_frame_must_agree() {
    let mut assembler = assembler();
    assembler.datagram(ms(0), &datagram(0, 0, 3, 16)).unwrap();
    let other = [datagram(0, 1, 3, 17), datagram(0, 1, 4, 16)];
    for other in &other {
        assert_eq!(assembler.datagram(ms(0), other), Err(Unused::Malformed));
    }
    assert_eq!(
        assembler.datagram(ms(0), &datagram(0, 0, 3, 16)),
        Err(Unused::Duplicate)
    );
    assembler.datagram(ms(0), &datagram(0, 2, 3, 16)).unwrap();
    assembler.datagram(ms(0), &datagram(0, 1, 3, 16)).unwrap();
    let frame = assembler.next_frame().unwrap();
    assert!(frame.is_complete());
    assert!(
        frame
            .indices
            .iter()
            .enumerate()
            .all(|(p, &index)| index == p as u16 % 16)
    );
}

#[test]
fn payloads_that_do_not_fit_leave_no_trace() {
    let mut assembler = assembler();
    let mut short = datagram(0, 0, 3, 16);
    short.pop();
    let mut long = datagram(0, 0, 3, 16);
    long.push(0);
    for bad in [short, long, datagram(0, 0, 3, 65), vec![0; 5]] {
        assert_eq!(assembler.datagram(ms(0), &bad), Err(Unused::Malformed));
    }
    assert_eq!(assembler.frames_seen(), 0);
    assert_eq!(assembler.deadline(), None);
    assert_eq!(assembler.counts().malformed, 4);
}

#[test]
fn open_frames_are_bounded() {
    let mut assembler = assembler();
    for frame in 0..OPEN as u32 {
        assembler
            .datagram(ms(0), &datagram(frame, 0, 2, 16))
            .unwrap();
    }
    assert!(numbers(&mut assembler).is_empty());
    assembler.datagram(ms(0), &datagram(4, 0, 2, 16)).unwrap();
    assert_eq!(
        numbers(&mut assembler),
        [0],
        "one more pushes out the oldest"
    );
    assert_eq!(
        assembler.datagram(ms(0), &datagram(0, 1, 2, 16)),
        Err(Unused::Stale)
    );
}

#[test]
fn an_older_frame_finds_no_room_among_newer_ones() {
    let mut assembler = assembler();
    for frame in 10..10 + OPEN as u32 {
        assembler
            .datagram(ms(0), &datagram(frame, 0, 2, 16))
            .unwrap();
    }
    assert_eq!(
        assembler.datagram(ms(0), &datagram(3, 0, 2, 16)),
        Err(Unused::Stale)
    );
}

#[test]
fn frames_nobody_takes_are_given_up_from_the_oldest() {
    let mut assembler = assembler();
    for frame in 0..20 {
        assembler
            .datagram(ms(0), &datagram(frame, 0, 1, 16))
            .unwrap();
    }
    let kept = numbers(&mut assembler);
    assert_eq!(kept, (20 - WAITING as u32..20).collect::<Vec<_>>());
    assert_eq!(assembler.counts().overrun, 20 - WAITING as u32);
}

#[test]
fn patience_ends_with_the_clock() {
    let mut assembler = assembler();
    assembler.datagram(ms(5), &datagram(0, 0, 2, 16)).unwrap();
    assert_eq!(assembler.deadline(), Some(ms(85)));
    assembler.advance(ms(84));
    assert!(numbers(&mut assembler).is_empty());
    assembler.advance(ms(85));
    assert_eq!(numbers(&mut assembler), [0]);
    assert!(assembler.is_closed_below(1));
}

#[test]
fn buffers_are_used_again() {
    let mut assembler = assembler();
    assembler.datagram(ms(0), &datagram(0, 0, 1, 16)).unwrap();
    let frame = assembler.next_frame().unwrap();
    let buffer = frame.indices.as_ptr();
    assembler.recycle(frame);
    assembler.datagram(ms(1), &datagram(1, 0, 2, 16)).unwrap();
    assembler.flush();
    let frame = assembler.next_frame().unwrap();
    assert_eq!(frame.indices.as_ptr(), buffer);
    let missing = frame
        .indices
        .iter()
        .filter(|&&index| index == MISSING)
        .count();
    assert_eq!(
        missing,
        Interleave::new(GRID, 2).len(1),
        "nothing of the old frame is left"
    );
}
