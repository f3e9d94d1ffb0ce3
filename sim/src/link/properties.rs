//! What holds for every link.

use std::{collections::BTreeMap, path::Path, time::Duration};

use proptest::prelude::*;

use super::{Cause, Link, LinkConfig, Outcome, Packet};

/// Any link, as a scenario would have it.
fn any_link() -> impl Strategy<Value = LinkConfig> {
    let rate = prop_oneof![
        Just("rate = '1Mbit'"),
        Just("rate = '300kbit'"),
        Just("step = [{at='0s', rate='2Mbit'}, {at='1s', rate='0bit'}, {at='2s', rate='1Mbit'}]"),
    ];
    let queue = prop_oneof![
        Just("queue = '10 packets'"),
        Just("queue = '20kB'"),
        Just("queue = '100ms'"),
        Just("queue = '50ms'\ndiscipline = 'codel'"),
        Just("queue = '1MB'\ndiscipline = 'codel'"),
    ];
    let delay = prop_oneof![
        Just(""),
        Just("delay = '30ms'"),
        Just("delay='9ms'\njitter='8ms'")
    ];
    let loss = prop_oneof![Just(""), Just("loss = 0.2"), Just("loss = 0.3\nburst = 2")];
    let order = prop_oneof![Just(""), Just("reorder = 0.2")];
    let copies = prop_oneof![Just(""), Just("duplicate = 0.2")];
    let outage = prop_oneof![
        Just(""),
        Just("outage = [{at = '500ms', length = '700ms'}]")
    ];
    let cross = prop_oneof![
        Just(""),
        Just("cross = [{kind='bulk'}, {kind='constant', rate='100kbit', start='1s'}]"),
        Just(
            "cross = [{kind='short', pause='500ms'}, {kind='on-off', rate='1Mbit', on='100ms', off='200ms'}]"
        ),
    ];
    let parts = (rate, queue, delay, loss, order, copies, outage, cross);
    parts.prop_map(|(a, b, c, d, e, f, g, h)| {
        let toml = [a, b, c, d, e, f, g, h].join("\n");
        toml::from_str(&toml).unwrap()
    })
}

/// Packets: the pause before each in ms, and its bytes.
fn any_packets() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0u64..40, 0u32..3000), 1..150)
}

fn new(config: &LinkConfig, seed: u64) -> Link<usize> {
    let capacity = config.capacity(Path::new("")).unwrap();
    Link::new(config, capacity, seed)
}

/// What becomes of the packets if the link is polled whenever it wants, and for a minute after.
fn outcomes(config: &LinkConfig, packets: &[(u64, u32)], seed: u64) -> Vec<Outcome<usize>> {
    let mut link = new(config, seed);
    let mut all = Vec::new();
    let mut now = Duration::ZERO;
    let mut poll = |link: &mut Link<usize>, until: Duration| {
        while let Some(at) = link.wake().filter(|&at| at <= until) {
            all.extend(std::iter::from_fn(|| link.poll(at)));
        }
    };
    for (number, &(pause, bytes)) in packets.iter().enumerate() {
        now += Duration::from_millis(pause);
        poll(&mut link, now);
        let packet = Packet {
            bytes,
            delay: None,
            payload: number,
        };
        link.offer(now, packet);
    }
    poll(&mut link, now + Duration::from_secs(60));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_packet_arrives_or_is_lost_for_a_reason(
        config in any_link(), packets in any_packets(), seed: u64,
    ) {
        let mut fates: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for outcome in outcomes(&config, &packets, seed) {
            match outcome {
                Outcome::Delivered { packet, offered, left, arrived } => {
                    prop_assert!(offered <= left);
                    let delay = config.delay.0.saturating_sub(config.jitter.0);
                    prop_assert!(left + delay <= arrived);
                    prop_assert_eq!(packet.bytes, packets[packet.payload].1);
                    fates.entry(packet.payload).or_default().0 += 1;
                }
                Outcome::Lost { packet, offered, at, cause } => {
                    prop_assert!(offered <= at);
                    match cause {
                        Cause::Outage => {
                            let outage = config.outages[0];
                            prop_assert!(offered >= outage.at.0);
                            prop_assert!(offered < outage.at.0 + outage.length.0);
                        }
                        Cause::Queue => {}
                        Cause::Random => prop_assert!(config.loss > 0.0),
                    }
                    fates.entry(packet.payload).or_default().1 += 1;
                }
            }
        }
        prop_assert_eq!(fates.len(), packets.len());
        for fate in fates.values() {
            let duplicate = *fate == (2, 0) && config.duplicate > 0.0;
            prop_assert!(matches!(fate, (1, 0) | (0, 1)) || duplicate, "{:?}", fate);
        }
    }

    #[test]
    fn outcomes_come_in_order_and_packets_too(
        config in any_link(), packets in any_packets(), seed: u64,
    ) {
        let all = outcomes(&config, &packets, seed);
        prop_assert!(all.is_sorted_by_key(Outcome::at));
        let arrived: Vec<usize> = all
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Delivered { packet, .. } => Some(packet.payload),
                Outcome::Lost { .. } => None,
            })
            .collect();
        if config.reorder == 0.0 {
            prop_assert!(arrived.is_sorted());
        }
    }

    #[test]
    fn no_more_is_sent_than_the_link_carries(
        config in any_link(), packets in any_packets(), seed: u64,
    ) {
        let capacity = config.capacity(Path::new("")).unwrap();
        let mut sent: Vec<(Duration, usize)> = outcomes(&config, &packets, seed)
            .into_iter()
            .filter_map(|outcome| match outcome {
                Outcome::Delivered { packet, left, .. } => Some((left, packet.payload)),
                Outcome::Lost { packet, at, cause: Cause::Random, .. } => Some((at, packet.payload)),
                Outcome::Lost { .. } => None,
            })
            .collect();
        sent.sort_unstable();
        sent.dedup();
        for (first, &(from, _)) in sent.iter().enumerate() {
            // The packet at the beginning of the window may have been sent before it.
            let mut bytes = 0;
            for &(to, number) in &sent[first + 1..] {
                bytes += u64::from(packets[number].1);
                let most = capacity.bytes_between(from, to) + 1;
                prop_assert!(bytes <= most, "{} of {} bytes in {:?}..{:?}", bytes, most, from, to);
            }
        }
    }

    #[test]
    fn how_often_it_is_polled_changes_nothing(
        config in any_link(), packets in any_packets(), seed: u64, tick in 1u64..50,
    ) {
        let mut link = new(&config, seed);
        let mut all = Vec::new();
        let mut now = Duration::ZERO;
        let mut last = Duration::ZERO;
        let mut poll = |link: &mut Link<usize>, until: Duration| {
            while last + Duration::from_millis(tick) <= until {
                last += Duration::from_millis(tick);
                all.extend(std::iter::from_fn(|| link.poll(last)));
            }
        };
        for (number, &(pause, bytes)) in packets.iter().enumerate() {
            now += Duration::from_millis(pause);
            poll(&mut link, now);
            link.offer(now, Packet { bytes, delay: None, payload: number });
        }
        poll(&mut link, now + Duration::from_secs(61));
        prop_assert_eq!(all, outcomes(&config, &packets, seed));
    }

    #[test]
    fn it_never_wants_to_be_polled_in_the_past(
        config in any_link(), packets in any_packets(), seed: u64,
    ) {
        let mut link = new(&config, seed);
        let mut now = Duration::ZERO;
        for (number, &(pause, bytes)) in packets.iter().enumerate() {
            now += Duration::from_millis(pause);
            while link.poll(now).is_some() {}
            prop_assert!(link.wake().is_none_or(|at| at > now));
            link.offer(now, Packet { bytes, delay: None, payload: number });
            prop_assert!(link.wake().is_none_or(|at| at >= now));
        }
    }

    #[test]
    fn the_queue_holds_no_more_than_it_may(
        config in any_link(), packets in any_packets(), seed: u64,
    ) {
        use super::QueueSize;
        let capacity = config.capacity(Path::new("")).unwrap();
        let mut link = new(&config, seed);
        let mut now = Duration::ZERO;
        let mut most = 3000;
        for (number, &(pause, bytes)) in packets.iter().enumerate() {
            now += Duration::from_millis(pause);
            while link.poll(now).is_some() {}
            let before = link.queued_bytes();
            link.offer(now, Packet { bytes, delay: None, payload: number });
            let bound = match config.queue {
                QueueSize::Bytes(bytes) => bytes,
                QueueSize::Packets(count) => u64::from(count) * 3000,
                QueueSize::Time(time) => {
                    // The rate may have fallen since the queue was filled.
                    let rate = capacity.rate_at(now).bits_per_second();
                    let now = rate as f64 * time.as_secs_f64() / 8.0;
                    most = most.max(now as u64);
                    most
                }
            };
            prop_assert!(link.queued_bytes() <= bound.max(before));
        }
    }
}
