//! One run of a grid.

use std::{
    fs,
    path::{Path, PathBuf},
};

use raq_shared::exit::Failure;

use crate::{
    policy::PolicyName,
    record::{Mode, Run, folder_name},
    run::{Miss, Plan},
    scenario::Loaded,
    summary::Summary,
};

/// One run of a grid.
#[derive(Debug, Clone)]
pub struct Cell {
    /// As on the command line: a file, or a name of the catalogue.
    pub given: PathBuf,
    /// What is set in the scenario.
    pub overrides: Vec<String>,
    /// The scenario read.
    pub loaded: Loaded,
    /// All that is random follows from it.
    pub seed: u64,
    /// Who decides.
    pub policy: PolicyName,
    /// What carries the media.
    pub mode: Mode,
    /// Where the grid's results are.
    pub folder: PathBuf,
    /// Whether records are kept beside the summary.
    pub keep_records: bool,
}

impl Cell {
    /// Where its results are: `FOLDER/SCENARIO/seed-N/POLICY`.
    pub fn out(&self) -> PathBuf {
        let policy = folder_name(&self.policy.to_string());
        let seed = format!("seed-{}", self.seed);
        self.folder.join(&self.loaded.name).join(seed).join(policy)
    }

    /// What it is called in what is printed.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.loaded.name, self.seed, self.policy)
    }

    /// The command line that does the same, quoted for a POSIX shell.
    pub fn command(&self) -> String {
        let mut words = vec!["raq-sim".into(), "run".into(), quoted(&self.given)];
        for assignment in &self.overrides {
            words.extend(["--set".into(), quoted(Path::new(assignment))]);
        }
        words.extend([
            format!("--seed {}", self.seed),
            format!("--policies {}", self.policy),
            format!("--mode {}", self.mode.name()),
            String::from("--no-report"),
        ]);
        if !self.keep_records {
            words.push("--discard-records".into());
        }
        words.extend(["--out".into(), quoted(&self.out())]);
        words.join(" ")
    }

    /// The expectations that it missed, where the folder holds the results of this very cell, made after
    /// this program and the files that the scenario names.
    pub fn missed(&self) -> Option<Vec<String>> {
        let plan = self.plan();
        let changed = |path: PathBuf| fs::metadata(path).and_then(|it| it.modified()).ok();
        let made = changed(plan.out.join("summary.json"))?;
        let program = std::env::current_exe().ok();
        let needed = self.loaded.files().into_iter().chain(program);
        let newer = needed
            .into_iter()
            .any(|path| changed(path).is_none_or(|at| at > made));
        let same = |file: &str, text: &str| {
            fs::read_to_string(plan.out.join(file)).is_ok_and(|found| found == text)
        };
        let summary = Summary::read(&plan.out);
        let right = summary.is_ok_and(|summary| {
            summary.mode == self.mode && summary.policies.get(&self.policy.to_string()).is_some()
        });
        let done = !newer && right && same("scenario.toml", &self.loaded.to_toml(self.seed));
        done.then(|| Run::missed(&plan.out).ok()).flatten()
    }

    /// Runs it; the expectations that it misses.
    ///
    /// # Errors
    /// [`Failure`] as of the run.
    pub fn run(&self) -> Result<Vec<String>, Failure> {
        let plan = self.plan();
        let summary = plan.carry_out(|_| ())?;
        let misses = plan.misses(&summary)?;
        if !self.keep_records {
            Run::discard(&plan.out)?;
        }
        Ok(misses.iter().map(Miss::to_string).collect())
    }

    fn plan(&self) -> Plan {
        Plan {
            loaded: self.loaded.clone(),
            seed: self.seed,
            policies: vec![self.policy],
            mode: self.mode,
            out: self.out(),
        }
    }
}

/// As one word of a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        let words = ["lte", "a b", "it's", "link.down.rate=2Mbit", "", "$HOME"];
        let quoted = words.map(|word| quoted(Path::new(word)));
        let expected = [
            "lte",
            "'a b'",
            "'it'\\''s'",
            "link.down.rate=2Mbit",
            "''",
            "'$HOME'",
        ];
        assert_eq!(quoted, expected);
    }
}
