//! Nothing comes through for a while.

use super::*;
use crate::rate::Skip;
use crate::stand::INTERVAL;

/// Nothing comes through either way between these times, ms; what waits or is sent then is lost.
fn cut(from: u64, to: u64) -> Stand {
    let fate = move |at: Duration| match (ms(from)..ms(to)).contains(&at) {
        true => None,
        false => Some(Duration::ZERO),
    };
    let [there, back]: [Fate; 2] = [Box::new(fate), Box::new(fate)];
    Stand {
        there,
        back,
        ..Stand::default()
    }
}

/// What comes after `end`, in s.
fn afterwards(end: f64) -> [Step; 3] {
    let most = |s: &Sample| s.estimate >= 800.0;
    [
        Step::new("most is there again", (end, 350, end + 20.0), 0.95, most),
        Step::new(
            "all is there again",
            (end, 400, end + 20.0),
            0.95,
            within(0.15, 1000.0),
        ),
        Step::new(
            "the queue is short",
            (end, 100, end + 20.0),
            0.95,
            queue_below(30),
        ),
    ]
}

/// Whether the frame before was as small as can be, or there was none, for want of an answer.
fn small(sample: &Sample) -> bool {
    match sample.allowance {
        Some(allowance) => allowance.bytes <= 120,
        None => sample.skip == Some(Skip::Silence),
    }
}

/// An outage after 20 s.
fn outage(seconds: u64) -> (Run, f64) {
    let to = 20_000 + 1000 * seconds;
    let run = cut(20_000, to).run(25 + seconds);
    // Silence is one of 250 ms, which is more than 3 round trips, seen before the next frame; or no
    // frame was due for half of that.
    let first = run.heartbeats[0];
    assert!((ms(20_130)..ms(20_300)).contains(&first), "{first:?}");
    for two in run.heartbeats.windows(2) {
        let step = if two[0] < ms(23_000) { 100 } else { 250 };
        assert_eq!(two[1] - two[0], ms(step));
    }
    let last = run.heartbeats[run.heartbeats.len() - 1];
    assert!((ms(to - 200)..ms(to + 250)).contains(&last), "{last:?}");
    let between = |from, to| {
        let times = ms(from)..ms(to);
        run.samples.iter().filter(move |s| times.contains(&s.now))
    };
    let frames = between(20_300, to)
        .filter(|s| s.allowance.is_some())
        .count();
    let expected = 10 * seconds.min(2) as usize;
    assert!((expected - 4..=expected).contains(&frames), "{frames}");
    // The estimate is halved when the path is back, once; the first train then takes it up again.
    let after = between(to, to + 1000).map(|s| s.estimate);
    let least = after.fold(f64::INFINITY, f64::min);
    assert!((450.0..=750.0).contains(&least), "{least}");
    // The first frame that was captured after it is there in 1.5 round trips and 150 ms.
    let captured = |number: u32| number * INTERVAL;
    let new = |it: &&(u32, Duration)| captured(it.0) >= ms(to);
    let &(number, at) = run.arrivals.iter().find(new).unwrap();
    let delay = at - captured(number);
    assert!(delay < ms(225) && at < ms(to + 450), "{delay:?}, at {at:?}");
    let end = to as f64 / 1e3;
    check(&run.samples, &afterwards(end));
    (run, end)
}

#[test]
fn an_outage_of_a_second_is_seen_and_over_soon() {
    let (run, end) = outage(1);
    let steps = [Step::new("only small frames", (20.3, 0, end), 1.0, small)];
    check(&run.samples, &steps);
}

#[test]
fn an_outage_of_half_a_minute_costs_nothing_but_its_time() {
    let (run, end) = outage(30);
    let none = |s: &Sample| s.skip == Some(Skip::Silence);
    check(
        &run.samples,
        &[
            Step::new("only small frames", (20.3, 0, 22.0), 1.0, small),
            Step::new("then none", (22.0, 50, end), 1.0, none),
        ],
    );
}

#[test]
fn a_link_that_stalls_gives_what_it_holds_and_goes_on() {
    let link = Link::new(&[(0, 1000), (20_000, 0), (23_000, 1000)], 37_500);
    let run = Stand::of(link).run(45);
    let most = |s: &Sample| s.estimate >= 800.0;
    check(
        &run.samples,
        &[
            Step::new("only small frames", (20.4, 0, 22.0), 1.0, small),
            Step::new("most is there again", (23.0, 350, 43.0), 0.95, most),
            Step::new(
                "the queue is short",
                (23.0, 200, 43.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}

#[test]
fn a_slow_source_that_loses_the_last_of_a_frame_is_in_no_outage() {
    for interval in [500, 1000, 3000] {
        let mut random = fastrand::Rng::with_seed(1);
        let frame = move |now: Duration| (now.as_nanos() / INTERVAL.as_nanos()) as u64;
        let run = Stand {
            there: Box::new(move |_| (random.f32() >= 0.1).then_some(Duration::ZERO)),
            source: Box::new(move |now| {
                let every = u64::from(interval / 33u32);
                frame(now).is_multiple_of(every).then_some(usize::MAX)
            }),
            ..Stand::default()
        }
        .run(300);
        let offered = || run.samples.iter().filter(|s| s.now > ms(10_000));
        let seen = offered().filter(|s| s.allowance.is_some() || s.skip.is_some());
        assert!(seen.count() > 50, "{interval} ms");
        let small = offered().filter(|s| small(s)).count();
        assert_eq!(small, 0, "{interval} ms");
        assert!(!run.heartbeats.is_empty(), "they tell it from one");
    }
}
