//! The link's rate changes.

use super::*;

#[test]
fn the_estimate_follows_the_rate_up_and_down() {
    let link = Link::new(
        &[(0, 1000), (20_000, 2500), (40_000, 600), (60_000, 1000)],
        60_000,
    );
    let run = Stand::of(link).run(80);
    check(
        &run.samples,
        &[
            Step::new(
                "1 Mbit/s is found",
                (0.0, 750, 20.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new("the queue is short", (0.0, 0, 20.0), 0.95, queue_below(30)),
            Step::new(
                "2.5 Mbit/s are found",
                (20.0, 500, 40.0),
                0.95,
                within(0.15, 2500.0),
            ),
            Step::new(
                "the queue is short",
                (20.0, 100, 40.0),
                0.95,
                queue_below(30),
            ),
            Step::new(
                "0.6 Mbit/s are found",
                (40.0, 650, 60.0),
                0.95,
                within(0.15, 600.0),
            ),
            Step::new(
                "the queue is short",
                (40.0, 550, 60.0),
                0.95,
                queue_below(30),
            ),
            Step::new(
                "1 Mbit/s is found",
                (60.0, 350, 80.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (60.0, 100, 80.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}

#[test]
fn a_fast_link_is_found_soon() {
    let run = Stand::of(Link::new(&[(0, 10_000)], 375_000)).run(20);
    check(
        &run.samples,
        &[
            Step::new("9 Mbit/s", (0.0, 2200, 20.0), 0.95, |s| {
                s.estimate >= 9000.0
            }),
            Step::new(
                "no more than there is",
                (0.0, 2200, 20.0),
                0.95,
                within(0.15, 10_000.0),
            ),
            Step::new("the queue is short", (0.0, 0, 20.0), 0.95, queue_below(30)),
        ],
    );
}

#[test]
fn a_slow_link_is_found_soon() {
    let run = Stand::of(Link::new(&[(0, 100)], 12_000)).run(30);
    // Frames of one datagram say little: it creeps up until a queue shows.
    check(
        &run.samples,
        &[
            Step::new("about 100 kbit/s", (0.0, 500, 30.0), 1.0, |s| {
                (80.0..190.0).contains(&s.estimate)
            }),
            Step::new(
                "the queue is short",
                (0.0, 500, 30.0),
                0.95,
                queue_below(140),
            ),
        ],
    );
    let used = kilobits(&run, 2.0, 30.0, |s| s.through);
    assert!(used > 90.0, "{used}");
}
