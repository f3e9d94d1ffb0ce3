//! One run of raq-send and raq-recv over raq-sim's relay.

use std::{
    io::Read as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use raq_shared::stats::{FrameDecoded, FrameSent, FrameSkipped};

use super::{film::Film, simulator::Scenario};
use crate::{build::Programs, program::Program, progress::Progress, stats};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the programs recorded.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    pub(super) sent: Vec<FrameSent>,
    pub(super) skipped: Vec<FrameSkipped>,
    pub(super) decoded: Vec<FrameDecoded>,
    /// When the relay's link began, microseconds since 1970.
    pub(super) began: u64,
    /// What the relay says became of the datagrams.
    pub(super) relay: String,
}

impl Relayed {
    /// When frame 0 was captured, or the first one that there is a record of, microseconds since 1970.
    pub(super) fn first_capture(&self) -> u64 {
        let sent = self.sent.iter().map(|frame| frame.capture_unix_us);
        let skipped = self.skipped.iter().map(|frame| frame.capture_unix_us);
        sent.chain(skipped).min().unwrap_or(self.began)
    }
}

/// How a film is sent.
pub(super) struct Sending<'a> {
    pub(super) programs: &'a Programs,
    pub(super) scenario: &'a Scenario,
    pub(super) film: &'a Film,
    /// How many of its frames, and for how long.
    pub(super) frames: u32,
    pub(super) length: Duration,
    /// The scenario's `media.max-rate`, kbit/s.
    pub(super) max_kbps: Option<f64>,
}

impl Sending<'_> {
    /// Sends and waits until all programs have ended; records go to `folder`.
    pub(super) fn run(&self, folder: &Path) -> Result<Relayed> {
        // A key of its own leaves the user's alone; both programs hold it, so they trust it.
        let identity = tempfile::tempdir().context("no place for a key; set TMPDIR")?;
        let (sent, decoded) = (folder.join("send.jsonl"), folder.join("recv.jsonl"));
        let command = |program: &Path, stats: &Path| {
            let mut command = Command::new(program);
            command
                .env("RAQ_CONFIG_DIR", identity.path())
                .arg("--stats")
                .arg(stats);
            // The log must say where raq-recv listens, whatever the user filters.
            command.env_remove("RUST_LOG");
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        };

        let mut recv = command(&self.programs.recv, &decoded);
        recv.args(["--listen", "127.0.0.1:0", "--once"]);
        recv.args(["--output", "null", "--latency", "0ms"]);
        let mut recv = Program::start("raq-recv", &mut recv)?;
        let receiver = recv.wait_for("where it listens", PATIENCE, stats::listening)?;

        let (mut relay, address, began) = self.relay(receiver, &folder.join("relayed"))?;
        let mut send = command(&self.programs.send, &sent);
        // Frame numbers begin again with each connection, so there is to be one.
        send.args(["--no-reconnect", "--peer", &address.to_string()]);
        if let Some(most) = self.max_kbps {
            send.args(["--max-rate", &format!("{most}k")]);
        }
        send.args(["--input", "-"]).stdin(Stdio::piped());
        let mut send = Program::start("raq-send", &mut send)?;
        let input = send.stdin().context("raq-send has no standard input")?;

        let (send, played) = thread::scope(|scope| {
            let playing = scope.spawn(|| self.film.play(self.frames, input));
            let mut progress = Progress::new("over the relay", self.frames, &sent);
            let send = send.finish_with(2 * self.length + PATIENCE, || progress.update());
            progress.finish();
            (send, playing.join())
        });
        let send = send?;
        if !relay.is_running() {
            relay.finish(PATIENCE)?.well()?;
            bail!("raq-sim ended before raq-send did");
        }
        if !send.status.success() {
            // raq-recv waits for another sender; this one's words say why there is none.
            return Err(send.well().unwrap_err().into());
        }
        match played {
            Ok(played) => played.context("cannot write to raq-send")?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        recv.finish(PATIENCE)?.well()?;
        let relay = said(relay)?;

        let skipped = stats::skipped(&sent)?;
        let (sent, _) = stats::sender(&sent)?;
        let (decoded, _) = stats::receiver(&decoded)?;
        Ok(Relayed {
            sent,
            skipped,
            decoded,
            began,
            relay,
        })
    }

    /// Starts the relay: itself, where it listens, and when its link began, microseconds since 1970.
    fn relay(&self, to: SocketAddr, records: &Path) -> Result<(Program, SocketAddr, u64)> {
        let mut relay = self.scenario.command("link");
        relay.arg("--scenario").arg(&self.scenario.name);
        relay.args(["--listen", "127.0.0.1:0", "--to", &to.to_string()]);
        relay.arg("--out").arg(records).stdout(Stdio::piped());
        let mut relay = Program::start("raq-sim link", &mut relay)?;
        let listening = |line: &str| Some((stats::listening(line)?, stats::unix_us()));
        let (address, began) = relay.wait_for("where it listens", PATIENCE, listening)?;
        Ok((relay, address, began))
    }
}

/// Ends a relay as ctrl-C does; what it says of the datagrams.
fn said(mut relay: Program) -> Result<String> {
    relay.signal("INT")?;
    let output = relay.stdout();
    relay.finish(PATIENCE)?.well()?;
    let mut text = String::new();
    if let Some(mut output) = output {
        output.read_to_string(&mut text)?;
    }
    Ok(text.trim_end().to_owned())
}
