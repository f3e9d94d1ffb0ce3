//! raq-send and raq-recv over loopback: how long frames take, and what both cost.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;

use super::{KILOBITS, TIMES, machine};
use crate::{build::Programs, clip::Clip, delay::Delay, process, program::Program, stats};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) threads: u16,
    /// Milliseconds of the median frame.
    pub(super) encode_ms: f64,
    pub(super) code_ms: f64,
    pub(super) decode_ms: f64,
    /// Of the source's frames, the part that was shown.
    pub(super) shown: f64,
    /// From capture to picture; loopback adds nothing to speak of.
    pub(super) delay_ms: Option<Delay>,
    /// What the programs add to that.
    pub(super) added_ms: Option<Delay>,
    /// From the start of raq-send, which loads its model first, to the first picture; none where
    /// none was shown.
    pub(super) first_picture_ms: Option<f64>,
    pub(super) kbps: f64,
    /// Processor seconds per minute of video, start-up included.
    pub(super) send_cpu_s: f64,
    pub(super) recv_cpu_s: f64,
    /// Most memory that was resident, MiB.
    pub(super) send_mib: f64,
    pub(super) recv_mib: f64,
    /// Energy of the whole processor per minute of video, where the machine tells.
    pub(super) joules: Option<f64>,
}

/// Plays `clip` [`TIMES`] times.
pub(super) fn run(programs: &Programs, clip: &Clip, threads: u16, folder: &Path) -> Result<Stream> {
    let (sent, decoded) = (folder.join("send.jsonl"), folder.join("recv.jsonl"));
    let command = |program: &Path, stats: &Path| {
        let mut command = Command::new(program);
        command.env("RAQ_CONFIG_DIR", folder.join("identity"));
        command.env_remove("RUST_LOG");
        command
            .args(["--threads", &threads.to_string(), "--stats"])
            .arg(stats);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let energy = machine::joules();
    let mut recv = command(&programs.recv, &decoded);
    // The page is a screen, which a file is not: frames that are late give way to newer ones.
    recv.args(["--listen", "127.0.0.1:0", "--once", "--output", "web"]);
    recv.args(["--latency", "0ms"]);
    let mut recv = Program::start("raq-recv", &mut recv)?;
    let address = recv.wait_for("where it listens", PATIENCE, stats::listening)?;
    let frames = clip.frames * TIMES;
    let mut send = command(&programs.send, &sent);
    send.args(["--peer", &address.to_string(), "--loop", "--input"])
        .arg(&clip.path);
    send.args([
        "--frames",
        &frames.to_string(),
        "--max-rate",
        &format!("{KILOBITS}k"),
    ]);
    let started = stats::unix_us();
    let send = Program::start("raq-send", &mut send)?;
    let ids = [send.id(), recv.id()];
    let mut most = [0.0f64; 2];
    let mut sample = || {
        for (most, id) in most.iter_mut().zip(ids) {
            *most = most.max(process::peak_mebibytes(id).unwrap_or(0.0));
        }
    };
    let seconds = || process::seconds_of_children().unwrap_or(f64::NAN);
    let before = seconds();
    send.finish_with(2 * TIMES * clip.duration() + PATIENCE, &mut sample)?
        .well()?;
    let between = seconds();
    recv.finish_with(PATIENCE, &mut sample)?.well()?;
    let after = seconds();
    let (sent, sender) = stats::sender(&sent)?;
    let (decoded, receiver) = stats::receiver(&decoded)?;
    let minutes = (TIMES * clip.duration()).as_secs_f64() / 60.0;
    Ok(Stream {
        width: clip.format.width,
        height: clip.format.height,
        threads,
        encode_ms: median(sent.iter().map(|frame| frame.encode_ms)),
        code_ms: median(sent.iter().map(|frame| frame.code_ms)),
        decode_ms: median(decoded.iter().map(|frame| frame.decode_ms)),
        shown: f64::from(receiver.frames_decoded) / f64::from(frames),
        delay_ms: Delay::between(&sent, &decoded),
        added_ms: Delay::added(&sent, &decoded),
        first_picture_ms: decoded
            .iter()
            .map(|frame| frame.shown_unix_us)
            .min()
            .map(|us| us.saturating_sub(started) as f64 / 1000.0),
        kbps: sender.bytes as f64 * 8.0 / 1000.0 / (60.0 * minutes),
        send_cpu_s: (between - before) / minutes,
        recv_cpu_s: (after - between) / minutes,
        send_mib: most[0],
        recv_mib: most[1],
        joules: energy
            .zip(machine::joules())
            .map(|(from, to)| (to - from) / minutes),
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert!(median(std::iter::empty()).is_nan());
    }
}
