//! The receiver's clock drifts, jumps and wraps.

use super::*;

fn with_clock(seconds: u64, clock: impl Fn(Duration) -> Duration + 'static) -> Run {
    let stand = Stand {
        clock: Box::new(clock),
        ..Stand::default()
    };
    stand.run(seconds)
}

#[test]
fn clocks_that_drift_change_nothing() {
    for ppm in [-150.0, 150.0] {
        let run = with_clock(600, move |now| {
            Duration::from_secs_f64(1000.0 + now.as_secs_f64() * (1.0 + ppm * 1e-6))
        });
        check(
            &run.samples,
            &[
                Step::new(
                    "the estimate",
                    (0.0, 750, 600.0),
                    0.97,
                    within(0.15, 1000.0),
                ),
                Step::new("the queue", (0.0, 0, 600.0), 0.97, queue_below(30)),
                Step::new("nobody there", (0.0, 0, 600.0), 1.0, |s| !s.rival),
            ],
        );
    }
}

#[test]
fn a_clock_that_jumps_an_hour_costs_a_moment() {
    // As 32 bits of µs tell it, an hour is 12 minutes the other way.
    for hours in [9, 11] {
        let hour = Duration::from_secs(3600);
        let run = with_clock(60, move |now| {
            let hours = if now < ms(20_000) { 10 } else { hours };
            now + hours * hour
        });
        check(
            &run.samples,
            &[
                Step::new("the estimate", (0.0, 750, 20.0), 0.95, within(0.15, 1000.0)),
                Step::new("soon after", (20.0, 8500, 60.0), 0.95, within(0.15, 1000.0)),
                Step::new("the queue", (20.0, 100, 60.0), 0.95, queue_below(30)),
            ],
        );
        // At worst the jump looks like a queue for as long as the least delay is remembered.
        let through = kilobits(&run, 20.0, 30.0, |s| s.through);
        assert!(through > 280.0, "{through}");
    }
}

#[test]
fn a_clock_that_wraps_changes_nothing() {
    let wrap = Duration::from_micros(1 << 32);
    let run = with_clock(40, move |now| now + wrap - ms(20_000));
    check(
        &run.samples,
        &[
            Step::new("the estimate", (0.0, 750, 40.0), 0.97, within(0.15, 1000.0)),
            Step::new("the queue", (0.0, 0, 40.0), 0.97, queue_below(30)),
        ],
    );
}
