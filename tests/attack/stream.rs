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
use xtask::{delay::Delay, process, program::Program, stats};

use super::attackers::{Attack, Target};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);
/// Frames a second, and their size: little enough for two cores that also attack.
const RATE: u32 = 15;
const SIZE: &str = "320x240";

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

/// Streams `frames` while `attack` goes on.
#[allow(clippy::disallowed_methods, reason = "what it measures happens now")]
pub(crate) fn under(
    attack: Attack,
    frames: u32,
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
    send.args([RATE.to_string(), "--frames".into(), frames.to_string()]);
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
    let before = process::processor_seconds(recv.id());
    let attackers = {
        let over = over.clone();
        thread::spawn(move || attack.run(&target, &over))
    };
    let (mut mebibytes, mut spent) = (0.0f64, 0.0);
    let length = Duration::from_secs(u64::from(frames / RATE));
    let send = send.finish_with(3 * length + PATIENCE, || {
        mebibytes = mebibytes.max(process::peak_mebibytes(recv.id()).unwrap_or(0.0));
        spent = process::processor_seconds(recv.id()).unwrap_or(spent);
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let attempts = attackers
        .join()
        .map_err(|_| io::Error::other("an attacker fell over"))?;
    send.well()?;
    recv.finish(PATIENCE)?.well()?;

    let (coded, _) = stats::sender(&sent)?;
    let (shown, summary) = stats::receiver(&decoded)?;
    let delay = Delay::between(&coded, &shown);
    Ok(Stream {
        attempts: attempts as f64 / elapsed,
        kept: f64::from(summary.frames_decoded) / coded.len().max(1) as f64,
        delay_ms: delay.map_or(f64::NAN, |delay| delay.p95),
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
