//! Packets per second of real time that the link model carries, by what it does with them.

use std::{hint::black_box, path::Path, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use raq_sim::link::{Link, LinkConfig, Packet};

/// Packets of a run.
const PACKETS: u32 = 20_000;

fn link(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("link");
    group.throughput(Throughput::Elements(PACKETS.into()));
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for (name, toml) in [
        ("rate", "rate = '10Mbit'"),
        ("trace of rates", "trace = 'starlink.down'"),
        ("trace of opportunities", "trace = 'lte.down'"),
        (
            "loss and jitter",
            "rate = '10Mbit'\nloss = 0.05\nburst = 3\njitter = '5ms'",
        ),
        ("codel", "rate = '10Mbit'\ndiscipline = 'codel'"),
        ("bulk flow", "rate = '10Mbit'\ncross = [{ kind = 'bulk' }]"),
    ] {
        let config: LinkConfig = toml::from_str(&format!("delay = '20ms'\n{toml}")).unwrap();
        let capacity = config.capacity(&trace).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut link = Link::new(&config, capacity.clone(), 1);
                for number in 0..PACKETS {
                    let now = Duration::from_millis(1) * number;
                    while let Some(outcome) = link.poll(now) {
                        black_box(outcome);
                    }
                    let packet = Packet {
                        bytes: 1200,
                        delay: None,
                        payload: number,
                    };
                    link.offer(now, packet);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, link);
criterion_main!(benches);
