//! Building the programs.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use raq_shared::paths;

/// The two programs as cargo built them.
#[derive(Clone, Debug)]
pub struct Programs {
    /// raq-send
    pub send: PathBuf,
    /// raq-recv
    pub recv: PathBuf,
}

/// cargo, at the repository's root; what it runs finds the same folders from anywhere.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::repository()).stdin(Stdio::null());
    cargo.envs(paths::absolute_variables());
    cargo
}

/// Builds both programs for release.
///
/// # Errors
/// Where cargo fails; its own messages are on standard error.
pub fn release() -> Result<Programs> {
    let mut cargo = cargo();
    cargo.args([
        "build",
        "--release",
        "--package",
        "raq-send",
        "--package",
        "raq-recv",
        "--bins",
    ]);
    // JSON is the one way to learn where cargo put the programs.
    cargo
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot run cargo; is it on PATH?")?;
    let (mut send, mut recv) = (None, None);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's output broke off")?;
            let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
                continue;
            };
            let Some(path) = message["executable"].as_str() else {
                continue;
            };
            match message["target"]["name"].as_str() {
                Some("raq-send") => send = Some(PathBuf::from(path)),
                Some("raq-recv") => recv = Some(PathBuf::from(path)),
                _ => {}
            }
        }
    }
    let status = child.wait().context("cargo went away")?;
    if !status.success() {
        bail!("the programs do not build (cargo: {status}); its messages are above");
    }
    let (Some(send), Some(recv)) = (send, recv) else {
        bail!("cargo built no raq-send or no raq-recv; is this the whole repository?");
    };
    Ok(Programs { send, recv })
}
