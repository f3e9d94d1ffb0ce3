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
                (0.0, 2000, 20.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (0.0, 2000, 20.0),
                0.95,
                queue_below(30),
            ),
            Step::new(
                "2.5 Mbit/s are found",
                (20.0, 2000, 40.0),
                0.95,
                within(0.15, 2500.0),
            ),
            Step::new(
                "the queue is short",
                (20.0, 2000, 40.0),
                0.95,
                queue_below(30),
            ),
            Step::new(
                "0.6 Mbit/s are found",
                (40.0, 2000, 60.0),
                0.95,
                within(0.15, 600.0),
            ),
            Step::new(
                "the queue is short",
                (40.0, 2000, 60.0),
                0.95,
                queue_below(30),
            ),
            Step::new(
                "1 Mbit/s is found",
                (60.0, 2000, 80.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (60.0, 2000, 80.0),
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
            Step::new("9 Mbit/s", (0.0, 2000, 20.0), 0.95, |s| {
                s.estimate >= 9000.0
            }),
            Step::new(
                "no more than there is",
                (0.0, 2000, 20.0),
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
    check(
        &run.samples,
        &[
            Step::new("100 kbit/s", (0.0, 3000, 30.0), 0.95, within(0.2, 100.0)),
            Step::new(
                "the queue is short",
                (0.0, 3000, 30.0),
                0.95,
                queue_below(80),
            ),
        ],
    );
}
