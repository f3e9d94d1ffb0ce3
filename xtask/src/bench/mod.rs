//! `cargo xtask bench`: how fast raq is, beside peers in the same run.

mod machine;
mod peer;
mod report;
mod search;
mod stream;

use std::fs;

use anyhow::{Context as _, Result};
use raq_shared::paths;
use serde::Serialize;

use crate::{build, clip::Clip, setup};

/// Sizes of the pictures that are streamed.
const SIZES: [(u32, u32); 3] = [(320, 240), (640, 360), (1280, 720)];
/// Threads inside a network.
const THREADS: [u16; 2] = [1, 2];
/// The size that x264 is compared at.
const COMPARED: (u32, u32) = (640, 360);
/// Of the built-in scene, which is played so often.
const FRAMES: u32 = 150;
const TIMES: u32 = 4;
/// What may be sent, kbit/s: both code for as much.
const KILOBITS: u32 = 1000;

/// `target/bench/summary.json`.
#[derive(Debug, Serialize)]
struct Summary {
    machine: machine::Machine,
    /// FAISS's time over ours, by number of vectors.
    search_vs_faiss: serde_json::Value,
    search: Option<search::Search>,
    streams: Vec<stream::Stream>,
    x264: Vec<peer::Peer>,
    /// What could not be measured, and why.
    left_out: Vec<String>,
}

/// Measures everything that this machine can; prints a table and fills `target/bench`.
///
/// # Errors
/// What failed, with the words of the program that failed.
pub(crate) fn run() -> Result<()> {
    setup::run(false, false)?;
    let folder = paths::repository().join("target/bench");
    let failed = || format!("cannot write to {}; free space there", folder.display());
    fs::create_dir_all(&folder).with_context(failed)?;
    let programs = build::programs()?;
    let mut left_out = Vec::new();
    let mut measured = |what: &str, error: anyhow::Error| {
        eprintln!("{what}: {error:#}");
        left_out.push(format!("{what}: {error:#}"));
    };
    let search = search::run()
        .map_err(|error| measured("search", error))
        .ok();
    let (mut streams, mut x264) = (Vec::new(), Vec::new());
    for size in SIZES {
        let work = tempfile::tempdir_in(&folder).with_context(failed)?;
        let clip = Clip::prepare(None, size, FRAMES, work.path())?;
        for threads in THREADS {
            eprintln!("Streaming {clip}, {threads} threads …");
            streams.push(stream::run(&programs, &clip, threads, work.path())?);
        }
        if size == COMPARED {
            for threads in THREADS {
                match peer::run(&clip, threads, work.path()) {
                    Ok(peer) => x264.push(peer),
                    Err(error) => measured("x264", error),
                }
            }
        }
    }
    let summary = Summary {
        machine: machine::Machine::this(),
        search_vs_faiss: search
            .as_ref()
            .map_or_else(Default::default, search::Search::ratios),
        search,
        streams,
        x264,
        left_out,
    };
    let path = folder.join("summary.json");
    fs::write(&path, serde_json::to_string_pretty(&summary)? + "\n").with_context(failed)?;
    report::print(&summary)?;
    eprintln!("The figures are in {}", path.display());
    Ok(())
}
