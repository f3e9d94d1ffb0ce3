use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn rate(kilobits: u64) -> Option<Bitrate> {
    Some(Bitrate::from_kilobits_per_second(kilobits))
}

fn frame(number: u32, captured: u64, deadline: u64) -> Frame {
    Frame {
        number,
        captured: at(captured),
        deadline: at(deadline),
    }
}

/// Datagrams of these lengths; the first byte of each is its place.
fn datagrams(lengths: &[usize]) -> Vec<BytesMut> {
    let each = lengths.iter().enumerate();
    each.map(|(place, &length)| {
        let mut bytes = BytesMut::zeroed(length);
        bytes[0] = place as u8;
        bytes
    })
    .collect()
}

/// A pacer with these frames.
fn pacer(frames: &[(Frame, &[usize])]) -> Pacer {
    let mut pacer = Pacer::default();
    for (frame, lengths) in frames {
        pacer.push(*frame, &mut datagrams(lengths));
    }
    pacer
}

/// All that leaves when the pacer is asked at the times it names, rounded up to whole `timer`s.
fn run(pacer: &mut Pacer, rate: Option<Bitrate>, timer: Duration) -> Vec<(Duration, Departure)> {
    let mut gone = Vec::new();
    let mut now = Duration::ZERO;
    while let Some(wake) = pacer.wake(rate) {
        let ticks = wake.as_nanos().div_ceil(timer.as_nanos());
        now = now.max(timer * ticks as u32);
        while pacer.expire(now).is_some() {}
        let all = std::iter::from_fn(|| pacer.pop(now, rate));
        gone.extend(all.map(|departure| (now, departure)));
    }
    gone
}

const MICROSECOND: Duration = Duration::from_micros(1);

#[test]
fn each_datagram_takes_its_time() {
    // 61 and 64 bytes take 1 ms at 1 Mbit/s, 186 and 64 bytes 2 ms.
    let mut pacer = pacer(&[(frame(7, 0, 90), &[61, 186, 61]), (frame(8, 0, 90), &[61])]);
    assert_eq!((pacer.bytes(), pacer.age(at(3))), (369, Some(at(3))));
    let gone = run(&mut pacer, rate(1000), MICROSECOND);
    let gone = gone.iter().map(|(time, departure)| {
        let &Departure {
            frame, index, last, ..
        } = departure;
        (time.as_millis(), frame, index, last)
    });
    let expected = [
        (0, 7, 0, false),
        (1, 7, 1, false),
        (3, 7, 2, true),
        (4, 8, 0, true),
    ];
    assert!(gone.eq(expected));
    assert!(pacer.is_empty());
    assert_eq!((pacer.bytes(), pacer.age(at(9))), (0, None));
    assert_eq!(pacer.wake(rate(1000)), None);
}

#[test]
fn a_frame_that_comes_soon_waits_for_the_one_before_and_a_pause_earns_nothing() {
    let mut pacer = pacer(&[(frame(0, 0, 90), &[61])]);
    assert!(pacer.pop(at(10), rate(1000)).is_some());
    pacer.push(frame(1, 10, 90), &mut datagrams(&[61, 61]));
    assert_eq!(pacer.wake(rate(1000)), Some(at(11)));
    assert_eq!(pacer.pop(at(10), rate(1000)), None);
    assert!(pacer.pop(at(50), rate(1000)).is_some(), "late by itself");
    assert!(pacer.pop(at(50), rate(1000)).is_none());
    assert_eq!(pacer.wake(rate(1000)), Some(at(51)));
}

#[test]
fn a_new_rate_counts_at_once() {
    let mut pacer = pacer(&[(frame(0, 0, 9000), &[61, 61, 61])]);
    assert!(pacer.pop(at(0), rate(1)).is_some());
    assert_eq!(pacer.wake(rate(1)), Some(at(1000)));
    assert_eq!(pacer.wake(rate(100)), Some(at(10)));
    assert_eq!(pacer.pop(at(9), rate(100)), None);
    assert!(pacer.pop(at(10), rate(100)).is_some());
    assert!(pacer.pop(at(10), None).is_some(), "at once");
}

#[test]
fn no_rate_at_all_still_lets_something_go() {
    let mut pacer = pacer(&[(frame(0, 0, 9000), &[61, 61])]);
    let gone = run(&mut pacer, rate(0), MICROSECOND);
    assert_eq!(gone.iter().map(|it| it.0).max(), Some(LONGEST));
}

#[test]
fn datagrams_say_how_old_they_are_when_they_leave() {
    let mut pacer = pacer(&[(frame(0, 40, 60_000), &[61, 61, 61, 5])]);
    let delays = [45, 46, 50_000].map(|millis| {
        let left = pacer.pop(at(millis), rate(1000)).unwrap().bytes;
        u16::from_be_bytes([left[7], left[8]])
    });
    assert_eq!(delays, [50, 60, u16::MAX]);
    let short = pacer.pop(at(50_001), rate(1000)).unwrap();
    assert_eq!(short.bytes[..], [3, 0, 0, 0, 0], "no header to stamp");
}

#[test]
fn what_is_too_old_is_dropped_and_says_how_far_it_came() {
    let frames = [(frame(0, 0, 2), &[61; 5][..]), (frame(1, 0, 50), &[61; 2])];
    let mut pacer = pacer(&frames);
    assert!(pacer.pop(at(0), rate(1000)).is_some());
    assert!(pacer.pop(at(1), rate(1000)).is_some());
    assert_eq!(pacer.expire(at(1)), None);
    let dropped = Dropped {
        frame: 0,
        left: 2,
        dropped: 3,
    };
    assert_eq!(pacer.expire(at(2)), Some(dropped));
    assert_eq!(pacer.expire(at(2)), None);
    assert_eq!(pacer.bytes(), 122);
    let next = pacer.pop(at(2), rate(1000)).unwrap();
    assert_eq!((next.frame, next.index), (1, 0));
    let cleared = Dropped {
        frame: 1,
        left: 1,
        dropped: 1,
    };
    assert_eq!(pacer.clear(), Some(cleared));
    assert_eq!((pacer.clear(), pacer.bytes()), (None, 0));
}

#[test]
fn a_deadline_is_waited_for_where_the_rate_is_too_low() {
    let mut pacer = pacer(&[(frame(0, 0, 100), &[1150; 4])]);
    assert!(pacer.pop(at(0), rate(1)).is_some());
    assert_eq!(pacer.wake(rate(1)), Some(at(100)));
    assert!(pacer.expire(at(100)).is_some());
    assert_eq!(pacer.wake(rate(1)), None);
}

#[test]
fn coarse_timers_keep_the_rate_in_the_mean() {
    let (length, count) = (1150, 200);
    let timers = [(1000, 1), (1000, 2), (5000, 2), (20_000, 1), (100_000, 2)];
    for (kilobits, timer) in timers {
        let mut pacer = pacer(&[(frame(0, 0, 60_000), &vec![length; count])]);
        let gone = run(&mut pacer, rate(kilobits), at(timer));
        assert_eq!(gone.len(), count);
        let bits = 8 * (count - 1) * (length + PATH_OVERHEAD);
        let should = bits as f64 / (1000 * kilobits) as f64;
        let took = gone.last().unwrap().0.as_secs_f64();
        assert!(
            (should..should + 0.002).contains(&took),
            "{kilobits} kbit/s: {took} s instead of {should}"
        );
    }
}

#[test]
fn what_is_later_than_timers_are_is_not_caught_up() {
    let mut pacer = pacer(&[(frame(0, 0, 60_000), &[1150; 200])]);
    let fast = rate(8 * (1150 + 64));
    assert!(pacer.pop(at(0), fast).is_some());
    let burst = std::iter::from_fn(|| pacer.pop(at(100), fast)).count();
    assert_eq!(
        burst, 3,
        "one, and one for each of the last two milliseconds"
    );
}

/// Frames as they might come: a pause before each, how long it may wait, its datagrams.
fn frames() -> impl Strategy<Value = Vec<(u64, u64, Vec<usize>)>> {
    let lengths = prop::collection::vec(1usize..1151, 0..9);
    prop::collection::vec((0u64..70_000, 0u64..200_000, lengths), 1..20)
}

proptest! {
    #[test]
    fn datagrams_leave_in_order_in_time_and_no_faster_than_they_may(
        frames in frames(),
        kilobits in 10u64..50_000,
        timer in 1u32..1000,
    ) {
        let rate = rate(kilobits);
        let micros = Duration::from_micros;
        let mut pacer = Pacer::default();
        let mut deadlines = Vec::new();
        let mut sent: Vec<Vec<Departure>> = vec![Vec::new(); frames.len()];
        let mut dropped = vec![0; frames.len()];
        let mut times = Vec::new();
        let mut next = frames.iter().enumerate();
        let mut coming = next.next().map(|it| (micros(it.1.0), it));
        let mut now;
        while let Some(time) = [pacer.wake(rate), coming.map(|it| it.0)].into_iter().flatten().min() {
            let ticks = time.as_nanos().div_ceil(u128::from(timer) * 1000);
            now = micros(u64::from(timer) * ticks as u64).max(times.last().map_or(time, |it: &(Duration, f64)| it.0));
            if let Some((due, (number, (_, wait, lengths)))) = coming && due <= now {
                deadlines.push(now + micros(*wait));
                let frame = Frame { number: number as u32, captured: due, deadline: now + micros(*wait) };
                pacer.push(frame, &mut datagrams(lengths));
                coming = next.next().map(|it| (now + micros(it.1.0), it));
            }
            loop {
                while let Some(gone) = pacer.expire(now) {
                    prop_assert!(gone.dropped > 0);
                    prop_assert_eq!(usize::from(gone.left), sent[gone.frame as usize].len());
                    dropped[gone.frame as usize] = usize::from(gone.dropped);
                }
                let Some(gone) = pacer.pop(now, rate) else { break };
                let number = gone.frame as usize;
                prop_assert!(now < deadlines[number]);
                prop_assert_eq!(gone.bytes[0], gone.index);
                prop_assert!(sent[number + 1..].iter().all(Vec::is_empty), "in order");
                times.push((now, 8.0 * (gone.bytes.len() + PATH_OVERHEAD) as f64));
                sent[number].push(gone);
            }
            prop_assert!(pacer.wake(rate).is_none_or(|wake| wake > now), "it waits for what will be");
        }
        for (number, (_, _, lengths)) in frames.iter().enumerate() {
            let all = sent[number].len();
            prop_assert_eq!(all + dropped[number], lengths.len());
            for (place, gone) in sent[number].iter().enumerate() {
                prop_assert_eq!(usize::from(gone.index), place);
                prop_assert_eq!(gone.last, place + 1 == lengths.len());
                prop_assert_eq!(gone.bytes.len(), lengths[place]);
            }
        }
        prop_assert_eq!(pacer.bytes(), 0);
        for first in 0..times.len() {
            let mut bits = 0.0;
            for last in first + 1..times.len() {
                bits += times[last - 1].1;
                let time = times[last].0 - times[first].0 + CATCH_UP + MICROSECOND;
                prop_assert!(bits <= time.as_secs_f64() * 1000.0 * kilobits as f64);
            }
        }
    }

    #[test]
    fn little_waits_whatever_comes(lengths in prop::collection::vec((1usize..256, 1usize..1500), 1..200)) {
        let mut pacer = Pacer::default();
        let (mut came, mut gone) = (0, 0);
        for (number, &(count, length)) in lengths.iter().enumerate() {
            pacer.push(frame(number as u32, 0, 1000), &mut datagrams(&vec![length; count]));
            came += count;
            while let Some(dropped) = pacer.expire(at(0)) {
                gone += usize::from(dropped.dropped);
            }
            prop_assert!(pacer.frames.len() <= MAX_FRAMES && pacer.bytes() <= MAX_BYTES);
            prop_assert_eq!(pacer.datagrams.len(), came - gone);
        }
        prop_assert!(!pacer.is_empty(), "the newest stays");
    }
}
