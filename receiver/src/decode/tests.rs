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
            Job::Frame { frame, .. } => i64::from(frame.number),
            Job::Drain { .. } => -1,
            Job::Prepare(_) => -2,
        })
        .collect()
}

fn jobs(frames: usize, time: Duration) -> Jobs {
    Jobs::new(Limit { frames, time })
}

/// Adds a frame; numbers of those that give way to it.
fn push(jobs: &Jobs, number: u32) -> Vec<u32> {
    jobs.push(Job::Frame {
        frame: frame(number),
        arrived_unix_us: 0,
    });
    let gone = std::iter::from_fn(|| jobs.overrun());
    gone.map(|frame| frame.number).collect()
}

#[test]
fn the_oldest_frame_gives_way_and_nothing_else_does() {
    let jobs = jobs(2, Duration::MAX);
    jobs.push(Job::Drain { frames_sent: 0 });
    let gone = [0, 1, 2, 3].map(|number| push(&jobs, number));
    assert_eq!(gone, [vec![], vec![], vec![0], vec![1]]);
    jobs.push(Job::Drain { frames_sent: 4 });
    assert_eq!(order(&jobs), [-1, 2, 3, -1]);
}

#[test]
fn room_comes_back_as_frames_are_taken() {
    let jobs = jobs(1, Duration::MAX);
    for number in 0..5 {
        assert!(push(&jobs, number).is_empty());
        assert!(matches!(jobs.next(), Some(Job::Frame { .. })));
    }
    assert!(order(&jobs).is_empty());
}

#[test]
fn a_slow_decoder_gets_the_newest_frame_only() {
    let jobs = jobs(3, Duration::from_millis(100));
    // Nothing is known of it.
    assert!(
        [0, 1, 2]
            .iter()
            .all(|&number| push(&jobs, number).is_empty())
    );
    for _ in 0..20 {
        jobs.took(Duration::from_millis(45));
    }
    assert_eq!(push(&jobs, 3), [0, 1]);
    for _ in 0..20 {
        jobs.took(Duration::from_millis(200));
    }
    assert_eq!(push(&jobs, 4), [2, 3]);
    assert_eq!(push(&jobs, 5), [4]);
    assert_eq!(order(&jobs), [5]);
}

#[test]
fn without_a_latency_only_the_newest_waits() {
    let jobs = jobs(3, Duration::ZERO);
    jobs.took(Duration::from_millis(1));
    assert!(push(&jobs, 0).is_empty());
    assert_eq!(push(&jobs, 1), [0]);
}
