//! The source does not use what it may.

use super::*;

#[test]
fn a_source_that_pauses_finds_the_path_as_it_was() {
    let paused = |now: Duration| (ms(20_000)..ms(40_000)).contains(&now);
    let stand = Stand {
        source: Box::new(move |now| (!paused(now)).then_some(usize::MAX)),
        ..Stand::default()
    };
    let run = stand.run(60);
    assert!(run.heartbeats.is_empty(), "nothing was awaited");
    check(
        &run.samples,
        &[
            Step::new("before", (0.0, 750, 20.0), 0.95, within(0.15, 1000.0)),
            Step::new("meanwhile", (20.1, 0, 40.0), 1.0, within(0.15, 1000.0)),
            Step::new("after", (40.0, 0, 60.0), 0.95, within(0.15, 1000.0)),
            Step::new("the queue is short", (40.0, 0, 60.0), 0.95, queue_below(30)),
        ],
    );
}

#[test]
fn a_source_that_needs_a_third_neither_hides_the_rest_nor_feigns_more() {
    // 1 Mbit/s with headers.
    let little = |now: Duration| (ms(20_000)..ms(60_000)).contains(&now);
    let stand = Stand {
        link: Link::new(&[(0, 3000), (40_000, 700), (60_000, 3000)], 100_000),
        source: Box::new(move |now| Some(if little(now) { 3900 } else { usize::MAX })),
        ..Stand::default()
    };
    let run = stand.run(80);
    check(
        &run.samples,
        &[
            Step::new("all", (0.0, 1400, 20.0), 0.95, within(0.15, 3000.0)),
            Step::new("no collapse", (20.1, 0, 40.0), 1.0, |s| s.estimate > 2500.0),
            Step::new("no more than there is", (20.1, 0, 40.0), 1.0, |s| {
                s.estimate < 3500.0
            }),
            Step::new(
                "the link is too slow",
                (40.0, 350, 60.0),
                0.95,
                within(0.2, 700.0),
            ),
            Step::new(
                "the queue is short",
                (40.0, 300, 60.0),
                0.95,
                queue_below(30),
            ),
            Step::new("all again", (60.0, 900, 80.0), 0.95, within(0.15, 3000.0)),
        ],
    );
}

#[test]
fn what_was_never_tried_is_not_claimed() {
    let stand = Stand {
        link: Link::new(&[(0, 20_000)], 500_000),
        source: Box::new(|_| Some(1500)),
        ..Stand::default()
    };
    let run = stand.run(40);
    let used = kilobits(&run, 10.0, 40.0, |s| s.through);
    assert!(used > 300.0, "{used}");
    check(
        &run.samples,
        &[Step::new("bounded", (0.0, 0, 40.0), 1.0, move |s| {
            s.estimate <= 1.5 * 1.2 * used + 64.0
        })],
    );
}
