//! One run of raq-send and raq-recv.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Result, bail};
use raq_shared::stats::{FrameDecoded, FrameSent, ReceiverSummary, SenderSummary};

use crate::{build::Programs, clip::Clip, program::Program, progress::Progress, stats};

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

        let mut progress = Progress::new(&rate.to_string(), clip.frames, &decoded);
        let patience = 2 * clip.duration() + PATIENCE;
        let send = send.finish_with(patience, || progress.update())?;
        if !send.status.success() && recv.is_running() {
            // It waits for another sender; this one's words say why there is none.
            drop(recv);
            return Err(send.well().unwrap_err().into());
        }
        let recv = recv.finish_with(PATIENCE, || progress.update())?;
        progress.finish();
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
