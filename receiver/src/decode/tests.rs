use super::*;

fn frame(number: u32) -> ReceivedFrame {
    ReceivedFrame {
        number,
        level: 0,
        codewords: Default::default(),
        capture: 0,
        datagrams_received: 1,
        datagrams_expected: 1,
        concealed_tiles: 0,
        updated_tiles: 0,
        latents: Vec::new(),
        depths: Vec::new(),
    }
}

fn order(jobs: &Jobs) -> Vec<i64> {
    jobs.close();
    std::iter::from_fn(|| jobs.next())
        .map(|job| match job {
            Job::Frame(frame) => i64::from(frame.number),
            Job::Drain { .. } => -1,
            Job::Prepare(_) => -2,
        })
        .collect()
}

#[test]
fn the_oldest_frame_gives_way_and_nothing_else_does() {
    let jobs = Jobs::new(2);
    assert!(jobs.push(Job::Drain { frames_sent: 0 }).is_none());
    assert!(jobs.push(Job::Frame(frame(0))).is_none());
    assert!(jobs.push(Job::Frame(frame(1))).is_none());
    assert_eq!(jobs.push(Job::Frame(frame(2))).unwrap().number, 0);
    assert_eq!(jobs.push(Job::Frame(frame(3))).unwrap().number, 1);
    assert!(jobs.push(Job::Drain { frames_sent: 4 }).is_none());
    assert_eq!(order(&jobs), [-1, 2, 3, -1]);
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
