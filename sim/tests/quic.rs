//! Sessions over quinn itself, and the model of quinn beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use raq_sim::{
    agree::{Cell, Figures},
    record::{DatagramRow, Direction, Kind, Mode, Run},
    run::Plan,
    scenario::Loaded,
    summary::Summary,
};
use tempfile::tempdir;

/// Runs a policy over a scenario of the catalogue, with what `--set` would set.
fn run(
    folder: &Path,
    mode: Mode,
    seed: u64,
    scenario: &str,
    policy: &str,
    set: &[&str],
) -> Summary {
    let set: Vec<_> = set.iter().map(ToString::to_string).collect();
    let plan = Plan {
        loaded: Loaded::read(Path::new(scenario), &set).unwrap(),
        seed,
        policies: vec![policy.parse().unwrap()],
        mode,
        out: folder.to_owned(),
    };
    plan.carry_out(|_| {}).unwrap()
}

/// Runs in both modes; figures, and the mean bytes of packets with media.
fn both(scenario: &str, policy: &str, set: &[&str]) -> [(Figures, f64); 2] {
    [Mode::Sessions, Mode::Quic].map(|mode| {
        let folder = tempdir().unwrap();
        let summary = run(folder.path(), mode, 3, scenario, policy, set);
        let rows = Run::read(folder.path())
            .unwrap()
            .policies
            .remove(0)
            .datagrams;
        let used = summary.figure(policy, "use").unwrap();
        (Figures::of(&rows, used).unwrap(), packet_bytes(&rows))
    })
}

/// Datagrams that share a packet are offered and leave together; on a link of constant rate, others
/// do not.
fn packet_bytes(rows: &[DatagramRow]) -> f64 {
    let media = |row: &&DatagramRow| {
        row.direction == Direction::Down && row.kind == Kind::Media && row.left_us.is_some()
    };
    let rows: Vec<_> = rows.iter().filter(media).collect();
    let packets = rows.chunk_by(|a, b| (a.offered_us, a.left_us) == (b.offered_us, b.left_us));
    let bytes: u32 = rows.iter().map(|row| row.bytes).sum();
    f64::from(bytes) / packets.count() as f64
}

fn modes_agree(scenario: &str, set: &[&str]) {
    // Salsify's frames follow single arrivals, so that a microsecond's difference leads to other
    // frames after a second: their packets are alike only in the mean.
    for (policy, near) in [("fixed:800", 0.01), ("salsify", 0.02)] {
        let [(model, packet), (quinn, other)] = both(scenario, policy, set);
        let found = format!("{policy}: {model:?}, {quinn:?}");
        assert!(
            (model.queue_p95_ms - quinn.queue_p95_ms).abs() <= 5.0,
            "{found}"
        );
        assert!(
            (model.used_share - quinn.used_share).abs() <= 0.03,
            "{found}"
        );
        assert!(
            (packet / other - 1.0).abs() < near,
            "{policy}: {packet}, {other} bytes a packet"
        );
    }
}

#[test]
fn modes_agree_where_the_capacity_changes() {
    modes_agree("rfc8867-5.1", &[]);
}

#[test]
fn modes_agree_where_packets_are_lost() {
    modes_agree("loss-5", &[]);
}

#[test]
fn modes_agree_where_the_link_is_away() {
    modes_agree("outage-1s", &["link.down.rate=1Mbit"]);
}

#[test]
fn other_traffic_is_the_same_in_both_modes() {
    let cross = |mode| {
        let folder = tempdir().unwrap();
        run(
            folder.path(),
            mode,
            3,
            "rfc8867-5.6",
            "fixed:300",
            &["duration=20s"],
        );
        let rows = Run::read(folder.path())
            .unwrap()
            .policies
            .remove(0)
            .datagrams;
        let cross = rows
            .iter()
            .filter(|row| row.kind == Kind::Cross && row.lost.is_none());
        cross.map(|row| f64::from(row.bytes)).sum::<f64>()
    };
    let [model, quinn] = [Mode::Sessions, Mode::Quic].map(cross);
    assert!(model > 500_000.0, "{model}");
    assert!((0.97..1.03).contains(&(model / quinn)), "{model} {quinn}");
}

#[test]
fn modes_agree_on_a_trace() {
    modes_agree("lte", &["duration=60s"]);
}

/// In real time, so only that it gets through is looked at: `raq-sim agree` looks closer.
#[test]
fn a_flow_gets_through_real_sockets_and_the_relay() {
    let length = Duration::from_secs(1);
    let [fixed, _] = Cell::pair(Path::new("rfc8867-5.1"), length).unwrap();
    let figures = fixed.run(Mode::Relay).unwrap();
    assert!(figures.used_share > 0.3, "{figures:?}");
    assert!(figures.queue_p95_ms > 1.0, "{figures:?}");
}

/// raq lives by quinn's window, which the model must grow and shrink alike.
#[test]
fn modes_agree_about_the_window() {
    let [(model, packet), (quinn, other)] = both("rfc8867-5.1", "raq", &[]);
    assert!(
        (model.used_share - quinn.used_share).abs() <= 0.03,
        "{model:?}, {quinn:?}"
    );
    assert!(
        (0.99..1.01).contains(&(packet / other)),
        "{packet}, {other} bytes a packet"
    );
    // A window that is out of force lets through as much as the media can use, and loses it.
    let [_, (fixed, _)] = both("rfc8867-5.1", "fixed:1500", &[]);
    assert!(
        quinn.queue_p95_ms < 0.9 * fixed.queue_p95_ms,
        "{quinn:?}, {fixed:?}"
    );
}

/// All files of a folder and of those in it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_run_over_quinn_is_its_seeds() {
    let flows = r#"flow=[{}, {start="2s", delay="30ms"}, {start="4s", stop="8s"}]"#;
    let set = ["duration=10s", flows];
    let records = |seed, policy| {
        let folder = tempdir().unwrap();
        run(folder.path(), Mode::Quic, seed, "loss-5", policy, &set);
        let files = files(folder.path()).into_iter();
        let named = files
            .map(|(path, bytes)| (path.strip_prefix(folder.path()).unwrap().to_owned(), bytes));
        named.collect::<Vec<_>>()
    };
    for policy in ["raq", "salsify"] {
        let once = records(1, policy);
        assert!(once.iter().any(|(path, bytes)| {
            path.ends_with("datagrams.csv") && bytes.iter().filter(|&&it| it == b'\n').count() > 500
        }));
        assert!(once == records(1, policy), "{policy}: two runs differ");
        let of = |records: &[(PathBuf, Vec<u8>)]| {
            let mut records = records.iter();
            records
                .find(|(path, _)| path.ends_with("datagrams.csv"))
                .unwrap()
                .1
                .clone()
        };
        assert!(
            of(&once) != of(&records(2, policy)),
            "{policy}: the seed changes nothing"
        );
    }
}
