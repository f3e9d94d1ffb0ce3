use std::path::Path;

use raq_shared::units::Bitrate;

use super::*;

/// A link as a scenario would have it.
fn link(toml: &str) -> Link<u32> {
    seeded(toml, 1)
}

fn seeded(toml: &str, seed: u64) -> Link<u32> {
    let config: LinkConfig = toml::from_str(toml).unwrap();
    let capacity = config.capacity(Path::new("")).unwrap();
    Link::new(&config, capacity, seed)
}

fn packet(number: u32, bytes: u32) -> Packet<u32> {
    Packet {
        bytes,
        delay: None,
        payload: number,
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All that is still to come.
fn drain(link: &mut Link<u32>) -> Vec<Outcome<u32>> {
    let mut all = Vec::new();
    while let Some(at) = link.wake() {
        all.extend(std::iter::from_fn(|| link.poll(at)));
    }
    all
}

/// Offers packets of `bytes` every `gap` and gives what becomes of them.
fn run(link: &mut Link<u32>, count: u32, gap: Duration, bytes: u32) -> Vec<Outcome<u32>> {
    let mut all = Vec::new();
    for number in 0..count {
        let now = gap * number;
        all.extend(std::iter::from_fn(|| link.poll(now)));
        link.offer(now, packet(number, bytes));
    }
    all.extend(drain(link));
    all
}

#[test]
fn a_packet_takes_its_time_to_send_and_to_travel() {
    let mut link = link("rate = '1Mbit'\ndelay = '50ms'");
    link.offer(millis(10), packet(0, 1250));
    link.offer(millis(10), packet(1, 1250));
    assert_eq!(link.queued_bytes(), 2500);
    assert_eq!(link.poll(millis(69)), None);
    assert_eq!(link.queued_bytes(), 0);
    assert_eq!(link.wake(), Some(millis(70)));
    let mut own = packet(2, 1250);
    own.delay = Some(millis(5));
    link.offer(millis(69), own);
    let arrived = |outcome: Outcome<u32>| match outcome {
        Outcome::Delivered {
            packet,
            offered,
            left,
            arrived,
        } => [
            packet.payload.into(),
            offered.as_millis(),
            left.as_millis(),
            arrived.as_millis(),
        ],
        Outcome::Lost { .. } => panic!("{outcome:?}"),
    };
    let all: Vec<_> = drain(&mut link).into_iter().map(arrived).collect();
    assert_eq!(all, [[0, 10, 20, 70], [1, 10, 30, 80], [2, 69, 79, 84]]);
}

/// (number, when it had left, when it arrived) of what arrived, in milliseconds.
fn arrivals(outcomes: &[Outcome<u32>]) -> Vec<(u32, f64, f64)> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Delivered {
                packet,
                left,
                arrived,
                ..
            } => Some((packet.payload, ms(*left), ms(*arrived))),
            Outcome::Lost { .. } => None,
        })
        .collect()
}

fn losses(outcomes: &[Outcome<u32>]) -> Vec<(u32, Cause)> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Lost { packet, cause, .. } => Some((packet.payload, *cause)),
            Outcome::Delivered { .. } => None,
        })
        .collect()
}

/// A link over a trace with this text.
fn over_trace(text: &str, toml: &str) -> Link<u32> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), text).unwrap();
    let config: LinkConfig = toml::from_str(&format!("trace = 't'\n{toml}")).unwrap();
    let capacity = config.capacity(folder.path()).unwrap();
    Link::new(&config, capacity, 1)
}

#[test]
fn packets_share_and_span_the_opportunities_of_a_trace() {
    let mut link = over_trace("5\n10\n10\n20\n", "");
    for number in 0..3 {
        link.offer(millis(0), packet(number, 500));
    }
    link.offer(millis(0), packet(3, 1600));
    link.offer(millis(7), packet(4, 1500));
    // What is left at 20 ms of the opportunity is wasted, and the trace begins anew: 25, 30, 30.
    link.offer(millis(21), packet(5, 100));
    link.offer(millis(26), packet(6, 1501));
    let left: Vec<_> = arrivals(&drain(&mut link))
        .iter()
        .map(|a| (a.0, a.1))
        .collect();
    let expected = [
        (0, 5.0),
        (1, 5.0),
        (2, 5.0),
        (3, 10.0),
        (4, 20.0),
        (5, 25.0),
        (6, 30.0),
    ];
    assert_eq!(left, expected);
}

#[test]
fn steps_and_outages_change_what_is_carried() {
    let toml = "
        step = [
            { at = '0s', rate = '1Mbit' },
            { at = '1s', rate = '0kbit' },
            { at = '2s', rate = '500kbit' },
        ]
        outage = [{ at = '200ms', length = '300ms' }, { at = '400ms', length = '200ms' }]";
    let config: LinkConfig = toml::from_str(toml).unwrap();
    let capacity = config.capacity(Path::new("")).unwrap();
    let carried = |from, to| capacity.bytes_between(millis(from), millis(to));
    assert_eq!(carried(0, 200), 25_000);
    assert_eq!(carried(200, 600), 0);
    assert_eq!(carried(100, 700), 25_000);
    assert_eq!(carried(0, 3000), 75_000 + 62_500);
    assert_eq!(capacity.rate_at(millis(300)), Bitrate::ZERO);
    assert_eq!(
        capacity.rate_at(millis(600)),
        Bitrate::from_kilobits_per_second(1000)
    );
    assert_eq!(
        capacity.rate_at(millis(2000)),
        Bitrate::from_kilobits_per_second(500)
    );

    let mut link = Link::new(&config, capacity, 1);
    link.offer(millis(196), packet(0, 1250));
    link.offer(millis(300), packet(1, 1250));
    let outcomes = drain(&mut link);
    assert_eq!(arrivals(&outcomes), [(0, 606.0, 606.0), (1, 616.0, 616.0)]);
    link.offer(millis(996), packet(2, 1250));
    assert_eq!(arrivals(&drain(&mut link)), [(2, 2012.0, 2012.0)]);
}

#[test]
fn a_full_queue_refuses_in_each_unit() {
    // 1 Mbit/s carries 1250 bytes in 10 ms; the first waits no longer than it is sent.
    for (queue, fit) in [
        ("4 packets", 4),
        ("6kB", 4),
        ("40ms", 4),
        ("1ms", 2),
        ("5B", 0),
    ] {
        let mut link = link(&format!("rate = '1Mbit'\nqueue = '{queue}'"));
        let outcomes = run(&mut link, 10, Duration::ZERO, 1250);
        let lost: Vec<_> = (fit..10).map(|number| (number, Cause::Queue)).collect();
        assert_eq!(losses(&outcomes), lost, "{queue}");
        assert_eq!(arrivals(&outcomes).len(), fit as usize);
    }
    let mut link = link("rate = '1Mbit'\nqueue = '1 packets'\noutage = [{at='0s', length='1s'}]");
    let outcomes = run(&mut link, 2, millis(1), 1250);
    assert_eq!(losses(&outcomes), [(1, Cause::Outage)]);
    assert_eq!(arrivals(&outcomes), [(0, 1010.0, 1010.0)]);
}

#[test]
fn a_queue_in_time_follows_the_rate_of_a_trace() {
    // Two opportunities a ms in the first second, then one in 10 ms.
    let mut text: String = (1..1000).map(|t| format!("{t}\n{t}\n")).collect();
    text.extend((100..300).map(|t| format!("{}\n", t * 10)));
    let mut link = over_trace(&text, "queue = '100ms'");
    let mut fits = |from: u64| {
        let offer = |number| link.offer(millis(from), packet(number, 1500));
        (0..1000).for_each(offer);
        let fit = link.queued_bytes() / 1500;
        drain(&mut link);
        fit
    };
    assert_eq!(fits(10), 199);
    assert_eq!(fits(2500), 10);
}

#[test]
fn a_queue_in_time_stays_as_long_while_nothing_is_carried() {
    let steps = "queue = '100ms'\nstep = [{at='0s', rate='1.2Mbit'}, {at='1s', rate='0bit'},
        {at='9s', rate='1Mbit'}]";
    let silent = "1000\n1010\n1020\n1030\n1040\n8000\n";
    for (mut link, fit) in [(link(steps), 10), (over_trace(silent, "queue = '1s'"), 5)] {
        (0..20).for_each(|number| link.offer(millis(5000), packet(number, 1500)));
        assert_eq!(link.queued_bytes() / 1500, fit);
    }
}

#[test]
fn chance_loses_the_share_it_should() {
    for (loss, burst) in [(0.05, 1.0), (0.5, 1.0), (0.05, 3.0), (0.5, 3.0), (0.2, 8.0)] {
        let toml = format!("rate = '1000Mbit'\nloss = {loss}\nburst = {burst}");
        let outcomes = run(&mut link(&toml), 100_000, millis(1), 1000);
        assert_eq!(outcomes.len(), 100_000);
        let mut lost = vec![false; 100_000];
        for (number, cause) in losses(&outcomes) {
            assert_eq!(cause, Cause::Random);
            lost[number as usize] = true;
        }
        let count = lost.iter().filter(|&&lost| lost).count() as f64;
        let bursts = lost.chunk_by(|a, b| a == b).filter(|run| run[0]).count() as f64;
        let independent = 1.0 / (1.0 - loss);
        let mean = if burst > 1.0 { burst } else { independent };
        assert!((count / 1e5 / loss - 1.0).abs() < 0.05, "{toml}: {count}");
        assert!(
            (count / bursts / mean - 1.0).abs() < 0.05,
            "{toml}: {}",
            count / bursts
        );
    }
}

#[test]
fn the_seed_alone_says_what_chance_does() {
    let toml = "rate = '1Mbit'\ndelay = '50ms'\njitter = '5ms'\nloss = 0.1\nburst = 2\n\
        duplicate = 0.1";
    let outcomes = |seed| run(&mut seeded(toml, seed), 2000, millis(7), 1000);
    assert_eq!(outcomes(1), outcomes(1));
    assert_ne!(outcomes(1), outcomes(2));
}

#[test]
fn jitter_stays_in_its_bounds_and_keeps_the_order() {
    let mut link = link("rate = '100Mbit'\ndelay = '20ms'\njitter = '15ms'\nduplicate = 0.2");
    let outcomes = run(&mut link, 5000, millis(2), 1000);
    let arrived = arrivals(&outcomes);
    assert!(arrived.is_sorted_by(|a, b| a.0 <= b.0 && a.2 <= b.2));
    let lags: Vec<f64> = arrived
        .iter()
        .map(|(_, left, arrived)| arrived - left)
        .collect();
    assert!(lags.iter().all(|lag| (4.999..=35.001).contains(lag)));
    let (least, most) = lags
        .iter()
        .fold((50.0f64, 0.0f64), |(l, m), &x| (l.min(x), m.max(x)));
    assert!(least < 15.0 && most > 34.0, "{least} to {most}");
    let twice = arrived.len() - 5000;
    assert!((900..1100).contains(&twice), "{twice} duplicates");
}

#[test]
fn codel_keeps_a_standing_queue_short() {
    // 1.05 Mbit/s into 1 Mbit/s: drop-tail fills its 300 ms, CoDel sheds what is too much.
    let waits = |discipline: &str| {
        let toml = format!("rate = '1Mbit'\nqueue = '300ms'\ndiscipline = '{discipline}'");
        let outcomes = run(&mut link(&toml), 5000, Duration::from_micros(11_430), 1500);
        assert_eq!(outcomes.len(), 5000);
        assert!(outcomes.is_sorted_by_key(Outcome::at));
        let lost = losses(&outcomes);
        assert!(lost.iter().all(|lost| lost.1 == Cause::Queue));
        assert!(
            (200..300).contains(&lost.len()),
            "{discipline} loses {}",
            lost.len()
        );
        let wait = |outcome: &Outcome<u32>| match outcome {
            Outcome::Delivered { offered, left, .. } => Some(*left - *offered),
            Outcome::Lost { .. } => None,
        };
        let mut waits: Vec<_> = outcomes.iter().skip(3000).filter_map(wait).collect();
        waits.sort_unstable();
        waits[waits.len() / 2]
    };
    assert!(waits("droptail") > millis(280));
    // 12 ms to send it come on top.
    assert!(waits("codel") < millis(40), "{:?}", waits("codel"));
}

#[test]
fn reordering_swaps_a_packet_with_the_one_behind_it() {
    let mut link = link("rate = '1Mbit'\ndelay = '20ms'\nreorder = 0.1");
    let outcomes = run(&mut link, 5000, millis(12), 1500);
    assert!(outcomes.is_sorted_by_key(Outcome::at));
    let arrived = arrivals(&outcomes);
    assert_eq!(arrived.len(), 5000);
    let swapped = arrived
        .windows(2)
        .filter(|pair| pair[0].0 > pair[1].0)
        .count();
    // Of every 1.1 packets 0.1 may not be swapped, having just been passed.
    assert!((400..500).contains(&swapped), "{swapped}");
    let place = arrived.iter().enumerate();
    assert!(
        place
            .clone()
            .all(|(place, arrival)| arrival.0.abs_diff(place as u32) <= 1)
    );
    assert!(
        arrived
            .iter()
            .all(|(_, left, arrived)| arrived - left > 19.99)
    );
}

#[test]
fn a_packet_with_none_behind_it_is_not_held_for_ever() {
    let mut link = link("rate = '1Mbit'\ndelay = '20ms'\nreorder = 0.5");
    let outcomes = run(&mut link, 200, millis(200), 1250);
    let arrived = arrivals(&outcomes);
    assert!(arrived.is_sorted_by_key(|arrival| arrival.0));
    let held = arrived
        .iter()
        .filter(|(_, left, arrived)| arrived - left > 69.0)
        .count();
    assert!((70..130).contains(&held), "{held}");
    assert_eq!(arrived.len(), 200);
}

#[test]
fn a_policer_lets_a_burst_through_and_then_its_rate_and_nothing_waits() {
    let mut link =
        link("rate = '100Mbit'\npolicer = { rate = '1.2Mbit', burst = '15kB' }\nqueue = '1MB'");
    // 1500 bytes every 5 ms are 2.4 Mbit/s.
    let outcomes = run(&mut link, 400, millis(5), 1500);
    let lost = losses(&outcomes);
    assert!(lost.iter().all(|lost| lost.1 == Cause::Queue));
    // Ten of the bucket last for as many again that it is filled with meanwhile.
    assert!((17..=20).contains(&lost[0].0), "{lost:?}");
    assert_eq!(lost.len(), 400 - 10 - 200 + 1);
    let waited = |outcome: &Outcome<u32>| match outcome {
        Outcome::Delivered { offered, left, .. } => *left - *offered,
        Outcome::Lost { .. } => Duration::ZERO,
    };
    assert!(outcomes.iter().map(waited).max() < Some(millis(1)));
    let config = "rate = '100Mbit'\npolicer = { rate = '1.2Mbit', burst = '15kB' }";
    let config: LinkConfig = toml::from_str(config).unwrap();
    let capacity = config.capacity(Path::new("")).unwrap();
    assert_eq!(capacity.bytes_between(millis(0), millis(2000)), 300_000);
    assert_eq!(capacity.rate_at(millis(5)).bits_per_second(), 1_200_000);
}
