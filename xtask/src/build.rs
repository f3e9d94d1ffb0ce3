//! Building the programs.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use raq_shared::paths;

/// The programs as cargo built them.
#[derive(Clone, Debug)]
pub struct Programs {
    /// raq-send
    pub send: PathBuf,
    /// raq-recv
    pub recv: PathBuf,
    /// raq-sim
    pub sim: PathBuf,
}

/// cargo, at the repository's root; what it runs finds the same folders from anywhere.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::repository()).stdin(Stdio::null());
    cargo.envs(paths::absolute_variables());
    as_typed(&mut cargo);
    cargo
}

/// Takes back what cargo tells a program that it runs: build scripts (ring's, for one) look at it
/// too, and a cargo started with it would build half of everything again, and the next one typed
/// by hand once more.
pub fn as_typed(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let told = [
            "CARGO_MANIFEST_",
            "CARGO_PKG_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
        ];
        if told
            .iter()
            .any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()))
        {
            command.env_remove(name);
        }
    }
}

/// The folder of programs to try out instead of building them.
pub const PROGRAMS: &str = "RAQ_PROGRAMS";

/// The programs in the folder that [`PROGRAMS`] names; without it, built for release.
///
/// # Errors
/// Where one is missing there, or cargo fails; its own messages are on standard error.
pub fn programs() -> Result<Programs> {
    match std::env::var_os(PROGRAMS) {
        Some(folder) => programs_in(Path::new(&folder)),
        None => release(),
    }
}

fn programs_in(folder: &Path) -> Result<Programs> {
    let program = |name| {
        let path = folder.join(name);
        if !path.is_file() {
            bail!(
                "{PROGRAMS} is {}, which has no {name}; name a folder with raq-send, raq-recv and \
                 raq-sim, or unset it to have them built",
                folder.display()
            );
        }
        Ok(path)
    };
    Ok(Programs {
        send: program("raq-send")?,
        recv: program("raq-recv")?,
        sim: program("raq-sim")?,
    })
}

/// All of them: what cargo builds for two it would build again for three.
fn release() -> Result<Programs> {
    eprintln!("Building raq-send, raq-recv and raq-sim …");
    let packages = ["raq-send", "raq-recv", "raq-sim"];
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    // JSON is the one way to learn where cargo put the programs.
    cargo
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot run cargo; is it on PATH?")?;
    let mut found = packages.map(|_| None);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's output broke off")?;
            let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
                continue;
            };
            let Some(path) = message["executable"].as_str() else {
                continue;
            };
            let name = message["target"]["name"].as_str();
            if let Some(at) = packages.iter().position(|&package| name == Some(package)) {
                found[at] = Some(PathBuf::from(path));
            }
        }
    }
    let status = child.wait().context("cargo went away")?;
    if !status.success() {
        bail!("the programs do not build (cargo: {status}); its messages are above");
    }
    let [Some(send), Some(recv), Some(sim)] = found else {
        bail!("cargo built too few programs; is this the whole repository?");
    };
    Ok(Programs { send, recv, sim })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_programs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["raq-send", "raq-recv", "raq-sim"] {
            let error = programs_in(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("no {name};")), "{error}");
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = programs_in(folder.path()).unwrap();
        assert_eq!(found.sim, folder.path().join("raq-sim"));
    }

    #[test]
    fn cargo_is_not_told_who_runs_it() {
        // The one that runs this test says so.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let cargo = cargo();
        let taken = cargo.get_envs().filter(|(_, value)| value.is_none());
        let taken: Vec<_> = taken.map(|(name, _)| name.to_owned()).collect();
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION"] {
            assert!(taken.iter().any(|it| it == name), "{name}: {taken:?}");
        }
    }
}
