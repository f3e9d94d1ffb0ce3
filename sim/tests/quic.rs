//! Sessions over quinn itself, and the model of quinn beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use raq_sim::{
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

/// Packets with media: datagrams that share one are offered and leave together.
fn media_packets(folder: &Path) -> Vec<u32> {
    let rows = Run::read(folder).unwrap().policies.remove(0).datagrams;
    let media = |row: &&DatagramRow| row.direction == Direction::Down && row.kind == Kind::Media;
    let rows: Vec<_> = rows.iter().filter(media).collect();
    let together = |a: &&DatagramRow, b: &&DatagramRow| {
        a.left_us.is_some() && (a.offered_us, a.left_us) == (b.offered_us, b.left_us)
    };
    let packets = rows.chunk_by(together);
    packets
        .map(|packet| packet.iter().map(|row| row.bytes).sum())
        .collect()
}

fn mean(values: &[u32]) -> f64 {
    values.iter().sum::<u32>() as f64 / values.len() as f64
}

/// Both modes' figure and how far they are apart.
fn apart(found: &[Summary; 2], policy: &str, name: &str) -> (f64, [f64; 2]) {
    let values = [0, 1].map(|mode| found[mode].figure(policy, name).unwrap());
    ((values[0] - values[1]).abs(), values)
}

fn modes_agree(scenario: &str, set: &[&str]) {
    for policy in ["fixed:800", "salsify"] {
        let folders = [tempdir().unwrap(), tempdir().unwrap()];
        let modes = [Mode::Sessions, Mode::Quic];
        let found = [0, 1].map(|n| run(folders[n].path(), modes[n], 3, scenario, policy, set));
        let (difference, values) = apart(&found, policy, "queue_ms.p95");
        assert!(difference <= 5.0, "{policy}: queue p95 {values:?} ms");
        let (difference, values) = apart(&found, policy, "use");
        assert!(difference <= 0.03, "{policy}: use {values:?}");
        let means = folders
            .each_ref()
            .map(|folder| mean(&media_packets(folder.path())));
        let ratio = means[0] / means[1];
        assert!(
            (0.99..1.01).contains(&ratio),
            "{policy}: {means:?} bytes per packet"
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
fn modes_agree_on_a_trace() {
    modes_agree("lte", &["duration=60s"]);
}

/// raq lives by quinn's window, which the model must grow and shrink alike.
#[test]
fn modes_agree_about_the_window() {
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let modes = [Mode::Sessions, Mode::Quic];
    let found = [0, 1].map(|n| run(folders[n].path(), modes[n], 3, "rfc8867-5.1", "raq", &[]));
    let (difference, values) = apart(&found, "raq", "use");
    assert!(difference <= 0.03, "use {values:?}");
    assert!(values[1] < 1.0, "{values:?}");
    let (difference, values) = apart(&found, "raq", "queue_ms.p50");
    assert!(difference <= 5.0, "queue p50 {values:?} ms");
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
