//! The path drops what is too much and shows no queue.

use super::*;

const MOST: Bitrate = Bitrate::from_kilobits_per_second(20_000);

/// 10 ms of queue at 5 Mbit/s.
fn short_buffer() -> Link {
    Link::new(&[(0, 5000)], 6250)
}

/// Lets 5 Mbit/s through, and 30 kB at once.
fn policer() -> Link {
    Link::new(&[(0, 100_000)], 100_000).policed(&[(0, 5000)], 30_000)
}

fn stand(link: Link) -> Stand {
    Stand {
        link,
        max_rate: Some(MOST),
        ..Stand::default()
    }
}

/// Loses a share by chance from a time in s on.
fn losing_from(start: u64, share: f64) -> Fate {
    let mut random = fastrand::Rng::with_seed(1);
    Box::new(move |now| {
        let lost = now >= Duration::from_secs(start) && random.f64() < share;
        (!lost).then_some(Duration::ZERO)
    })
}

#[test]
fn a_short_buffer_and_a_policer_are_not_flooded() {
    for (name, link) in [("short buffer", short_buffer()), ("policer", policer())] {
        let run = stand(link).run(60);
        check(
            &run.samples,
            &[
                Step::new("the rate", (0.0, 8000, 60.0), 0.95, within(0.3, 5000.0)),
                Step::new("few are lost", (0.0, 8000, 60.0), 0.9, |s| s.losses < 0.1),
            ],
        );
        let used = kilobits(&run, 10.0, 60.0, |s| s.through);
        eprintln!("{name}: {used} kbit/s");
        assert!((4000.0..5100.0).contains(&used), "{name}: {used}");
    }
}

#[test]
fn losses_by_chance_besides_are_told_apart() {
    for (name, link, start) in [
        ("short buffer", short_buffer(), 0),
        ("policer", policer(), 0),
        ("short buffer, later", short_buffer(), 20),
        ("policer, later", policer(), 20),
    ] {
        let stand = Stand {
            there: losing_from(start, 0.2),
            ..stand(link)
        };
        let run = stand.run(80);
        let used = kilobits(&run, 30.0, 80.0, |s| s.through);
        eprintln!("{name}: {used} kbit/s");
        assert!((3500.0..5100.0).contains(&used), "{name}: {used}");
        check(
            &run.samples,
            &[Step::new("losses", (30.0, 5000, 80.0), 0.9, |s| {
                s.losses < 0.35
            })],
        );
    }
}

#[test]
fn losses_by_chance_alone_make_no_ceiling() {
    let stand = Stand {
        there: losing_from(20, 0.3),
        link: Link::new(&[(0, 5000)], 187_500),
        ..stand(short_buffer())
    };
    let samples = stand.run(120).samples;
    check(
        &samples,
        &[Step::new(
            "the rate",
            (0.0, 2500, 120.0),
            0.95,
            within(0.15, 5000.0),
        )],
    );
}

#[test]
fn a_policer_that_lets_less_and_more_through_is_followed() {
    let rates = [(0, 4000), (20_000, 1500), (40_000, 6000)];
    let link = Link::new(&[(0, 100_000)], 100_000).policed(&rates, 20_000);
    let run = stand(link).run(80);
    check(
        &run.samples,
        &[
            Step::new("less", (20.0, 3000, 40.0), 0.9, within(0.35, 1500.0)),
            Step::new("few are lost", (20.0, 3000, 40.0), 0.9, |s| s.losses < 0.1),
            Step::new("more", (40.0, 20_000, 80.0), 0.9, within(0.35, 6000.0)),
        ],
    );
}

#[test]
fn a_path_that_drops_nothing_any_more_is_free_again() {
    let rates = [(0, 2000), (20_000, 90_000)];
    let link = Link::new(&[(0, 8000)], 300_000).policed(&rates, 20_000);
    let run = stand(link).run(60);
    check(
        &run.samples,
        &[Step::new(
            "all of the link",
            (20.0, 20_000, 60.0),
            0.95,
            within(0.15, 8000.0),
        )],
    );
}

#[test]
fn an_outage_leaves_the_ceiling_where_it_was() {
    let gone = |now: Duration| (ms(20_000)..ms(22_000)).contains(&now);
    let stand = Stand {
        there: Box::new(move |now| (!gone(now)).then_some(Duration::ZERO)),
        ..stand(policer())
    };
    let run = stand.run(60);
    check(
        &run.samples,
        &[
            Step::new("found again", (22.0, 4000, 60.0), 0.9, within(0.3, 5000.0)),
            Step::new("few are lost", (22.0, 4000, 60.0), 0.9, |s| s.losses < 0.1),
        ],
    );
}
