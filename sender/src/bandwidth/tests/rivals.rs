//! Others use the path, too.

use super::*;
use crate::stand::Rival;

#[test]
fn a_download_comes_and_goes() {
    let mut total = 0.0;
    let delays = [10, 15, 20, 25, 30, 40];
    for delay in delays {
        let stand = Stand {
            // 300 ms at 2 Mbit/s.
            link: Link::new(&[(0, 2000)], 75_000),
            delay: Box::new(move |_| ms(delay)),
            rival: Some(Rival::new(20, 60)),
            ..Stand::default()
        };
        let run = stand.run(90);
        let ours = kilobits(&run, 25.0, 60.0, |s| s.through);
        let theirs = kilobits(&run, 25.0, 60.0, |s| s.rivals);
        eprintln!("delay {delay} ms: ours {ours}, theirs {theirs}");
        assert!(ours > 35.0, "{ours} at {delay} ms");
        total += ours;
        check(
            &run.samples,
            &[
                Step::new("alone", (0.0, 1200, 20.0), 0.95, within(0.15, 2000.0)),
                Step::new("nobody is seen", (0.0, 0, 20.0), 1.0, |s| !s.rival),
                Step::new("he is seen", (20.0, 4000, 60.0), 0.65, |s| s.rival),
                Step::new("he is gone", (60.0, 2000, 90.0), 1.0, |s| !s.rival),
                Step::new(
                    "alone again",
                    (60.0, 3000, 90.0),
                    0.95,
                    within(0.15, 2000.0),
                ),
                Step::new("a short queue", (60.0, 2000, 90.0), 0.95, queue_below(30)),
            ],
        );
    }
    // A tenth of the link in the mean.
    let mean = total / delays.len() as f64;
    assert!(mean > 200.0, "{mean}");
}

#[test]
fn a_path_that_becomes_longer_is_no_queue_for_long() {
    let stand = Stand {
        delay: Box::new(|now| ms(if now < ms(20_000) { 25 } else { 105 })),
        ..Stand::default()
    };
    let run = stand.run(60);
    let ours = kilobits(&run, 20.0, 40.0, |s| s.through);
    assert!(ours > 550.0, "{ours}");
    check(
        &run.samples,
        &[
            Step::new("before", (0.0, 750, 20.0), 0.95, within(0.15, 1000.0)),
            Step::new("after", (20.5, 7000, 60.0), 0.95, within(0.15, 1000.0)),
            Step::new("no queue seen", (20.5, 4500, 60.0), 0.95, |s| {
                s.seen < ms(20)
            }),
            Step::new("nobody there", (20.5, 12_000, 60.0), 1.0, |s| !s.rival),
        ],
    );
}
