use std::{path::Path, time::Duration};

use crate::link::{Link, LinkConfig, LinkError, Outcome, Packet};

const SECOND: Duration = Duration::from_secs(1);

fn link(toml: &str, seed: u64) -> Link<()> {
    let config: LinkConfig = toml::from_str(toml).unwrap();
    let capacity = config.capacity(Path::new("")).unwrap();
    Link::new(&config, capacity, seed)
}

/// Bytes of other traffic that arrive in each second.
fn delivered(link: &mut Link<()>, seconds: u32) -> Vec<u64> {
    let mut before = 0;
    let each = |second| {
        assert_eq!(link.poll(SECOND * (second + 1)), None);
        let now = link.cross().delivered;
        now - std::mem::replace(&mut before, now)
    };
    (0..seconds).map(each).collect()
}

fn kbps(bytes: &[u64]) -> f64 {
    bytes.iter().sum::<u64>() as f64 * 8.0 / 1000.0 / bytes.len() as f64
}

#[test]
fn constant_traffic_is_as_it_says() {
    let toml = "rate = '5Mbit'\ndelay = '10ms'\n\
        cross = [{ kind = 'constant', rate = '1Mbit', start = '2s', stop = '5s' }]";
    let each = delivered(&mut link(toml, 1), 8);
    assert_eq!(each[..2], [0, 0]);
    assert!((kbps(&each[2..5]) - 1000.0).abs() < 15.0, "{each:?}");
    assert!(each[5..].iter().sum::<u64>() <= 1500, "{each:?}");
}

#[test]
fn on_off_traffic_is_on_for_its_share_of_the_time() {
    let toml = "rate = '50Mbit'\n\
        cross = [{ kind = 'on-off', rate = '3Mbit', on = '500ms', off = '1s' }]";
    let each = delivered(&mut link(toml, 1), 3000);
    assert!((kbps(&each) / 1000.0 - 1.0).abs() < 0.07, "{}", kbps(&each));
    assert!(each.contains(&0), "some seconds are silent");
    assert!(each.iter().any(|&bytes| bytes > 370_000), "some are full");
    assert_ne!(each, delivered(&mut link(toml, 2), 3000));
    assert_eq!(each, delivered(&mut link(toml, 1), 3000));
}

#[test]
fn a_bulk_flow_fills_the_link_and_its_queue() {
    let toml = "rate = '2Mbit'\ndelay = '50ms'\nqueue = '300ms'\ncross = [{ kind = 'bulk' }]";
    let mut alone = link(toml, 1);
    let each = delivered(&mut alone, 60);
    assert!(kbps(&each[5..]) > 1800.0, "{each:?}");
    let counts = alone.cross();
    let lost = counts.lost as f64 / counts.offered as f64;
    assert!(lost > 0.0 && lost < 0.03, "{counts:?}");
    assert!(counts.delivered + counts.lost <= counts.offered);
    // An own packet now and then finds a queue that is mostly half full or more.
    let mut shared = link(toml, 1);
    let mut waits = Vec::new();
    for tick in 50..600 {
        let now = Duration::from_millis(100) * tick;
        shared.offer(
            now,
            Packet {
                bytes: 100,
                delay: None,
                payload: (),
            },
        );
        while let Some(outcome) = shared.poll(now) {
            if let Outcome::Delivered { offered, left, .. } = outcome {
                waits.push(left - offered);
            }
        }
    }
    waits.sort_unstable();
    let median = waits[waits.len() / 2].as_millis();
    assert!((150..300).contains(&median), "{median} ms");
}

#[test]
fn codel_keeps_the_queue_of_a_bulk_flow_near_its_target() {
    let wait = |discipline: &str| {
        let toml = format!(
            "rate = '10Mbit'\ndelay = '20ms'\nqueue = '300ms'\ndiscipline = '{discipline}'\n\
             cross = [{{ kind = 'bulk' }}]"
        );
        let mut link = link(&toml, 1);
        let mut waits = Vec::new();
        for tick in 200..3000 {
            let now = Duration::from_millis(20) * tick;
            link.offer(
                now,
                Packet {
                    bytes: 100,
                    delay: None,
                    payload: (),
                },
            );
            while let Some(outcome) = link.poll(now) {
                if let Outcome::Delivered { offered, left, .. } = outcome {
                    waits.push(left - offered);
                }
            }
        }
        let delivered = link.cross().delivered as f64 * 8.0 / 60.0 / 10e6;
        assert!(delivered > 0.85, "{discipline}: {delivered} of the link");
        waits.sort_unstable();
        waits[waits.len() / 2].as_secs_f64() * 1e3
    };
    let (droptail, codel) = (wait("droptail"), wait("codel"));
    assert!(droptail > 100.0, "{droptail} ms");
    assert!(codel < 12.0, "{codel} ms");
}

#[test]
fn bulk_flows_share() {
    let toml = "rate = '2Mbit'\ndelay = '50ms'\nqueue = '300ms'\n\
        cross = [{ kind = 'bulk' }, { kind = 'bulk', start = '20s' }]";
    let mut together = link(toml, 1);
    let each = delivered(&mut together, 200);
    assert!(kbps(&each[5..]) > 1800.0);
    let flows = together.cross_delivered();
    let share = flows[1] as f64 / flows.iter().sum::<u64>() as f64;
    assert!((0.3..0.6).contains(&share), "{flows:?}");
}

#[test]
fn outcomes_of_other_traffic_are_told_to_those_who_ask() {
    let toml = "rate = '1Mbit'\ndelay = '10ms'\nqueue = '50ms'\n\
        cross = [{ kind = 'constant', rate = '500kbit' }, { kind = 'bulk' }]";
    let mut link = link(toml, 1);
    assert_eq!(link.poll_cross(SECOND), None);
    let before = link.cross();
    link.watch_cross();
    let end = 20 * SECOND;
    let all: Vec<_> = std::iter::from_fn(|| link.poll_cross(end)).collect();
    assert!(all.is_sorted_by_key(Outcome::at));
    let bytes = |lost: bool| {
        let some = all
            .iter()
            .filter(|o| matches!(o, Outcome::Lost { .. }) == lost);
        some.count() as u64 * 1500
    };
    let counts = link.cross();
    assert_eq!(counts.lost - before.lost, bytes(true));
    // What was on its way when it began was not told.
    let delivered = counts.delivered - before.delivered;
    assert!(
        (delivered - 6000..=delivered).contains(&bytes(false)),
        "{}",
        bytes(false)
    );
    let flow = |outcome: &Outcome<usize>| match outcome {
        Outcome::Delivered { packet, .. } | Outcome::Lost { packet, .. } => packet.payload,
    };
    assert!((0..2).all(|number| all.iter().any(|outcome| flow(outcome) == number)));
}

#[test]
fn short_flows_send_their_mean_and_pause() {
    // Transfers of 50 kB take about half a second on a link of 20 Mbit/s, pauses 2 s.
    let toml = "rate = '20Mbit'\ndelay = '25ms'\n\
        cross = [{ kind = 'short', flows = 10, size = '50kB', pause = '2s', stop = '900s' }]";
    let mut some = link(toml, 1);
    let each = delivered(&mut some, 1000);
    let mean = kbps(&each[..900]);
    // Between 10 · 50 kB every 2.1 and every 2.5 s.
    assert!((1600.0..2000.0).contains(&mean), "{mean} kbit/s");
    assert_eq!(each[910..].iter().sum::<u64>(), 0, "they stop");
}

#[test]
fn a_flow_survives_an_outage() {
    let toml = "rate = '2Mbit'\ndelay = '50ms'\nqueue = '300ms'\n\
        outage = [{ at = '10s', length = '5s' }]\ncross = [{ kind = 'bulk' }]";
    let each = delivered(&mut link(toml, 1), 30);
    assert_eq!(each[11..14].iter().sum::<u64>(), 0);
    assert!(kbps(&each[20..]) > 1700.0, "{each:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (cross, key) in [
        ("kind = 'constant', rate = '0bit'", "cross.rate"),
        (
            "kind = 'constant', rate = '1Mbit', start = '2s', stop = '2s'",
            "cross.stop",
        ),
        (
            "kind = 'on-off', rate = '1Mbit', on = '0s', off = '1s'",
            "cross.on",
        ),
        (
            "kind = 'on-off', rate = '1Mbit', on = '1s', off = '0s'",
            "cross.off",
        ),
        ("kind = 'short', flows = 0", "cross.flows"),
        ("kind = 'short', flows = 100000", "cross.flows"),
        ("kind = 'short', pause = '0s'", "cross.pause"),
    ] {
        let toml = format!("rate = '1Mbit'\ncross = [{{ {cross} }}]");
        let config: LinkConfig = toml::from_str(&toml).unwrap();
        let error = config.check().unwrap_err();
        assert!(
            matches!(error, LinkError::Value { key: k, .. } if k == key),
            "{cross}: {error}"
        );
    }
    for cross in [
        "kind = 'tcp'",
        "rate = '1Mbit'",
        "kind = 'bulk', rate = '1Mbit'",
        "kind = 'constant'",
        "kind = 'short', size = '0B'",
        "kind = 'short', flows = -1",
    ] {
        let toml = format!("rate = '1Mbit'\ncross = [{{ {cross} }}]");
        assert!(toml::from_str::<LinkConfig>(&toml).is_err(), "{cross}");
    }
}

#[test]
fn other_traffic_does_not_depend_on_who_looks() {
    for more in [
        "",
        "discipline = 'codel'",
        "reorder = 0.4\nloss = 0.3",
        "reorder = 0.2\ndelay = '30ms'",
    ] {
        let toml = format!(
            "rate = '1Mbit'\nqueue = '100ms'\nduplicate = 0.1\n{more}\n\
             cross = [{{ kind = 'bulk' }}, {{ kind = 'constant', rate = '4kbit' }}]"
        );
        let (mut often, mut once) = (link(&toml, 1), link(&toml, 1));
        let end = 30 * SECOND;
        (0..30_000).for_each(|tick| while often.poll(Duration::from_millis(1) * tick).is_some() {});
        assert_eq!(often.poll(end), None);
        assert_eq!(once.poll(end), None);
        assert_eq!(often.cross(), once.cross(), "{more}");
        assert_eq!(often.cross_delivered(), once.cross_delivered(), "{more}");
    }
}
