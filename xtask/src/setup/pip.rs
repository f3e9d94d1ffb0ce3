//! python3 and pip: finding them, running them, and saying what is wrong with them.

use std::{
    ffi::OsStr,
    io,
    os::fd::AsFd as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::wheel::{Wheel, platforms};

/// The interpreter on the search path.
const PYTHON: &str = "python3";

/// A command of python3 that never asks anything.
pub(super) fn python(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .env("PIP_NO_INPUT", "1")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

/// Checks that python3 and pip are there.
pub(super) fn check() -> Result<()> {
    let output = output(python(PYTHON).args(["-m", "pip", "--version"]))?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "python3 has no pip ({}); install it (Debian, Ubuntu: apt-get install python3-pip; \
         elsewhere: python3 -m ensurepip --user), then run this again",
        last_line(&output.stderr)
    )
}

/// The version of python3 as (major, minor).
pub(super) fn version() -> Result<(u32, u32)> {
    let print = "import sys; print(*sys.version_info[:2])";
    let output = output(python(PYTHON).args(["-c", print]))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => bail!(
            "python3 does not tell its version ({})",
            last_line(&output.stderr)
        ),
    }
}

/// Downloads `wheels` into `folder`, with pip's own progress on standard error.
pub(super) fn download(wheels: &[Wheel], folder: &Path) -> Result<()> {
    let mut command = python(PYTHON);
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
    command.args(["--implementation", "cp", "--python-version", "3.12"]);
    command.args(platforms().flat_map(|tag| ["--platform".to_owned(), tag]));
    command.arg("--dest").arg(folder);
    command.args(
        wheels
            .iter()
            .map(|wheel| format!("{}=={}", wheel.project, wheel.version)),
    );
    run(&mut command, "pip could not fetch ONNX Runtime")
}

/// Runs pip with its output on standard error.
pub(super) fn run(command: &mut Command, failure: &str) -> Result<()> {
    // Not on standard output: that stays free for results.
    let stderr = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    let status = command
        .stdout(stderr().context("cannot write to standard error")?)
        .status()
        .map_err(not_started)?;
    if !status.success() {
        bail!(
            "{failure} ({status}; its own words are above); check the network, the disk and \
             pip's index (python3 -m pip config list), then run this again"
        );
    }
    Ok(())
}

/// Checks the wheels in `folder` against their pins and unpacks their libraries into `out`.
pub(super) fn unpack(wheels: &[Wheel], folder: &Path, out: &Path) -> Result<()> {
    let mut command = python(PYTHON);
    command
        .args(["-c", include_str!("unpack.py")])
        .arg(folder)
        .arg(out);
    command.args(wheels.iter().map(|wheel| wheel.sha256));
    let output = output(&mut command)?;
    if !output.status.success() {
        bail!(
            "the downloaded wheels cannot be used: {}; check the disk and pip's index (python3 \
             -m pip config list), then run this again",
            last_line(&output.stderr)
        );
    }
    Ok(())
}

/// Runs `command` and keeps what it prints.
pub(super) fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(not_started)
}

fn not_started(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "python3 was not found; install it with pip (Debian, Ubuntu: apt-get install python3 \
             python3-pip), then run this again"
        ),
        _ => anyhow!("cannot run python3: {error}"),
    }
}

/// The last line that says something.
pub(super) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    line.unwrap_or("it said nothing").to_owned()
}
