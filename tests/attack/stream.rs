//! An admitted stream from raq-send to raq-recv, and what of it arrives.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use raq_shared::identity::Identity;
use tempfile::TempDir;
use xtask::{program::Program, stats};

use super::attackers::{Attack, Target};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);
/// Frames of the stream, a second of them, and their size: little enough for two cores that also attack.
const FRAMES: u32 = 300;
const RATE: u32 = 15;
const SIZE: &str = "320x240";

/// In which Linux tells processor time, on every machine.
const TICKS_A_SECOND: f64 = 100.0;

/// What a run showed.
pub(crate) struct Stream {
    /// What the attackers began, a second.
    pub(crate) attempts: f64,
    /// The part of the frames sent that was decoded.
    pub(crate) kept: f64,
    /// The 95th percentile from capture to picture.
    pub(crate) delay_ms: f64,
    /// Processor time of raq-recv by time on the clock.
    pub(crate) cpu: f64,
    /// Its most memory.
    pub(crate) mebibytes: f64,
}

/// Streams while `attack` goes on.
#[allow(clippy::disallowed_methods, reason = "what it measures happens now")]
pub(crate) fn under(
    attack: Attack,
    send: &Path,
    recv: &Path,
) -> Result<Stream, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let own = Identity::load_or_create(&folder.path().join("own"))?;
    let insider = Identity::load_or_create(&folder.path().join("insider"))?;
    let trust = folder.path().join("trust");
    fs::write(&trust, format!("{}\n", insider.id()))?;
    let (sent, decoded) = (folder.path().join("sent"), folder.path().join("decoded"));

    let mut recv = command(recv, &folder, &decoded);
    recv.args([
        "--listen",
        "127.0.0.1:0",
        "--once",
        "--output",
        "null",
        "--trust",
    ]);
    let mut recv = Program::start("raq-recv", recv.arg(&trust))?;
    let address = recv.wait_for("where it listens", PATIENCE, stats::listening)?;
    let mut send = command(send, &folder, &sent);
    send.args(["--test-pattern", "motion", "--size", SIZE, "--fps"]);
    send.args([RATE.to_string(), "--frames".into(), FRAMES.to_string()]);
    send.args(["--max-rate", "500k", "--peer", &address.to_string()]);
    let mut send = Program::start("raq-send", &mut send)?;
    send.wait_for("the session", PATIENCE, |line| {
        line.contains("connected").then_some(())
    })?;

    let target = Target {
        address,
        receiver: own.id(),
        insider,
    };
    let over = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let before = processor_seconds(recv.id());
    let attackers = {
        let over = over.clone();
        thread::spawn(move || attack.run(&target, &over))
    };
    let (mut mebibytes, mut spent) = (0.0f64, 0.0);
    let length = Duration::from_secs(u64::from(FRAMES / RATE));
    let send = send.finish_with(3 * length + PATIENCE, || {
        mebibytes = mebibytes.max(peak_mebibytes(recv.id()).unwrap_or(0.0));
        spent = processor_seconds(recv.id()).unwrap_or(spent);
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let attempts = attackers
        .join()
        .map_err(|_| io::Error::other("an attacker fell over"))?;
    send.well()?;
    recv.finish(PATIENCE)?.well()?;

    let (frames, _) = stats::sender(&sent)?;
    let (shown, summary) = stats::receiver(&decoded)?;
    let captured: std::collections::HashMap<_, _> = frames
        .iter()
        .map(|frame| (frame.frame, frame.capture_unix_us))
        .collect();
    let mut delays: Vec<u64> = shown
        .iter()
        .filter_map(|frame| {
            frame
                .shown_unix_us
                .checked_sub(*captured.get(&frame.frame)?)
        })
        .collect();
    delays.sort_unstable();
    let p95 = delays.get((delays.len() * 95).div_ceil(100).saturating_sub(1));
    Ok(Stream {
        attempts: attempts as f64 / elapsed,
        kept: f64::from(summary.frames_decoded) / frames.len().max(1) as f64,
        delay_ms: p95.map_or(f64::NAN, |&us| us as f64 / 1000.0),
        cpu: (spent - before.unwrap_or(0.0)) / elapsed,
        mebibytes,
    })
}

fn command(program: &Path, folder: &TempDir, stats: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("RAQ_CONFIG_DIR", folder.path().join("own"))
        .env_remove("RUST_LOG")
        .arg("--stats")
        .arg(stats)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// User and system time of a process so far.
fn processor_seconds(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold blanks: state is field 3, the times are 14 and 15.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_A_SECOND)
}

/// The most memory that a process had resident so far.
fn peak_mebibytes(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
