//! `cargo xtask soak`: both programs and a browser for a long time, to see that memory stays flat.

mod storm;
mod usage;

use std::{
    fmt,
    io::{self, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use self::usage::Usage;
use crate::{
    build::{self, Programs},
    program::{Ended, Program},
    setup, stats,
};

/// For what takes no longer than loading the model.
const PATIENCE: Duration = Duration::from_secs(120);
/// Memory may differ by so much from its median, up and down.
const FLAT: f64 = 0.05;
/// Less says nothing, and more belongs elsewhere.
const LENGTHS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(240)..=Duration::from_secs(24 * 3600);

/// Streams the built-in scene at 320×240 and 30 frames a second over loopback for `length` while
/// Chromium shows raq-recv's page, and prints what both programs take for every minute; with `faults`
/// over a bad link and without the page ([`storm`]).
///
/// # Errors
/// What failed; also where memory after the first minute was not flat within 5 %, or a program
/// logged an error or a warning.
pub(crate) fn run(length: Duration, faults: bool) -> Result<()> {
    if !LENGTHS.contains(&length) {
        bail!("--duration: give 4m to 24h");
    }
    if faults {
        return storm::run(length);
    }
    setup::run(false, false)?;
    let programs = build::programs()?;
    let folder = tempfile::tempdir().context("no place for a key; set TMPDIR")?;
    let (recv, address, page) = receiver(&programs, folder.path())?;
    let browser = browser(&page, &folder.path().join("profile"))?;
    let mut send = command(&programs.send, folder.path());
    send.args(["--test-pattern", "motion", "--size", "320x240"]);
    send.args(["--peer", &address, "--no-reconnect"]);
    send.args(["--duration", &format!("{}s", length.as_secs())]);
    let send = Program::start("raq-send", &mut send)?;

    let (mut sender, mut receiver) = (Usage::of(send.id()), Usage::of(recv.id()));
    say(format_args!(
        "minute   raq-send                          raq-recv"
    ));
    let send = send.finish_with(length + PATIENCE, || {
        if let (Some((minute, sent)), Some((_, received))) = (sender.sample(), receiver.sample()) {
            say(format_args!("{minute:>6}   {sent}   {received}"));
        }
    })?;
    // It ends with the sender, or ended before; then this has its reason.
    let recv = recv.finish(PATIENCE)?.well()?;
    drop(browser);
    let send = send.well()?;

    for (ended, usage) in [(&send, &sender), (&recv, &receiver)] {
        say(format_args!(
            "{}: {usage}; {}",
            ended.name,
            last_words(ended)
        ));
    }
    judge(&[(&send, &sender), (&recv, &receiver)])
}

/// What is wrong with a run.
fn judge(programs: &[(&Ended, &Usage)]) -> Result<()> {
    for (ended, usage) in programs {
        let complaint = |line: &&str| line.contains("WARN") || line.contains("ERROR");
        if let Some(line) = ended.stderr.lines().find(complaint) {
            bail!("{} complained: {line}", ended.name);
        }
        match usage.deviation() {
            None => bail!("{} ended within a minute", ended.name),
            Some(deviation) if deviation > FLAT => bail!(
                "the memory of {} moved by {:.1} % about its median, more than {:.0} %",
                ended.name,
                100.0 * deviation,
                100.0 * FLAT
            ),
            Some(_) => {}
        }
    }
    say(format_args!("Memory is flat within {:.0} %", 100.0 * FLAT));
    Ok(())
}

/// On standard output. Where nobody reads it, the run goes on.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn last_words(ended: &Ended) -> &str {
    let line = ended.stderr.lines().last().unwrap_or("it said nothing");
    line.trim().trim_start_matches("INFO").trim()
}

/// A program with a key of its own, which leaves the user's alone; both hold it, so they trust it.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("RAQ_CONFIG_DIR", folder).env("NO_COLOR", "1");
    // The log must say where raq-recv listens, whatever the user filters.
    command.env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Starts raq-recv; where it listens and where its page is.
fn receiver(programs: &Programs, folder: &Path) -> Result<(Program, String, String)> {
    let mut recv = command(&programs.recv, folder);
    recv.args(["--listen", "127.0.0.1:0", "--once", "--output", "web"]);
    let mut recv = Program::start("raq-recv", &mut recv)?;
    let (mut address, mut page) = (None, None);
    recv.wait_for("where it listens and where its page is", PATIENCE, |line| {
        let url = line.find("http://").map(|at| line[at..].trim().to_owned());
        address = address.take().or_else(|| stats::listening(line));
        page = page.take().or(url);
        (address.is_some() && page.is_some()).then_some(())
    })?;
    let address = address.context("raq-recv does not say where it listens")?;
    let page = page.context("raq-recv does not say where its page is")?;
    Ok((recv, address.to_string(), page))
}

/// Opens the page in Chromium without a screen.
fn browser(page: &str, profile: &Path) -> Result<Program> {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu"]);
    // It stays open for as long as it is not told to do anything.
    command.arg("--remote-debugging-port=0");
    let mut folder = std::ffi::OsString::from("--user-data-dir=");
    folder.push(profile);
    command.arg(folder).arg(page);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Program::start("chromium", &mut command)
        .context("Chromium shows the page; install it (Debian: apt-get install chromium)")
}
