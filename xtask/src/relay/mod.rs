//! `cargo xtask relay`: the real programs over raq-sim's relay, beside the same scenario in the
//! simulator.

mod film;
mod measure;
mod programs;
mod report;
mod simulator;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use raq_shared::{
    paths,
    stats::{FrameDecoded, FrameSent},
};

use self::{
    film::Film,
    measure::Figures,
    programs::{Relayed, Sending},
    report::Summary,
    simulator::{Scenario, Timing},
};
use crate::{build, clip::Clip, delay::Delay, setup};

/// The built-in scene's: what two cores carry while both programs and the relay run.
const SCENE: (u32, u32) = (320, 180);
/// Frames of a clip that are kept in memory.
const MOST_FRAMES: u32 = 300;
/// Less says nothing, and more belongs elsewhere.
const LENGTHS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// Sends `input`, or a built-in scene, forwards and backwards for `length` from raq-send through
/// raq-sim's relay with the link of `scenario` (a file or a name of raq-sim's, and its own seed
/// where none is given) to raq-recv, runs the same in the simulator, prints the figures of both and
/// fills `target/relay`.
///
/// In the simulator the flow begins as long after the link as in the relay, and a frame takes as
/// long to encode and to decode as it took the programs in the median.
///
/// # Errors
/// What failed, with the words of the program that failed. That the two differ is none.
pub fn run(
    scenario: &Path,
    input: Option<&Path>,
    length: Duration,
    seed: Option<u64>,
) -> Result<()> {
    if !LENGTHS.contains(&length) {
        bail!("--duration: give 1s to 1h");
    }
    setup::run(false, false)?;
    let work = tempfile::tempdir().context("no place for a clip; free space or set TMPDIR")?;
    let clip = Clip::prepare(input, SCENE, MOST_FRAMES, work.path())?;
    let film = Film::read(&clip)?;
    if clip.is_cut {
        eprintln!("Taking the first {MOST_FRAMES} frames");
    }
    eprintln!("{clip}");
    let programs = build::programs()?;
    let scenario = Scenario {
        program: programs.sim.clone(),
        name: scenario.to_owned(),
        seed,
    };
    let prospect = scenario.prospect(&clip, work.path())?;
    let folder = emptied(paths::repository().join("target/relay"))?;

    let rate = clip.format.frame_rate;
    let frames = (rate.number_at(length) as u32).max(1);
    let length = rate.time_of(frames.into());
    let sending = Sending {
        programs: &programs,
        scenario: &scenario,
        film: &film,
        frames,
        length,
        max_kbps: prospect.max_kbps,
    };
    let relayed = sending.run(&folder)?;
    let Some((real, (encode_ms, decode_ms))) =
        Figures::of_programs(&relayed, frames, rate).zip(took(&relayed))
    else {
        bail!("no frame was shown; is the machine overloaded?");
    };
    let median = |it: Delay| Duration::from_secs_f64(it.p50 / 1000.0);
    if median(encode_ms) > rate.time_of(1) {
        bail!(
            "raq-send took {:.1} ms for a frame and cannot keep up; give a smaller clip",
            encode_ms.p50
        );
    }

    eprintln!("Simulating the same …");
    let first = Duration::from_micros(relayed.first_capture().saturating_sub(relayed.began));
    let timing = Timing {
        start: first.saturating_sub(prospect.phase),
        end: first + length,
        encode: median(encode_ms),
        decode: median(decode_ms),
    };
    let records = scenario.run(&clip, timing, &folder.join("simulated"))?;
    let Some(simulated) = Figures::of_simulator(&records, frames, rate)? else {
        bail!("no frame was shown in the simulator; choose another scenario");
    };
    let summary = Summary {
        scenario: scenario.name.display().to_string(),
        seed: prospect.seed,
        clip: clip.to_string(),
        seconds: length.as_secs_f64(),
        real,
        simulated,
        encode_ms,
        decode_ms,
        relay: relayed.relay,
    };
    let text = serde_json::to_string_pretty(&summary)? + "\n";
    let path = folder.join("summary.json");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    summary.print()?;
    eprintln!("The records of both are in {}", folder.display());
    Ok(())
}

/// The folder, with nothing of an earlier run in it.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    let failed = || format!("cannot write to {}; free space there", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(failed)?;
    }
    fs::create_dir_all(&folder).with_context(failed)?;
    Ok(folder)
}

/// How long the programs took for a frame: to encode and code, and to decode. None of no frames.
fn took(relayed: &Relayed) -> Option<(Delay, Delay)> {
    let micros = |millis: f64| (1000.0 * millis).round() as u64;
    let coded = |frame: &FrameSent| micros(frame.encode_ms + frame.code_ms);
    let decoded = |frame: &FrameDecoded| micros(frame.decode_ms);
    let encode = Delay::of(relayed.sent.iter().map(coded).collect())?;
    let decode = Delay::of(relayed.decoded.iter().map(decoded).collect())?;
    Some((encode, decode))
}
