//! The scenarios that come with the program: each runs, and runs alike.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use raq_shared::paths;
use raq_sim::{
    policy::PolicyName,
    record::Mode,
    run::Plan,
    scenario::{Loaded, catalogue},
};
use raq_skips::skip;
use tempfile::tempdir;

fn plan(loaded: &Loaded, seed: u64, policies: &[&str], out: PathBuf) -> Plan {
    Plan {
        loaded: loaded.clone(),
        seed,
        policies: policies
            .iter()
            .map(|name| name.parse().unwrap())
            .collect::<Vec<PolicyName>>(),
        mode: Mode::Sessions,
        out,
    }
}

/// Every file below a folder but those that may differ.
fn records(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "cpu.json") {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn alike(names: impl Iterator<Item = &'static str>) {
    for name in names {
        let loaded = Loaded::read(Path::new(name), &[]).unwrap();
        let text =
            fs::read_to_string(paths::repository().join(format!("sim/scenarios/{name}.toml")));
        if text.unwrap().contains("$RAQ_DATA") && !paths::outside_data().exists() {
            skip("the recorded traces are not there; set RAQ_DATA");
            continue;
        }
        let folder = tempdir().unwrap();
        let run = |seed, out: &str| {
            let out = folder.path().join(out);
            let summary = plan(&loaded, seed, &["raq", "gcc"], out.clone())
                .carry_out(|_| ())
                .unwrap_or_else(|failure| panic!("{name}: {failure}"));
            for policy in ["raq", "gcc"] {
                let share = summary.figure(policy, "use").unwrap();
                assert!(
                    (0.01..=1.3).contains(&share),
                    "{name}: {policy} uses {share}"
                );
                assert!(
                    summary.figure(policy, "fps").unwrap() > 1.0,
                    "{name}: {policy}"
                );
            }
            records(&out)
        };
        let (first, again, other) = (run(7, "first"), run(7, "again"), run(8, "other"));
        assert!(first.len() >= 8, "{name}: {:?}", first.keys());
        assert!(first == again, "{name}: two runs differ");
        for file in ["gcc/datagrams.csv", "gcc/frames.csv", "raq/datagrams.csv"] {
            let file = Path::new(file);
            assert!(first[file] != other[file], "{name}: {file:?} knows no seed");
        }
    }
}

#[test]
fn rfc_8867_runs_alike() {
    alike(names().filter(|name| name.starts_with("rfc")));
}

#[test]
fn losses_run_alike() {
    alike(names().filter(|name| name.starts_with("loss")));
}

#[test]
fn recordings_run_alike() {
    let recorded = ["att-lte-driving", "verizon-lte-short", "tmobile-umts"];
    alike(recorded.into_iter());
}

#[test]
fn all_others_run_alike() {
    let recorded = ["att-lte-driving", "verizon-lte-short", "tmobile-umts"];
    alike(names().filter(|name| {
        !name.starts_with("rfc") && !name.starts_with("loss") && !recorded.contains(name)
    }));
}

fn names() -> impl Iterator<Item = &'static str> {
    catalogue().iter().map(|entry| entry.name)
}

#[test]
fn the_catalogue_is_the_folder() {
    let folder = paths::repository().join("sim/scenarios");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut listed: Vec<String> = names().map(|name| format!("{name}.toml")).collect();
    listed.sort();
    assert_eq!(files, listed);
}

#[test]
fn what_is_written_is_the_scenario_again() {
    for entry in catalogue() {
        let loaded = Loaded::read(Path::new(entry.name), &["media.fps=25".into()]).unwrap();
        assert_eq!(loaded.scenario.media.fps, 25, "{}", entry.name);
        let folder = tempdir().unwrap();
        let path = folder.path().join("again.toml");
        fs::write(&path, loaded.to_toml(loaded.scenario.seed)).unwrap();
        let again = Loaded::read(&path, &[]).unwrap();
        assert_eq!(again.scenario, loaded.scenario, "{}", entry.name);
    }
}

/// As `raq-send --estimator gcc`: within the product, with the product's reports.
#[test]
fn the_product_finds_the_rate_with_libwebrtcs_estimator_too() {
    let folder = tempdir().unwrap();
    let loaded = Loaded::read(Path::new("rfc8867-5.1"), &[]).unwrap();
    let summary = plan(&loaded, 1, &["raq", "raq+gcc"], folder.path().to_owned())
        .carry_out(|_| ())
        .unwrap();
    let figure = |name| summary.figure("raq+gcc", name).unwrap();
    assert!((0.7..=1.0).contains(&figure("use")), "{}", figure("use"));
    let queue = figure("queue_ms.p95");
    assert!(queue < 60.0, "{queue} ms");
    assert_ne!(summary.figure("raq", "use"), Some(figure("use")));
}

/// The bars that the transport was built to, with the ideal source (shared/docs/RATE.md has the means
/// of five seeds beside comparators).
#[test]
fn the_product_keeps_to_its_bars() {
    const NONE: f64 = f64::INFINITY;
    let bars = [
        ("rfc8867-5.1", "queue_ms.p95", 0.0, 50.0),
        ("rfc8867-5.1", "queue_ms.p99", 0.0, 70.0),
        ("rfc8867-5.1", "use", 0.85, NONE),
        ("rfc8867-5.4", "jain", 0.9, NONE),
        // 0.3 to 1.7 of a fair 1 Mbit/s; use is of 1.5.
        ("rfc8867-5.6", "use", 0.3 / 1.5, 1.7 / 1.5),
        ("onoff-12mbit", "signal_ms.p95", 0.0, 190.0),
        ("loss-20", "rendered_share", 0.99, NONE),
        ("loss-20", "offered_share", 0.8, NONE),
        ("loss-20-burst3", "rendered_share", 0.97, NONE),
        ("loss-50", "rendered_share", 0.95, NONE),
        ("loss-50", "offered_share", 0.6, NONE),
        ("loss-50-burst3", "rendered_share", 0.93, NONE),
        ("att-lte-driving", "signal_ms.p95", 0.0, 190.0),
        ("att-lte-driving", "use", 0.7, NONE),
        ("verizon-lte-short", "signal_ms.p95", 0.0, 170.0),
        ("verizon-lte-short", "use", 0.6, NONE),
    ];
    for bars in bars.chunk_by(|a, b| a.0 == b.0) {
        let name = bars[0].0;
        if name.contains("-lte-") && !paths::outside_data().exists() {
            skip("the recorded traces are not there; set RAQ_DATA");
            continue;
        }
        let folder = tempdir().unwrap();
        let loaded = Loaded::read(Path::new(name), &[]).unwrap();
        let summary = plan(&loaded, 1, &["raq"], folder.path().to_owned())
            .carry_out(|_| ())
            .unwrap();
        for &(_, metric, least, most) in bars {
            let found = summary.figure("raq", metric).unwrap();
            assert!(
                (least..=most).contains(&found),
                "{name}: {metric} is {found}, not within {least} to {most}"
            );
        }
    }
}

/// What the comparators do on links where others have measured them (transport-only figures of
/// sketches that are not kept): frame sizes that vary by 25 %, feedback every 50 ms, no dropped frames.
#[test]
fn the_comparators_are_what_they_are_known_for() {
    let folder = tempdir().unwrap();
    let read = |name: &str| {
        let overrides = ["gcc.drops-frames=false".to_owned()];
        Loaded::read(Path::new(name), &overrides).unwrap()
    };
    let rfc = read("rfc8867-5.1");
    let mut delays: Vec<f64> = (1..=5)
        .map(|seed| {
            let out = folder.path().join(format!("rfc-{seed}"));
            let summary = plan(&rfc, seed, &["gcc"], out).carry_out(|_| ()).unwrap();
            summary.figure("gcc", "queue_ms.p95").unwrap()
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    assert!(
        (40.0..=90.0).contains(&delays[2]),
        "gcc's queues: {delays:?}"
    );

    if !paths::outside_data().exists() {
        return skip("the recorded traces are not there; set RAQ_DATA");
    }
    let att = read("att-lte-driving");
    let out = folder.path().join("att");
    let summary = plan(&att, 1, &["gcc", "salsify"], out)
        .carry_out(|_| ())
        .unwrap();
    let share = |policy| summary.figure(policy, "link_share").unwrap();
    assert!(
        (0.30..=0.50).contains(&share("gcc")),
        "gcc: {}",
        share("gcc")
    );
    assert!(
        (0.75..=0.90).contains(&share("salsify")),
        "salsify: {}",
        share("salsify")
    );
}
