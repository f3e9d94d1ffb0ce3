//! How many seconds of a scenario pass in a second of real time, and how long a sweep takes.
//!
//! Not a criterion bench: what is printed are the factors that the documentation names.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures time and prints it"
)]

use std::{path::Path, thread, time::Instant};

use raq_sim::{
    policy::PolicyName,
    record::Mode,
    run::Plan,
    scenario::Loaded,
    sweep::{self, Cell},
};
use tempfile::tempdir;

/// Of one flow, and of links of several kinds.
const SINGLE: [&str; 4] = ["rfc8867-5.1", "lte", "starlink", "loss-10"];
const GRID: [&str; 8] = [
    "rfc8867-5.1",
    "rfc8867-5.4",
    "lte",
    "starlink",
    "onoff-12mbit",
    "ramp",
    "outage-1s",
    "loss-10",
];
const POLICIES: [&str; 4] = ["raq", "gcc", "salsify", "oracle"];
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

fn policies() -> Vec<PolicyName> {
    POLICIES
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

fn main() {
    let folder = tempdir().unwrap();
    println!("mode      scenario      policy     times real time");
    for mode in [Mode::Sessions, Mode::Quic] {
        for name in SINGLE {
            let loaded = Loaded::read(Path::new(name), &[]).unwrap();
            let seconds = loaded.scenario.duration.0.as_secs_f64();
            for policy in policies() {
                let plan = Plan {
                    loaded: loaded.clone(),
                    seed: 1,
                    policies: vec![policy],
                    mode,
                    out: folder.path().join("single"),
                };
                let began = Instant::now();
                plan.carry_out(|_| ()).unwrap();
                let factor = seconds / began.elapsed().as_secs_f64();
                println!("{:<9} {name:<13} {policy:<10} {factor:>6.0}", mode.name());
            }
        }
    }
    let mut cells = Vec::new();
    for name in GRID {
        let loaded = Loaded::read(Path::new(name), &[]).unwrap();
        for seed in SEEDS {
            for policy in policies() {
                cells.push(Cell {
                    given: name.into(),
                    overrides: Vec::new(),
                    loaded: loaded.clone(),
                    seed,
                    policy,
                    mode: Mode::Sessions,
                    folder: folder.path().join("grid"),
                    keep_records: false,
                });
            }
        }
    }
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    sweep::run(&cells, jobs, &|_: &Cell, _, _| ()).unwrap();
    println!(
        "a sweep of {} scenarios, 5 seeds, {} policies: {:.1} s on {jobs} cores",
        GRID.len(),
        POLICIES.len(),
        began.elapsed().as_secs_f64()
    );
}
