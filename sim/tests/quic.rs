//! Sessions over quinn itself, and the model of quinn beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use raq_sim::{
    agree::Figures,
    record::{Mode, Run},
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

/// The same in both modes.
fn figures(scenario: &str, policy: &str, set: &[&str]) -> [Figures; 2] {
    [Mode::Sessions, Mode::Quic].map(|mode| {
        let folder = tempdir().unwrap();
        let summary = run(folder.path(), mode, 3, scenario, policy, set);
        let records = Run::read(folder.path()).unwrap();
        let used = summary.figure(policy, "use").unwrap();
        Figures::of(&records.policies[0].datagrams, used).unwrap()
    })
}

fn modes_agree(scenario: &str, set: &[&str]) {
    for policy in ["fixed:800", "salsify"] {
        let [model, quinn] = figures(scenario, policy, set);
        let found = format!("{policy}: {model:?}, {quinn:?}");
        assert!(
            (model.queue_p95_ms - quinn.queue_p95_ms).abs() <= 5.0,
            "{found}"
        );
        assert!(
            (model.used_share - quinn.used_share).abs() <= 0.03,
            "{found}"
        );
        let ratio = model.packet_bytes / quinn.packet_bytes;
        assert!((0.99..1.01).contains(&ratio), "{found}");
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
    let [model, quinn] = figures("rfc8867-5.1", "raq", &[]);
    assert!(
        (model.used_share - quinn.used_share).abs() <= 0.03,
        "{model:?}, {quinn:?}"
    );
    let ratio = model.packet_bytes / quinn.packet_bytes;
    assert!((0.99..1.01).contains(&ratio), "{model:?}, {quinn:?}");
    // A window that is out of force lets through as much as the media can use, and loses it.
    let [_, fixed] = figures("rfc8867-5.1", "fixed:1500", &[]);
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
