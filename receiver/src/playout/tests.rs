use proptest::prelude::*;

use super::*;

const LATENCY: Duration = Duration::from_millis(100);
const HOUR: f64 = 3600.0;

/// Frames at 30 a second over a path that is told in milliseconds, with the viewer's eye on what
/// came of them.
struct Viewing {
    playout: Playout<()>,
    number: u32,
    seen: Vec<Seen>,
}

/// A frame that was on the screen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    number: u32,
    captured_ms: f64,
    wait_ms: f64,
    at_ms: f64,
}

impl Viewing {
    fn new(latency: Duration) -> Self {
        Self {
            playout: Playout::new(latency),
            number: 0,
            seen: Vec::new(),
        }
    }

    /// Shows what is due before `until`, in milliseconds.
    fn show(&mut self, until: f64) {
        while let Some(wake) = self.playout.wake().filter(|&it| millis(it) < until) {
            while let Some(due) = self.playout.next(wake) {
                let wait_ms = millis(due.wait);
                assert!(wait_ms <= 100.0, "{due:?}");
                let newest = self.seen.last().map_or(-1, |it| it.number.into());
                if due.shown {
                    assert!(i64::from(due.number) > newest, "{due:?} after {newest}");
                    self.seen.push(Seen {
                        number: due.number,
                        captured_ms: 0.0,
                        wait_ms,
                        at_ms: millis(wake),
                    });
                }
            }
            assert!(self.playout.waiting.len() < MOST);
        }
    }

    /// `seconds` of frames, the first captured at `start`; `path` gives a frame's delay and the
    /// sender's clock at capture, in milliseconds, from its number here and its time.
    fn run(&mut self, start: f64, seconds: f64, path: impl Fn(u32, f64) -> (f64, f64)) -> &[Seen] {
        let first = self.seen.len();
        let count = (seconds * 30.0) as u32;
        let mut captured: Vec<f64> = Vec::new();
        let mut ready = start;
        let begun = self.number;
        for frame in 0..count {
            let at = start + f64::from(frame) * 1000.0 / 30.0;
            let (delay, clock) = path(frame, at);
            captured.push(at);
            // Frames are given out in order.
            ready = (at + delay).max(ready);
            self.show(ready);
            let now = Duration::from_secs_f64(ready / 1000.0);
            let capture = ((clock * 10.0) as i64 as u32) & 0xff_ffff;
            let none = self.playout.ready(Ready {
                number: self.number,
                capture,
                at: now,
                picture: (),
            });
            assert_eq!(none, None);
            self.show(ready + 0.001);
            self.number += 1;
        }
        self.show(f64::INFINITY);
        for seen in &mut self.seen[first..] {
            seen.captured_ms = captured[(seen.number - begun) as usize];
        }
        &self.seen[first..]
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// From -1 to 1, evenly spread, the same for the same number.
fn noise(number: u32) -> f64 {
    let mixed = (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 33) as f64 / f64::from(1u32 << 30)) - 1.0
}

fn longest_wait(seen: &[Seen]) -> f64 {
    seen.iter().map(|it| it.wait_ms).fold(0.0, f64::max)
}

/// The share of frames that followed the one before within 5 ms of the interval.
fn even(seen: &[Seen]) -> f64 {
    let gaps = seen.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms);
    let even = gaps.filter(|gap| (gap - 1000.0 / 30.0).abs() < 5.0);
    even.count() as f64 / (seen.len() - 1) as f64
}

fn mean_delay(seen: &[Seen]) -> f64 {
    let sum: f64 = seen.iter().map(|it| it.at_ms - it.captured_ms).sum();
    sum / seen.len() as f64
}

#[test]
fn a_steady_link_makes_nothing_wait() {
    let mut viewing = Viewing::new(LATENCY);
    let seen = viewing.run(5000.0, 60.0, |frame, at| (40.0 + noise(frame), at));
    assert_eq!(seen.len(), 1800);
    assert!(longest_wait(seen) <= 2.0, "{}", longest_wait(seen));
    assert_eq!(viewing.playout.counts().late, 0);
    assert_eq!(viewing.playout.counts().superseded, 0);
}

#[test]
fn jitter_is_evened_out_by_as_much_as_it_takes() {
    let path = |frame, at| (80.0 + 30.0 * noise(frame), at);
    let mut off = Viewing::new(Duration::ZERO);
    let before = even(off.run(0.0, 30.0, path));
    assert_eq!(longest_wait(&off.seen), 0.0);
    let mut viewing = Viewing::new(LATENCY);
    viewing.run(0.0, 4.0, path);
    let seen = viewing.run(4000.0, 30.0, path);
    assert!(before < 0.4 && even(seen) > 0.85, "{before} {}", even(seen));
    // The worst of the network is 110 ms after the capture.
    assert!(
        (100.0..110.5).contains(&mean_delay(seen)),
        "{}",
        mean_delay(seen)
    );
    let late = viewing.playout.counts().late;
    assert!(late < 30, "{late} of 1020");
    // The allowance shrinks once the network is steady again.
    let seen = viewing.run(40_000.0, 20.0, |_, at| (60.0, at));
    assert!(longest_wait(&seen[300..]) < 0.2);
}

#[test]
fn a_latency_shorter_than_the_jitter_is_kept_to() {
    let mut viewing = Viewing::new(Duration::from_millis(20));
    let seen = viewing.run(0.0, 20.0, |frame, at| (80.0 + 30.0 * noise(frame), at));
    assert!(longest_wait(seen) <= 20.0);
    assert!(viewing.playout.counts().late > 100);
}

#[test]
fn a_longer_path_is_never_made_longer_still() {
    for step in [60.0, 400.0] {
        let mut viewing = Viewing::new(LATENCY);
        viewing.run(0.0, 20.0, |_, at| (40.0, at));
        let seen = viewing.run(20_000.0, 20.0, |_, at| (40.0 + step, at));
        assert!(longest_wait(seen) < 0.2, "{step}: {}", longest_wait(seen));
        // Jitter on the new path is evened out as on the old one.
        let jittered = |frame, at| (40.0 + step + 20.0 * noise(frame), at);
        viewing.run(40_000.0, 5.0, jittered);
        let seen = viewing.run(45_000.0, 20.0, jittered);
        assert!(even(seen) > 0.85, "{step}: {}", even(seen));
    }
}

#[test]
fn a_shorter_path_is_used_within_seconds() {
    for step in [60.0, 400.0] {
        let mut viewing = Viewing::new(LATENCY);
        viewing.run(0.0, 20.0, |_, at| (40.0 + step, at));
        let seen = viewing.run(20_000.0, 20.0, |_, at| (40.0, at));
        let after: Vec<_> = seen.iter().filter(|it| it.at_ms > 25_000.0).collect();
        assert!(after.iter().all(|it| it.wait_ms < 0.2), "{step}");
        // Faster, but no frame is left out for it.
        assert_eq!(seen.len(), 600);
    }
}

#[test]
fn clocks_that_drift_apart_cost_nothing() {
    for ppm in [-200.0, 200.0] {
        let mut viewing = Viewing::new(LATENCY);
        let path = |_, at: f64| (40.0, at * (1.0 + ppm / 1e6));
        let seen = viewing.run(0.0, 600.0, path);
        assert_eq!(seen.len(), 18_000);
        assert!(longest_wait(seen) < 3.0, "{ppm}: {}", longest_wait(seen));
        assert_eq!(viewing.playout.counts().late, 0);
    }
}

#[test]
fn capture_times_that_begin_anew_are_followed() {
    let mut viewing = Viewing::new(LATENCY);
    // They wrap after 1678 s.
    let seen = viewing.run(1_600_000.0, 200.0, |frame, at| (40.0 + noise(frame), at));
    assert!(longest_wait(seen) <= 2.0);
    assert_eq!(viewing.playout.counts().late, 0);
}

#[test]
fn a_pause_of_the_sender_leaves_no_trace() {
    for pause in [3.0, 120.0, 20.0 * 60.0, HOUR] {
        let mut viewing = Viewing::new(LATENCY);
        viewing.run(0.0, 10.0, |_, at| (40.0, at));
        let start = 10_000.0 + pause * 1000.0;
        let seen = viewing.run(start, 10.0, |frame, at| (40.0 + noise(frame), at));
        assert_eq!(seen.len(), 300);
        assert!(longest_wait(seen) <= 3.0, "{pause}: {}", longest_wait(seen));
    }
}

/// What comes of a jump of `jump` milliseconds between the clocks, with some jitter.
fn jumps(jump: f64, receivers: bool) {
    let mut viewing = Viewing::new(LATENCY);
    viewing.run(0.0, 15.0, |frame, at| (40.0 + 5.0 * noise(frame), at));
    let start = 15_000.0 + if receivers { jump } else { 0.0 };
    let clock = |at: f64| if receivers { at - jump } else { at + jump };
    let seen = viewing.run(start, 20.0, |frame, at| {
        (40.0 + 5.0 * noise(frame), clock(at))
    });
    assert_eq!(seen.len(), 600, "{jump}");
    let few = &seen[40..];
    assert!(longest_wait(few) <= 11.0, "{jump}: {}", longest_wait(few));
    assert!(even(&seen[300..]) > 0.85, "{jump}");
}

#[test]
fn clocks_may_jump() {
    for seconds in [0.3, 5.0, 120.0, 14.5 * 60.0, HOUR, 24.0 * HOUR] {
        jumps(seconds * 1000.0, true);
        jumps(seconds * 1000.0, false);
        jumps(-seconds * 1000.0, false);
    }
}

#[test]
fn one_wrong_capture_time_is_forgotten_in_a_few_frames() {
    for wrong in [-600_000.0, -300.0, 300.0, 9000.0, 600_000.0] {
        let mut viewing = Viewing::new(LATENCY);
        let path = |frame, at| {
            let wrong = if frame == 150 { wrong } else { 0.0 };
            (40.0, at + wrong)
        };
        let seen = viewing.run(0.0, 20.0, path);
        assert_eq!(seen.len(), 600, "{wrong}");
        assert!(longest_wait(seen) <= 1.0, "{wrong}: {}", longest_wait(seen));
        let jittered = |frame, at| (40.0 + 20.0 * noise(frame), at);
        viewing.run(20_000.0, 5.0, jittered);
        assert!(
            even(viewing.run(25_000.0, 20.0, jittered)) > 0.85,
            "{wrong}"
        );
    }
}

fn ready(number: u32, millis: u64) -> Ready<u32> {
    Ready {
        number,
        capture: number * 333,
        at: Duration::from_millis(millis),
        picture: number,
    }
}

#[test]
fn of_frames_that_are_due_together_the_newest_is_shown() {
    let mut playout = Playout::new(LATENCY);
    for number in 0..4 {
        assert_eq!(playout.ready(ready(number, 200)), None);
    }
    // The first was late, and the others are earlier than their time.
    let now = Duration::from_millis(400);
    let due: Vec<_> = std::iter::from_fn(|| playout.next(now)).collect();
    let shown: Vec<_> = due.iter().map(|it| (it.number, it.shown)).collect();
    assert_eq!(shown, [(0, false), (1, false), (2, false), (3, true)]);
    assert_eq!(due[3].wait, Duration::from_millis(200));
    // What is older than the picture on the screen stays away from it.
    let old = playout.ready(ready(2, 400)).unwrap();
    assert!(!old.shown && old.picture == 2);
    assert_eq!(playout.wake(), None);
    let counts = playout.counts();
    assert_eq!((counts.shown, counts.superseded), (1, 4));
}

#[test]
fn without_a_latency_every_frame_is_shown_in_turn() {
    let mut playout = Playout::new(Duration::ZERO);
    for number in 0..4 {
        assert_eq!(playout.ready(ready(number, 200)), None);
    }
    let due = std::iter::from_fn(|| playout.next(Duration::from_millis(200)));
    let shown: Vec<_> = due.map(|it| (it.number, it.shown, it.wait)).collect();
    assert_eq!(shown, [0, 1, 2, 3].map(|it| (it, true, Duration::ZERO)));
}

#[test]
fn pictures_that_nobody_takes_are_given_back() {
    let mut playout = Playout::new(LATENCY);
    for number in 0..1000 {
        let back = playout.ready(ready(number, 200));
        let oldest = number.checked_sub(MOST as u32);
        assert_eq!(back.map(|it| it.picture), oldest);
    }
    assert_eq!(playout.waiting.len(), MOST);
    assert!(playout.wake() <= Some(Duration::from_millis(200)));
}

proptest! {
    #[test]
    fn forged_times_make_nothing_wait_longer_than_the_latency(
        frames in prop::collection::vec((any::<u32>(), 0u64..100_000, 0u32..3), 1..400),
        latency in 0u64..200,
    ) {
        let latency = Duration::from_millis(latency);
        let mut playout = Playout::new(latency);
        let (mut now, mut number, mut shown) = (Duration::ZERO, 0, None);
        let mut back = 0;
        for &(capture, gap, jump) in &frames {
            let until = now + Duration::from_micros(gap);
            while let Some(wake) = playout.wake().filter(|&it| it <= until) {
                let at = wake.max(now);
                while let Some(due) = playout.next(at) {
                    prop_assert!(due.wait <= latency);
                    back += 1;
                    if due.shown {
                        prop_assert!(Some(due.number) > shown);
                        shown = Some(due.number);
                    }
                }
            }
            now = until;
            number += jump;
            let ready = Ready { number, capture: capture & 0xff_ffff, at: now, picture: () };
            back += usize::from(playout.ready(ready).is_some());
            prop_assert!(playout.waiting.len() <= MOST);
        }
        let end = now + latency;
        back += std::iter::from_fn(|| playout.next(end)).count();
        prop_assert_eq!(back, frames.len());
    }
}
