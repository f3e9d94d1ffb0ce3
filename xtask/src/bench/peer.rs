//! x264 with the preset `ultrafast`, and its decoder in ffmpeg.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{KILOBITS, TIMES};
use crate::clip::Clip;

/// What ffmpeg takes for the clip that raq streams.
#[derive(Debug, Serialize)]
pub(super) struct Peer {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) threads: u16,
    /// Processor seconds per minute of video, start-up included.
    pub(super) encode_cpu_s: f64,
    pub(super) decode_cpu_s: f64,
    pub(super) kbps: f64,
}

/// Codes and decodes `clip`, played [`TIMES`] times.
pub(super) fn run(clip: &Clip, threads: u16, folder: &Path) -> Result<Peer> {
    eprintln!("x264, {threads} threads …");
    let coded = folder.join("x264.mkv");
    let threads_of = threads.to_string();
    let rate = format!("{KILOBITS}k");
    let again = (TIMES - 1).to_string();
    let os = OsStr::new;
    let mut encode: Vec<&OsStr> = ["-y", "-stream_loop", &again, "-i"].map(os).into();
    encode.push(clip.path.as_os_str());
    encode.extend(
        [
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
        ]
        .map(os),
    );
    encode.extend(["-b:v", &rate, "-maxrate", &rate, "-bufsize", "100k"].map(os));
    encode.extend(["-threads", &threads_of].map(os));
    encode.push(coded.as_os_str());
    let minutes = (TIMES * clip.duration()).as_secs_f64() / 60.0;
    let encode_cpu_s = ffmpeg(&encode)? / minutes;
    let mut decode: Vec<&OsStr> = ["-threads", &threads_of, "-i"].map(os).into();
    decode.push(coded.as_os_str());
    decode.extend(["-f", "null", "-"].map(os));
    let decode_cpu_s = ffmpeg(&decode)? / minutes;
    let bytes = coded.metadata().context("x264 left no file")?.len();
    Ok(Peer {
        width: clip.format.width,
        height: clip.format.height,
        threads,
        encode_cpu_s,
        decode_cpu_s,
        kbps: bytes as f64 * 8.0 / 1000.0 / (60.0 * minutes),
    })
}

/// Runs it and gives its processor seconds.
fn ffmpeg(arguments: &[&OsStr]) -> Result<f64> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "info", "-benchmark"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot run ffmpeg; install it (Debian: apt-get install ffmpeg)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("ffmpeg failed: {}", said.lines().last().unwrap_or_default());
    }
    seconds(&said).context("ffmpeg did not say how long it took")
}

/// The sum of user's and system's time in its line `bench: utime=…s stime=…s rtime=…s`.
fn seconds(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.contains("utime="))?;
    let value = |name: &str| -> Option<f64> {
        let (_, rest) = line.split_once(name)?;
        rest.split_once('s')?.0.parse().ok()
    };
    Some(value("utime=")? + value("stime=")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read() {
        let said = "frame=1\nbench: utime=1.250s stime=0.500s rtime=0.9s\nbench: maxrss=1kB\n";
        assert_eq!(seconds(said), Some(1.75));
        assert_eq!(seconds("frame=1\n"), None);
    }
}
