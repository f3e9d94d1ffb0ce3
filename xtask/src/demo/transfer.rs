//! One run of raq-send and raq-recv.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use raq_shared::stats::{FrameDecoded, FrameSent, ReceiverSummary, SenderSummary};

use super::clip::Clip;
use crate::{build::Programs, program::Program, stats};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);

/// The bitrate, kbit/s, at which numbers of codewords are compared.
const COMPARED: u64 = 150;

/// What raq-send may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    /// What loopback carries.
    Automatic,
    /// So many kbit/s.
    Limited(u64),
    /// At most this number of codewords in every stage, and [`COMPARED`] kbit/s.
    Codewords(u16),
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic => f.pad("automatic"),
            Self::Limited(kilobits) => f.pad(&format!("{kilobits} kbit/s")),
            Self::Codewords(codewords) => f.pad(&format!("{COMPARED} kbit/s, K̃ ≤ {codewords}")),
        }
    }
}

/// What came of one run.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) rate: Rate,
    /// The received pictures, a y4m file in which the index is the frame number.
    pub(super) output: PathBuf,
    pub(super) sent: Vec<FrameSent>,
    pub(super) sender: SenderSummary,
    pub(super) decoded: Vec<FrameDecoded>,
    pub(super) receiver: ReceiverSummary,
}

impl Transfer {
    /// Sends `clip` and waits until both programs have ended.
    pub(super) fn run(
        programs: &Programs,
        clip: &Clip,
        rate: Rate,
        output: PathBuf,
        folder: &Path,
    ) -> Result<Self> {
        // A key of its own leaves the user's alone; both programs hold it, so they trust it.
        let identity = folder.join("identity");
        let (sent, decoded) = (folder.join("send.jsonl"), folder.join("recv.jsonl"));
        let command = |program: &Path, stats: &Path| {
            let mut command = Command::new(program);
            command
                .env("RAQ_CONFIG_DIR", &identity)
                .arg("--stats")
                .arg(stats);
            // The log must say where raq-recv listens, whatever the user filters.
            command.env_remove("RUST_LOG");
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        };

        let mut recv = command(&programs.recv, &decoded);
        recv.args([
            "--listen",
            "127.0.0.1:0",
            "--once",
            "--overwrite",
            "--output",
        ])
        .arg(&output);
        let mut recv = Program::start("raq-recv", &mut recv)?;
        let address = recv.wait_for("where it listens", PATIENCE, stats::listening)?;

        let mut send = command(&programs.send, &sent);
        send.args([
            "--peer",
            &address.to_string(),
            "--frames",
            &clip.frames.to_string(),
        ]);
        send.arg("--input").arg(&clip.path);
        let limit = |kilobits| format!("{kilobits}k");
        match rate {
            Rate::Automatic => {}
            Rate::Limited(kilobits) => drop(send.args(["--max-rate", &limit(kilobits)])),
            Rate::Codewords(codewords) => {
                send.args(["--max-rate", &limit(COMPARED)]);
                send.args(["--codewords", &codewords.to_string()]);
            }
        }
        let send = Program::start("raq-send", &mut send)?;

        let bar = bar(clip, rate);
        let mut lines = LineCount::new(&decoded, clip.frames);
        let patience = 2 * clip.duration() + PATIENCE;
        let send = send.finish_with(patience, || bar.set_position(lines.count()))?;
        if !send.status.success() && recv.is_running() {
            // It waits for another sender; this one's words say why there is none.
            drop(recv);
            return Err(send.well().unwrap_err().into());
        }
        let recv = recv.finish_with(PATIENCE, || bar.set_position(lines.count()))?;
        bar.finish_and_clear();
        recv.well()?;
        send.well()?;

        let (sent, sender) = stats::sender(&sent)?;
        let (decoded, receiver) = stats::receiver(&decoded)?;
        if sender.codebook_digest != receiver.codebook_digest {
            bail!(
                "raq-send used codebook {} and raq-recv {}; please report this",
                sender.codebook_digest,
                receiver.codebook_digest
            );
        }
        Ok(Self {
            rate,
            output,
            sent,
            sender,
            decoded,
            receiver,
        })
    }
}

fn bar(clip: &Clip, rate: Rate) -> ProgressBar {
    let bar = ProgressBar::new(clip.frames.into()).with_message(format!("{rate:<22}"));
    if bar.is_hidden() {
        eprintln!("Sending: {rate} …");
    }
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} frames") {
        bar.set_style(style);
    }
    bar
}

/// Counts the lines of a file that grows, up to a limit: the last one is the summary.
struct LineCount {
    path: PathBuf,
    file: Option<File>,
    lines: u64,
    limit: u64,
}

impl LineCount {
    fn new(path: &Path, limit: u32) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            lines: 0,
            limit: limit.into(),
        }
    }

    fn count(&mut self) -> u64 {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut fresh = Vec::new();
        if let Some(file) = &mut self.file {
            // A failed read shows no progress, nothing more.
            let _ = file.read_to_end(&mut fresh);
        }
        self.lines += fresh.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.lines.min(self.limit)
    }
}
