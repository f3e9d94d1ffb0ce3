//! Writes a run's folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use raq_shared::exit::Failure;
use serde::Serialize;

use super::{LinkRow, PolicyRecorder, Run, RunRecord, run::read_json, table::Table};
use crate::rd::report::cannot_write;

/// A run's folder while it is being written.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
}

impl Recorder {
    /// Creates the folder with `run.json` and `scenario.toml`. What an earlier run left there is
    /// removed, so that runs do not mix.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn create(folder: &Path, run: &RunRecord, scenario: &str) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|e| cannot_write(folder, &e))?;
        for file in ["link.csv", "summary.json", MISSED, "report.html"] {
            remove(&folder.join(file))?;
        }
        let earlier = read_json::<RunRecord>(&folder.join("run.json"));
        let earlier = earlier.map_or_else(|_| Vec::new(), |run| run.policies);
        for policy in run.policies.iter().chain(&earlier) {
            remove_records(&folder.join(folder_name(policy)))?;
        }
        save_json(&folder.join("run.json"), run)?;
        let path = folder.join("scenario.toml");
        fs::write(&path, scenario).map_err(|e| cannot_write(&path, &e))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Writes `run.json` anew, where the end of the run was not known before.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn record(&self, run: &RunRecord) -> Result<(), Failure> {
        save_json(&self.folder.join("run.json"), run)
    }

    /// Writes `link.csv`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn link(&self, rows: impl IntoIterator<Item = LinkRow>) -> Result<(), Failure> {
        let mut table = Table::create(self.folder.join("link.csv"))?;
        for row in rows {
            table.push(&row)?;
        }
        table.finish()
    }

    /// Begins the records of a policy.
    ///
    /// # Errors
    /// [`Failure`] where they cannot be written.
    pub fn policy(&self, name: &str) -> Result<PolicyRecorder, Failure> {
        PolicyRecorder::create(self.folder.join(folder_name(name)))
    }
}

/// What a run has left of its verdict: the expectations that it missed, as they are told.
const MISSED: &str = "missed.json";

impl Run {
    /// Notes in a run's folder what expectations it missed.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn note_missed(folder: &Path, missed: &[String]) -> Result<(), Failure> {
        save_json(&folder.join(MISSED), &missed)
    }

    /// The expectations that the run in this folder missed, as they were told.
    ///
    /// # Errors
    /// [`Failure`] where nothing says so.
    pub fn missed(folder: &Path) -> Result<Vec<String>, Failure> {
        read_json(&folder.join(MISSED))
    }

    /// Removes the records of a run from its folder; run, scenario, summary and verdict stay.
    ///
    /// # Errors
    /// [`Failure`] where something cannot be removed.
    pub fn discard(folder: &Path) -> Result<(), Failure> {
        let run: RunRecord = read_json(&folder.join("run.json"))?;
        remove(&folder.join("link.csv"))?;
        for policy in &run.policies {
            remove_records(&folder.join(folder_name(policy)))?;
        }
        Ok(())
    }
}

/// Removes what a recorder has left in a policy's folder, and the folder where nothing else is in it.
fn remove_records(policy: &Path) -> Result<(), Failure> {
    for file in ["frames.csv", "datagrams.csv", "cpu.json"] {
        remove(&policy.join(file))?;
    }
    for entry in fs::read_dir(policy.join("pictures")).into_iter().flatten() {
        let path = entry.map_err(|e| cannot_write(policy, &e))?.path();
        if path.extension().is_some_and(|ending| ending == "png") {
            remove(&path)?;
        }
    }
    // Where something else is in it, it stays.
    let _ = fs::remove_dir(policy.join("pictures"));
    let _ = fs::remove_dir(policy);
    Ok(())
}

/// The folder of a policy within a run's: its name with `-` for what file systems may refuse.
pub fn folder_name(policy: &str) -> String {
    policy.replace([':', '/', '\\'], "-")
}

/// As JSON for people, with an end of line.
pub(crate) fn save_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| cannot_write(path, &e))?;
    text.push(b'\n');
    fs::write(path, text).map_err(|e| cannot_write(path, &e))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(path, &error)),
        _ => Ok(()),
    }
}
