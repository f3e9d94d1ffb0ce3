//! `cargo xtask load`: one raq-recv with several senders at a time, on loopback.

mod peer;
mod report;

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use self::{peer::Peer, report::Load};
use crate::{
    build::{self, Programs},
    process,
    program::Program,
    setup, stats,
};

/// For what takes no longer than loading the model, many times on one machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often what may have come is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// What each sends: frames, how many a second, their size, and the most bits a second. Little, so that the
/// senders, which share the machine, can keep up.
const FRAMES: u32 = 100;
/// So many more for each sender: as long as one takes to start.
const FRAMES_MORE: u32 = 6;
const RATE: u32 = 5;
const SIZE: &str = "128x96";
const KILOBITS: u32 = 100;
/// Whose keys there are: one that all but one have, so that they trust it, and another one.
const OWN: &str = "own";
const STRANGER: &str = "stranger";
/// Every admitted stream keeps at least this part of the frames that were sent.
const KEPT: f64 = 0.95;

/// Streams from each of these numbers of raq-sends to one raq-recv that takes so many; prints a table.
///
/// # Errors
/// What failed; also where a stream did not keep 95 % of its frames, or one sender too many was not told
/// that the receiver is busy.
pub(crate) fn run(senders: &[u16]) -> Result<()> {
    setup::run(false, false)?;
    let programs = build::programs()?;
    say(&report::HEAD);
    let mut least = 1.0f64;
    for &count in senders {
        let load = load(&programs, count).with_context(|| format!("{count} senders"))?;
        say(&load);
        least = least.min(load.least_kept());
    }
    if least < KEPT {
        bail!(
            "a stream kept {:.1} % of its frames, less than {:.0} %",
            100.0 * least,
            100.0 * KEPT
        );
    }
    Ok(())
}

/// On standard output. Where nobody reads it, the run goes on.
fn say(text: &dyn fmt::Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

#[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
fn load(programs: &Programs, count: u16) -> Result<Load> {
    let folder = tempfile::tempdir().context("no place for a key; set TMPDIR")?;
    let trust = folder.path().join("trust");
    fs::write(
        &trust,
        format!("{}\n", id(&programs.send, folder.path(), STRANGER)?),
    )?;
    let own = id(&programs.recv, folder.path(), OWN)?;
    let mut recv = command(&programs.recv, folder.path(), OWN);
    recv.arg("--trust").arg(&trust);
    recv.args(["--listen", "127.0.0.1:0", "--output", "null"]);
    recv.args(["--max-peers", &count.to_string()]);
    recv.arg("--stats").arg(folder.path().join("{peer}.jsonl"));
    if count == 1 {
        // As it does by itself after the only one of its kind.
        recv.arg("--once");
    }
    let mut recv = Program::start("raq-recv", &mut recv)?;
    let address = recv.wait_for("where it listens", PATIENCE, stats::listening)?;

    // The first goes on until the last has begun and has its time.
    let frames = FRAMES + FRAMES_MORE * u32::from(count);
    let mut peers = Vec::new();
    for number in 1..=count {
        let sent = folder.path().join(format!("sent-{number}.jsonl"));
        let mut send = command(&programs.send, folder.path(), OWN);
        send.args(["--test-pattern", "motion", "--size", SIZE]);
        send.args(["--fps", &RATE.to_string()]);
        send.args(["--frames", &frames.to_string()]);
        send.args(["--max-rate", &format!("{KILOBITS}k")]);
        send.args(["--peer", &address.to_string(), "--no-reconnect"]);
        let send = Program::start("raq-send", send.arg("--stats").arg(&sent))?;
        // One after the other, so that files and senders have the same numbers.
        begun(&folder.path().join(format!("{number}.jsonl")))?;
        peers.push((send, sent));
    }
    let refused = refused(programs, folder.path(), &address.to_string(), &own)?;

    let (began, before) = (Instant::now(), process::processor_seconds(recv.id()));
    let (mut mebibytes, mut spent) = (0.0f64, before.unwrap_or(0.0));
    let mut ended = Vec::new();
    for (send, sent) in peers {
        let mut sample = || {
            mebibytes = mebibytes.max(process::peak_mebibytes(recv.id()).unwrap_or(0.0));
            spent = process::processor_seconds(recv.id()).unwrap_or(spent);
        };
        send.finish_with(PATIENCE, &mut sample)?.well()?;
        ended.push(sent);
    }
    let elapsed = began.elapsed().as_secs_f64();
    if count > 1 {
        recv.signal("INT")?;
    }
    recv.finish(PATIENCE)?.well()?;

    let peers = ended.iter().enumerate().map(|(index, sent)| {
        let decoded = folder.path().join(format!("{}.jsonl", index + 1));
        Peer::read(sent, &decoded)
    });
    Ok(Load {
        peers: peers.collect::<Result<_>>()?,
        refused,
        cpu: (spent - before.unwrap_or(0.0)) / elapsed,
        mebibytes,
    })
}

/// Waits for the file of a session. The log does not tell of each: of many lines of a kind it leaves out some.
#[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
fn begun(file: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        if Instant::now() >= deadline {
            bail!("raq-recv began no session in {} s", PATIENCE.as_secs());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

/// How one sender too many ends: one with another key, since one with the same would take over from a single
/// sender. `receiver` is the receiver's key.
fn refused(programs: &Programs, folder: &Path, address: &str, receiver: &str) -> Result<i32> {
    let mut send = command(&programs.send, folder, STRANGER);
    send.args(["--pin", receiver]);
    send.args(["--test-pattern", "motion", "--size", SIZE]);
    send.args(["--frames", "5", "--peer", address, "--no-reconnect"]);
    let ended = Program::start("raq-send", &mut send)?.finish(PATIENCE)?;
    if !ended.stderr.contains("busy") {
        bail!(
            "one sender too many was not told that the receiver is busy; it says:\n{}",
            ended.stderr.trim_end()
        );
    }
    ended.status.code().context("it was killed")
}

/// The key that a program has as `who`.
fn id(program: &Path, folder: &Path, who: &str) -> Result<String> {
    let output = command(program, folder, who)
        .arg("--print-id")
        .stdout(Stdio::piped())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let id = text
        .split_whitespace()
        .find(|word| word.starts_with("raq1"));
    id.map(str::to_owned).context("--print-id prints no key")
}

/// A program with the key of `who`, which leaves the user's alone.
fn command(program: &Path, folder: &Path, who: &str) -> Command {
    let mut command = Command::new(program);
    command.env("RAQ_CONFIG_DIR", folder.join(who));
    // The log must say where raq-recv listens, whatever the user filters.
    command.env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}
