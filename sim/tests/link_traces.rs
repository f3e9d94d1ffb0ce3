//! The traces in `sim/traces`, and those of others under `$RAQ_DATA`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use raq_shared::paths::outside_data;
use raq_sim::link::{Capacity, LinkConfig, Trace, generate::Model, trace::Form};
use raq_skips::skip;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

fn capacity(trace: &Path) -> Capacity {
    let config = LinkConfig {
        trace: Some(trace.to_str().unwrap().to_owned()),
        ..LinkConfig::default()
    };
    config.capacity(Path::new("")).unwrap()
}

/// Mbit/s in every span of `length`.
fn rates(capacity: &Capacity, length: Duration) -> Vec<f64> {
    let round = capacity.round().unwrap();
    let spans = (round.as_nanos() / length.as_nanos()) as u32;
    let rate = |span| {
        let bytes = capacity.bytes_between(length * span, length * (span + 1));
        bytes as f64 * 8.0 / 1e6 / length.as_secs_f64()
    };
    (0..spans).map(rate).collect()
}

fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len() as f64
}

/// Lengths in ms of the spans in which nothing is carried, from 100 ms on.
fn silences(capacity: &Capacity) -> Vec<usize> {
    let rates = rates(capacity, Duration::from_millis(10));
    let silent = rates.chunk_by(|a, b| (*a == 0.0) == (*b == 0.0));
    let lengths = silent
        .filter(|span| span[0] == 0.0)
        .map(|span| span.len() * 10);
    lengths.filter(|&length| length >= 100).collect()
}

#[test]
fn the_committed_traces_are_those_of_the_models() {
    for model in Model::ALL {
        let path = folder().join(model.file());
        let text = fs::read_to_string(&path).unwrap();
        // To write them anew: cargo run -p raq-sim --example traces
        assert!(
            text == model.trace(1),
            "{} is not what its model makes",
            path.display()
        );
        assert!(text != model.trace(2));
        assert!(text.len() < 400_000, "{} bytes", text.len());
        let trace = Trace::read(&path).unwrap();
        assert!(trace.duration() > Duration::from_secs(119));
    }
}

#[test]
fn the_committed_traces_are_like_what_they_model() {
    let lte = capacity(&folder().join("lte.down"));
    let seconds = rates(&lte, Duration::from_secs(1));
    assert!((4.0..6.0).contains(&mean(&seconds)), "{}", mean(&seconds));
    let faded = seconds.iter().filter(|&&rate| rate < 0.7).count();
    assert!((2..15).contains(&faded), "{faded} s below 0.7 Mbit/s");
    assert!(seconds.iter().any(|&rate| rate > 10.0));
    let outages = silences(&lte).iter().filter(|&&ms| ms >= 200).count();
    assert!((4..40).contains(&outages), "{outages}");
    assert!(
        silences(&lte).iter().all(|&ms| ms < 1500),
        "{:?}",
        silences(&lte)
    );

    let starlink = capacity(&folder().join("starlink.down"));
    let seconds = rates(&starlink, Duration::from_secs(1));
    assert!((10.0..14.0).contains(&mean(&seconds)), "{}", mean(&seconds));
    assert!(
        (3..=8).contains(&silences(&starlink).len()),
        "{:?}",
        silences(&starlink)
    );

    let poisson = capacity(&folder().join("poisson.down"));
    let tenths = rates(&poisson, Duration::from_millis(100));
    assert!((0.54..0.60).contains(&mean(&tenths)), "{}", mean(&tenths));
    // 4.75 packets in a tenth of a second: their variance is their mean.
    let packets: Vec<f64> = tenths.iter().map(|rate| rate / 0.12).collect();
    let squares: Vec<f64> = packets.iter().map(|count| count * count).collect();
    let variance = mean(&squares) - mean(&packets).powi(2);
    assert!((variance / mean(&packets) - 1.0).abs() < 0.15, "{variance}");

    for (name, most) in [("lte.up", 1.5), ("starlink.up", 2.5)] {
        let up = mean(&rates(
            &capacity(&folder().join(name)),
            Duration::from_secs(1),
        ));
        assert!(up > 0.6 && up < most, "{name}: {up}");
    }
}

/// Lengths and means, weighted with time and without the last rate, were computed by another
/// program.
#[test]
fn recorded_traces_are_understood() {
    let traces = outside_data().join("traces");
    if !traces.is_dir() {
        return skip("no recorded traces; set RAQ_DATA to the folder of outside data");
    }
    for (name, form, seconds, mbps) in [
        (
            "mahimahi/ATT-LTE-driving.down",
            Form::Mahimahi,
            786.1,
            5.173,
        ),
        (
            "mahimahi/TMobile-UMTS-driving.down",
            Form::Mahimahi,
            928.4,
            2.020,
        ),
        (
            "fcc/trace_458_http---www.amazon.com",
            Form::Cooked,
            535.0,
            2.189,
        ),
        ("oboe/oboe_trace_22.txt", Form::Cooked, 175.2, 3.377),
        (
            "lumos5g/4g_trace_driving_50151_dr",
            Form::Cooked,
            249.0,
            50.185,
        ),
        (
            "starlink_nuwins/starlink_tcp_uplink_20240528_144000726.csv",
            Form::Csv,
            119.9,
            7.606,
        ),
        (
            "cellular_nuwins/att_udp_uplink_20240529_161402833.csv",
            Form::Csv,
            121.6,
            7.724,
        ),
        ("alphartc/4G_500kbps.json", Form::AlphaRtc, 106.0, 0.498),
        ("alphartc/WIRED_900kbs.json", Form::AlphaRtc, 57.6, 0.863),
    ] {
        let path = traces.join(name);
        let trace = Trace::read(&path).unwrap();
        assert_eq!(trace.form(), form, "{name}");
        // The list leaves out the last rate, which here holds for as long as the one before.
        let length = trace.duration().as_secs_f64();
        assert!(
            (-0.1..12.0).contains(&(length - seconds)),
            "{name}: {length} s"
        );
        let end = Duration::from_secs_f64(seconds);
        let bytes = capacity(&path).bytes_between(Duration::ZERO, end);
        let mean = bytes as f64 * 8.0 / 1e6 / seconds;
        assert!((mean / mbps - 1.0).abs() < 0.01, "{name}: {mean} Mbit/s");
    }
}
