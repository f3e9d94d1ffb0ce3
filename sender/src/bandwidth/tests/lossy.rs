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

/// Datagrams of frames in the mean, from 10 s on.
fn datagrams(samples: &[Sample]) -> f64 {
    let late = samples.iter().filter(|s| s.now > ms(10_000));
    let counts: Vec<_> = late
        .filter_map(|s| Some(f64::from(s.allowance?.count)))
        .collect();
    counts.iter().sum::<f64>() / counts.len() as f64
}

#[test]
fn losses_without_a_queue_leave_the_estimate_alone() {
    // In so many datagrams a frame is lost altogether once in a hundred times.
    for (share, run, most) in [
        (0.0, 1.0, 1.0),
        (0.2, 1.0, 3.0),
        (0.5, 1.0, 7.0),
        (0.2, 3.0, 9.0),
        (0.5, 3.0, 11.0),
    ] {
        let stand = Stand {
            link: Link::new(&[(0, 500)], 20_000),
            there: losing(share, run, 1),
            ..Stand::default()
        };
        let samples = stand.run(40).samples;
        let datagrams = datagrams(&samples);
        eprintln!("{share} in runs of {run}: {datagrams} datagrams a frame");
        // Trains have five now and then.
        let fits = (most - 1.0..=f64::max(most, 5.0) + 1.0).contains(&datagrams);
        assert!(fits, "{share} in {run}: {datagrams}");
        let known = move |s: &Sample| (s.losses - share).abs() < 0.2;
        check(
            &samples,
            &[
                Step::new("the estimate", (0.0, 1800, 40.0), 0.95, within(0.1, 500.0)),
                Step::new("the losses", (0.0, 1000, 40.0), 0.95, known),
                Step::new("the queue", (0.0, 100, 40.0), 0.95, queue_below(40)),
            ],
        );
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
            Step::new("2 Mbit/s", (0.0, 1200, 20.0), 0.95, within(0.15, 2000.0)),
            Step::new("500 kbit/s", (20.0, 400, 40.0), 0.95, within(0.15, 500.0)),
            Step::new("few are lost", (20.0, 1000, 40.0), 0.95, |s| {
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
            // What is overtaken leaves a hole in its train.
            Step::new("the estimate", (0.0, 750, 40.0), 0.8, within(0.1, 1000.0)),
            Step::new("at worst", (0.0, 750, 40.0), 1.0, within(0.3, 1000.0)),
            Step::new("no losses", (0.0, 0, 40.0), 1.0, |s| s.losses < 0.03),
            Step::new("the queue is short", (0.0, 0, 40.0), 0.95, queue_below(30)),
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
            Step::new("the estimate", (0.0, 750, 40.0), 0.95, within(0.15, 1000.0)),
            Step::new("the queue is short", (0.0, 0, 40.0), 0.95, queue_below(30)),
        ],
    );
}
