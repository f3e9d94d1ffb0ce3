use std::time::Duration;

use raq_shared::codebook::Codebook;
use raq_shared::frame::Grid;
use raq_shared::wire::datagram::Header;

use super::*;
use crate::assembly::Assembler;

fn frame(number: u16) -> ReceivedFrame {
    let grid = Grid {
        columns: 1,
        rows: 1,
    };
    let mut assembler = Assembler::new(grid, 1, Duration::ZERO);
    let header = Header {
        codewords: 1,
        frame: number,
        capture_us: 0,
        send_delay: 0,
        index: 0,
        count: 1,
    };
    assembler
        .datagram(Duration::ZERO, &header.encode())
        .unwrap();
    assembler.next_frame().unwrap()
}

fn order(jobs: &Jobs) -> Vec<i64> {
    jobs.close();
    std::iter::from_fn(|| jobs.next())
        .map(|job| match job {
            Job::Frame(frame) => i64::from(frame.number),
            Job::Drain { .. } => -1,
            _ => -2,
        })
        .collect()
}

#[test]
fn the_oldest_frame_gives_way_and_nothing_else_does() {
    let jobs = Jobs::new(2);
    let codebook = Codebook::new(1, vec![0]).unwrap();
    let codebooks = Arc::new(codebook.into());
    assert!(jobs.push(Job::Codebooks(codebooks)).is_none());
    assert!(jobs.push(Job::Frame(frame(0))).is_none());
    assert!(jobs.push(Job::Frame(frame(1))).is_none());
    assert_eq!(jobs.push(Job::Frame(frame(2))).unwrap().number, 0);
    assert_eq!(jobs.push(Job::Frame(frame(3))).unwrap().number, 1);
    assert!(jobs.push(Job::Drain { frames_sent: 4 }).is_none());
    assert_eq!(order(&jobs), [-2, 2, 3, -1]);
}

#[test]
fn room_comes_back_as_frames_are_taken() {
    let jobs = Jobs::new(1);
    for number in 0..5 {
        assert!(jobs.push(Job::Frame(frame(number))).is_none());
        assert!(matches!(jobs.next(), Some(Job::Frame(_))));
    }
    assert!(order(&jobs).is_empty());
}
