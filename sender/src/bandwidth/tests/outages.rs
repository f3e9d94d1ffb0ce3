//! Nothing comes through for a while.

use super::*;

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

fn outage(seconds: u64) -> (Run, f64) {
    let end = 20_000 + 1000 * seconds;
    let (run, session) = cut(20_000, end).run_session(50 + seconds);
    // Silence is seen 250 ms after the last that was heard, or 3 round trips of about 85 ms.
    let first = run.heartbeats[0].as_secs_f64();
    eprintln!("first heartbeat {first}");
    assert!((20.25..20.4).contains(&first), "{first}");
    let last = run.heartbeats[run.heartbeats.len() - 1];
    let end = end as f64 / 1e3;
    eprintln!("last heartbeat {last:?} of {end}");
    for pair in run.heartbeats.windows(2) {
        assert_eq!(pair[1] - pair[0], ms(100));
    }
    assert!(last.as_secs_f64() < end + 0.1, "{last:?}");
    drop(session);
    (run, end)
}

#[test]
fn an_outage_of_a_second_is_seen_and_over_soon() {
    let (run, end) = outage(1);
    check(
        &run.samples,
        &[
            Step::new("only small frames", (20.4, 0, end), 1.0, |s| {
                s.allowance.is_none_or(|it| it.bytes <= 120)
            }),
            Step::new("the estimate is halved", (end, 300, end + 0.3), 1.0, |s| {
                s.estimate < 600.0
            }),
            Step::new("most is there again", (end, 2000, end + 20.0), 0.95, |s| {
                s.estimate >= 800.0
            }),
            Step::new(
                "all is there again",
                (end, 3000, end + 20.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (end, 1000, end + 20.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}

#[test]
fn an_outage_of_half_a_minute_costs_nothing_but_its_time() {
    let (run, end) = outage(30);
    check(
        &run.samples,
        &[
            Step::new("only small frames", (20.4, 0, 22.0), 1.0, |s| {
                s.allowance.is_none_or(|it| it.bytes <= 120)
            }),
            Step::new("then none", (22.2, 0, end), 1.0, |s| s.allowance.is_none()),
            Step::new("most is there again", (end, 2000, end + 20.0), 0.95, |s| {
                s.estimate >= 800.0
            }),
            Step::new(
                "all is there again",
                (end, 3000, end + 20.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (end, 1000, end + 20.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}

#[test]
fn a_link_that_stalls_gives_what_it_holds_and_goes_on() {
    let link = Link::new(&[(0, 1000), (20_000, 0), (23_000, 1000)], 37_500);
    let run = Stand::of(link).run(45);
    check(
        &run.samples,
        &[
            Step::new("only small frames", (20.5, 0, 22.0), 1.0, |s| {
                s.allowance.is_none_or(|it| it.bytes <= 120)
            }),
            Step::new("most is there again", (23.0, 2000, 43.0), 0.95, |s| {
                s.estimate >= 800.0
            }),
            Step::new(
                "the queue is short",
                (23.0, 1000, 43.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}
