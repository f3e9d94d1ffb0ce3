//! Datagrams are lost or come in another order.

use super::*;

/// Loses this share, in runs of a mean length.
fn losing(share: f64, run: f64, seed: u64) -> Fate {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut lost = false;
    Box::new(move |_| {
        let stays = 1.0 - 1.0 / run;
        lost = match (run > 1.0, lost) {
            (false, _) => random.f64() < share,
            (true, true) => random.f64() < stays,
            (true, false) => random.f64() < share / (1.0 - share) / run,
        };
        (!lost).then_some(Duration::ZERO)
    })
}

fn lossy(share: f64, run: f64) -> Vec<Sample> {
    let stand = Stand {
        there: losing(share, run, 1),
        ..Stand::default()
    };
    stand.run(40).samples
}

/// Datagrams of frames in the mean, from 10 s on.
fn datagrams(samples: &[Sample]) -> f64 {
    let late = samples.iter().filter(|s| s.now > ms(10_000));
    let counts: Vec<_> = late
        .filter_map(|s| s.allowance)
        .map(|a| f64::from(a.count))
        .collect();
    counts.iter().sum::<f64>() / counts.len() as f64
}

#[test]
fn losses_without_a_queue_leave_the_estimate_alone() {
    for (share, run, count) in [
        (0.0, 1.0, 3.0..7.0),
        (0.2, 1.0, 3.0..7.0),
        (0.5, 1.0, 5.0..9.0),
        (0.2, 3.0, 5.0..12.0),
        (0.5, 3.0, 8.0..12.1),
    ] {
        let samples = lossy(share, run);
        let datagrams = datagrams(&samples);
        let estimates: Vec<_> = samples.iter().skip(300).map(|s| s.estimate).collect();
        let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
        eprintln!("{share} in runs of {run}: {datagrams} datagrams a frame, mean estimate {mean}");
        let within = within(0.1, 1000.0);
        check(
            &samples,
            &[
                Step::new("the estimate", (0.0, 5000, 40.0), 0.9, within),
                Step::new("the losses", (0.0, 5000, 40.0), 0.9, move |s| {
                    (s.losses - share).abs() < 0.2
                }),
                Step::new("the queue", (0.0, 5000, 40.0), 0.9, queue_below(30)),
            ],
        );
        assert!(count.contains(&datagrams), "{share} in {run}: {datagrams}");
    }
}

#[test]
fn a_short_queue_that_overflows_is_congestion() {
    // 20 ms at 1 Mbit/s.
    let link = Link::new(&[(0, 2000), (20_000, 500)], 5000);
    let run = Stand::of(link).run(40);
    check(
        &run.samples,
        &[
            Step::new("2 Mbit/s", (0.0, 3000, 20.0), 0.95, within(0.15, 2000.0)),
            Step::new("500 kbit/s", (20.0, 2000, 40.0), 0.95, within(0.15, 500.0)),
            Step::new("few are lost", (20.0, 3000, 40.0), 0.95, |s| {
                s.losses < 0.05
            }),
        ],
    );
}

#[test]
fn datagrams_that_come_late_change_little() {
    let mut random = fastrand::Rng::with_seed(7);
    let stand = Stand {
        there: Box::new(move |_| Some(if random.f64() < 0.05 { ms(10) } else { ms(0) })),
        ..Stand::default()
    };
    let samples = stand.run(40).samples;
    check(
        &samples,
        &[
            Step::new("the estimate", (0.0, 3000, 40.0), 0.95, within(0.1, 1000.0)),
            Step::new("no losses", (0.0, 3000, 40.0), 0.95, |s| s.losses < 0.03),
            Step::new(
                "the queue is short",
                (0.0, 3000, 40.0),
                0.95,
                queue_below(30),
            ),
        ],
    );
}

#[test]
fn reports_that_are_lost_cost_little() {
    let stand = Stand {
        back: losing(0.3, 1.0, 3),
        ..Stand::default()
    };
    let samples = stand.run(40).samples;
    check(
        &samples,
        &[
            Step::new(
                "the estimate",
                (0.0, 3000, 40.0),
                0.95,
                within(0.15, 1000.0),
            ),
            Step::new(
                "the queue is short",
                (0.0, 3000, 40.0),
                0.9,
                queue_below(40),
            ),
        ],
    );
}
