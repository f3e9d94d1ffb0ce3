//! The same scenario in the simulator.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::measure;
use crate::{clip::Clip, program::Program};

/// The simulator is many times faster than real time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Which link.
#[derive(Debug)]
pub(super) struct Scenario {
    /// raq-sim, as it was built.
    pub(super) program: PathBuf,
    /// As raq-sim takes it: a file, or a name of its own.
    pub(super) name: PathBuf,
    /// None for the scenario's own.
    pub(super) seed: Option<u64>,
}

/// What a run of the simulator shall be like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timing {
    /// When the flow begins.
    pub(super) start: Duration,
    /// When the scenario ends.
    pub(super) end: Duration,
    /// From capture until a frame can be sent.
    pub(super) encode: Duration,
    /// From the last datagram until a frame is shown.
    pub(super) decode: Duration,
}

/// What the simulator says before the programs run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prospect {
    pub(super) seed: u64,
    /// The scenario's `media.max-rate`, kbit/s.
    pub(super) max_kbps: Option<f64>,
    /// From a flow's start until its first frame is captured.
    pub(super) phase: Duration,
}

impl Scenario {
    /// raq-sim with a subcommand and the seed.
    pub(super) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(subcommand).stdin(Stdio::null());
        if let Some(seed) = self.seed {
            command.args(["--seed", &seed.to_string()]);
        }
        command
    }

    /// Tries scenario and clip, so that what is wrong with them is found before the programs run.
    pub(super) fn prospect(&self, clip: &Clip, folder: &Path) -> Result<Prospect> {
        #[derive(Deserialize)]
        struct Record {
            seed: u64,
            max_kbps: Option<f64>,
        }
        let out = folder.join("prospect");
        let timing = Timing {
            end: Duration::from_secs(1),
            ..Timing::default()
        };
        let frames = self.run(clip, timing, &out)?;
        let name = out.join("run.json");
        let file = File::open(&name).with_context(|| format!("cannot read {}", name.display()))?;
        let Record { seed, max_kbps } = serde_json::from_reader(file)
            .with_context(|| format!("cannot read {}", name.display()))?;
        let first = measure::first_capture(&measure::read(&frames)?);
        Ok(Prospect {
            seed,
            max_kbps,
            phase: Duration::from_micros(first.unwrap_or(0)),
        })
    }

    /// Runs raq with one flow of `clip`; records go to `out`. Returns the table of the frames.
    pub(super) fn run(&self, clip: &Clip, timing: Timing, out: &Path) -> Result<PathBuf> {
        let mut run = self.command("run");
        run.arg(&self.name).args(["--policies", "raq"]);
        run.arg("--out").arg(out).stdout(Stdio::null());
        let clip_path = std::path::absolute(&clip.path)?;
        let Timing {
            start,
            end,
            encode,
            decode,
        } = timing;
        for (key, value) in [
            ("duration", time(end)),
            ("flow", format!("[{{ start = \"{}\" }}]", time(start))),
            // The programs know neither.
            ("phase", "[]".to_owned()),
            ("expect", "[]".to_owned()),
            ("media.source", "raq".to_owned()),
            ("media.clip", clip_path.display().to_string()),
            ("media.frames", clip.frames.to_string()),
            ("media.latency", time(Duration::ZERO)),
            ("media.fec", "off".to_owned()),
            ("media.encode-time", time(encode)),
            ("media.decode-time", time(decode)),
        ] {
            run.args(["--set", &format!("{key}={value}")]);
        }
        Program::start("raq-sim run", &mut run)?
            .finish(PATIENCE)?
            .well()?;
        Ok(out.join("raq/frames.csv"))
    }
}

/// As scenarios write it, to the microsecond.
fn time(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:03}ms", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_to_the_microsecond() {
        assert_eq!(time(Duration::from_nanos(61_002_003_999)), "61002.003ms");
        assert_eq!(time(Duration::ZERO), "0.000ms");
    }
}
