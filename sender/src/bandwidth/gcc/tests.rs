use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::bandwidth::{Estimator, EstimatorName};

const INTERVAL: Duration = Duration::from_nanos(33_333_333);
/// Each way.
const DELAY: Duration = Duration::from_millis(25);
/// What waits longer has no room.
const LONGEST_QUEUE: Duration = Duration::from_millis(300);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A path: a queue before a link, and frames that are cut into datagrams of up to 1000 bytes and leave
/// as the estimator has it.
struct Path {
    estimator: Estimator,
    /// When the link has carried what was put on it.
    free: Duration,
    frame: u32,
    /// What is to be told, and when it is.
    told: VecDeque<(Duration, Arrival, Duration)>,
    longest_queue: Duration,
}

impl Path {
    /// Its estimate is to stay within these, kbit/s.
    fn new(bounds: [Option<u64>; 2]) -> Self {
        let bounds = bounds.map(|it| it.map(Bitrate::from_kilobits_per_second));
        Self {
            estimator: Estimator::new(EstimatorName::Gcc, Duration::ZERO, bounds),
            free: Duration::ZERO,
            frame: 0,
            told: VecDeque::new(),
            longest_queue: Duration::ZERO,
        }
    }

    fn kilobits(&self) -> f64 {
        self.estimator.estimate().kilobits_per_second()
    }

    /// Sends for so many seconds over a link of this rate; none where it is 0.
    fn run(&mut self, seconds: u64, kilobits: u64) {
        self.longest_queue = Duration::ZERO;
        let frames = seconds * 30;
        for _ in 0..frames {
            self.frame += 1;
            let now = self.frame * INTERVAL;
            self.hear(now);
            self.estimator.beat(now);
            let standing = self.estimator.standing(now, INTERVAL, 0);
            if standing.room > 0 && standing.silence < ms(500) {
                let rate = standing.rate.bits_per_second() as f64 / 8.0;
                self.send(now, (rate * INTERVAL.as_secs_f64()) as u32, kilobits);
            }
        }
    }

    fn send(&mut self, now: Duration, bytes: u32, kilobits: u64) {
        let count = bytes.div_ceil(1000).max(1);
        let pace = self.estimator.pace().bits_per_second() as f64 / 8.0;
        for index in 0..count {
            let size = bytes / count;
            let at = now + Duration::from_secs_f64(f64::from(index * size) / pace);
            self.estimator.sent(Datagram {
                frame: self.frame,
                index: index as u8,
                bytes: size,
                at,
            });
            let queue = self.free.saturating_sub(at);
            if kilobits == 0 || queue > LONGEST_QUEUE {
                continue;
            }
            self.longest_queue = self.longest_queue.max(queue);
            let takes = Duration::from_secs_f64(f64::from(size) / (kilobits as f64 * 125.0));
            self.free = self.free.max(at) + takes;
            let arrival = Arrival {
                frame: self.frame,
                index: index as u8,
                at: (self.free + DELAY).as_micros() as u32,
            };
            self.told.push_back((self.free + 2 * DELAY, arrival, at));
        }
    }

    /// A report for every frame time.
    fn hear(&mut self, now: Duration) {
        let come = self.told.iter().take_while(|told| told.0 <= now).count();
        let told: Vec<_> = self.told.drain(..come).collect();
        if let Some(&(_, _, passed)) = told.last() {
            let arrivals = told.into_iter().map(|(_, arrival, _)| arrival);
            self.estimator.heard(now, arrivals, passed);
        }
    }
}

#[test]
fn it_finds_the_rate_of_the_path_and_follows_it_down() {
    let mut path = Path::new([None, None]);
    assert_eq!(path.kilobits(), 300.0);
    path.run(25, 1000);
    let found = path.kilobits();
    assert!((750.0..1100.0).contains(&found), "{found}");
    path.run(5, 500);
    let followed = path.kilobits();
    assert!((300.0..520.0).contains(&followed), "{followed}");
    path.run(10, 500);
    assert!(path.longest_queue < ms(200), "{:?}", path.longest_queue);
    assert!(path.estimator.queue() < ms(200));
    let round_trip = path.estimator.round_trip();
    assert!((ms(50)..ms(120)).contains(&round_trip), "{round_trip:?}");
}

#[test]
fn it_stays_within_its_bounds() {
    let mut path = Path::new([None, Some(400)]);
    path.run(20, 5000);
    let most = path.kilobits();
    assert!((380.0..=400.0).contains(&most), "{most}");
    path.run(20, 20);
    let least = path.kilobits();
    assert!((30.0..60.0).contains(&least), "{least}");
    let mut path = Path::new([Some(200), None]);
    path.run(20, 20);
    assert_eq!(path.kilobits(), 200.0);
}

#[test]
fn an_outage_is_seen_and_ends() {
    let mut path = Path::new([None, None]);
    path.run(10, 1000);
    path.run(2, 0);
    let now = path.frame * INTERVAL;
    let silence = path.estimator.standing(now, INTERVAL, 0).silence;
    assert!((ms(1800)..ms(2100)).contains(&silence), "{silence:?}");
    assert!(path.estimator.beat(now + ms(100)), "it knocks");
    let back = path.estimator.heard(now, std::iter::empty(), now);
    assert!(back, "the answer ends it");
    path.run(20, 1000);
    assert!(path.kilobits() > 500.0, "{}", path.kilobits());
    let losses = path.estimator.losses().share();
    assert!(losses < 0.1, "{losses}");
}

#[test]
fn frames_are_skipped_while_too_much_is_on_its_way() {
    let mut path = Path::new([None, None]);
    path.run(5, 1000);
    // Nothing is told any more, and nobody has noticed.
    let Estimator::Gcc(gcc) = &mut path.estimator else {
        panic!()
    };
    let frames: Vec<_> = (0..100)
        .map(|n| {
            gcc.sent(Datagram {
                frame: 1000 + n,
                index: 0,
                bytes: 2000,
                at: ms(5000 + 10 * u64::from(n)),
            });
            gcc.frame()
        })
        .collect();
    assert!(frames[0].is_some());
    let skipped = frames.iter().filter(|frame| frame.is_none()).count();
    assert!((20..=50).contains(&skipped), "{skipped}");
}

proptest! {
    #[test]
    fn any_reports_are_taken(
        steps in prop::collection::vec(
            (0u64..2_000_000, 0u32..40, any::<u8>(), any::<u32>(), any::<u32>(), any::<bool>()),
            1..300,
        ),
    ) {
        let mut gcc = Gcc::new(Duration::ZERO, [None; 2]);
        let mut now = Duration::ZERO;
        for (frame, (step, back, index, at, further, small)) in (0..).zip(steps) {
            now += Duration::from_micros(step);
            for index in 0..3 {
                gcc.sent(Datagram { frame, index, bytes: u32::from(at as u16), at: now });
            }
            let at = if small { now.as_micros() as u32 } else { at };
            let arrivals = [
                (frame.saturating_sub(back), index % 4, at),
                (frame, 0, at.wrapping_add(further)),
                (frame, 2, further),
                (frame, 1, at),
                (u32::MAX - back, index, further),
            ];
            let arrivals = arrivals.map(|(frame, index, at)| Arrival { frame, index, at });
            gcc.heard(now, arrivals.into_iter(), Duration::from_micros(further.into()));
            gcc.beat(now);
            gcc.silence(now);
            if let Some(rate) = gcc.frame() {
                prop_assert!(rate <= gcc.estimate());
            }
            prop_assert!(gcc.estimate() >= LEAST, "{:?}", gcc.estimate());
        }
    }
}
