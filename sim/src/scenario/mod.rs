//! Scenarios: what link, which flows, what media, and what must come out; TOML files.

mod catalogue;
mod expect;
mod files;
mod flow;
mod gcc;
mod media;
mod overrides;

use std::path::{Path, PathBuf};

use raq_shared::{
    exit::{Exit, Failure},
    text_file,
    toml_fault::toml_fault,
};
use serde::{Deserialize, Serialize};
use toml::Table;

pub use crate::link::{LinkConfig, Rate, Time};
pub use catalogue::{Entry, catalogue};
pub use expect::Expectation;
pub use flow::{FlowConfig, Pause};
pub use gcc::GccConfig;
pub use media::{MediaConfig, SourceKind};

/// Longer delays are not on this planet.
const LONGEST_DELAY: std::time::Duration = std::time::Duration::from_secs(60);
/// Nothing can be said of less.
const SHORTEST: std::time::Duration = std::time::Duration::from_millis(100);
/// More flows than any scenario needs.
const MOST_FLOWS: usize = 64;

/// A scenario as its file says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// One line for lists and reports.
    pub description: String,
    /// How long frames are captured.
    pub duration: Time,
    /// Decides everything random, unless the command line gives another.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// What the flows carry.
    #[serde(default)]
    pub media: MediaConfig,
    /// What the comparator `gcc` is like.
    #[serde(default)]
    pub gcc: GccConfig,
    /// The two directions.
    pub link: Links,
    /// The flows; one from beginning to end where none is given.
    #[serde(default, rename = "flow", skip_serializing_if = "Vec::is_empty")]
    pub given_flows: Vec<FlowConfig>,
    /// Parts of the time that expectations can name.
    #[serde(default, rename = "phase", skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What must come out.
    #[serde(default, rename = "expect", skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
}

/// Both directions of the link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// From sender to receiver.
    pub down: LinkConfig,
    /// From receiver to sender.
    pub up: LinkConfig,
}

/// A part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// When it begins; it ends where the next one begins, or with the scenario.
    pub at: Time,
}

fn first_seed() -> u64 {
    1
}

/// A scenario and where it comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file's name without its ending.
    pub name: String,
    /// Where relative paths in it begin.
    pub folder: PathBuf,
    /// What it says, after overrides.
    pub scenario: Scenario,
}

impl Scenario {
    /// The flows, at least one.
    pub fn flows(&self) -> &[FlowConfig] {
        static ONE: [FlowConfig; 1] = [FlowConfig {
            start: Time(std::time::Duration::ZERO),
            stop: None,
            delay: None,
            pause: Vec::new(),
        }];
        if self.given_flows.is_empty() {
            &ONE
        } else {
            &self.given_flows
        }
    }

    /// From when to when a phase lasts; none of this name otherwise.
    pub fn phase(&self, name: &str) -> Option<(Time, Time)> {
        let at = self.phases.iter().position(|phase| phase.name == name)?;
        let next = self.phases.get(at + 1);
        Some((
            self.phases[at].at,
            next.map_or(self.duration, |next| next.at),
        ))
    }

    /// What keys cannot know of each other.
    fn check(&self) -> Result<(), String> {
        if self.duration.0 < SHORTEST {
            return Err("duration is next to nothing; give some time, as in \"60s\"".into());
        }
        if self.given_flows.len() > MOST_FLOWS {
            return Err(format!("more than {MOST_FLOWS} flows; leave some out"));
        }
        for (number, flow) in self.flows().iter().enumerate() {
            if flow.delay.is_some_and(|delay| delay.0 > LONGEST_DELAY) {
                return Err(format!(
                    "flow {number} has a delay of over a minute; give less"
                ));
            }
            if flow.start >= self.duration || flow.stop.is_some_and(|stop| stop <= flow.start) {
                return Err(format!(
                    "flow {number} ends before it begins; mend its start or stop, or the duration"
                ));
            }
        }
        let times: Vec<_> = self.phases.iter().map(|phase| phase.at).collect();
        if !times.is_sorted_by(|a, b| a < b) || times.last() >= Some(&self.duration) {
            let text = "phases must follow each other within the duration; sort them, or mend the \
                        duration or with --set phase=[] leave them out";
            return Err(text.into());
        }
        let mut names: Vec<_> = self.phases.iter().map(|phase| &phase.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two phases are named {:?}; rename one", twice[0]));
        }
        self.media.check()?;
        self.gcc.check()?;
        for expectation in &self.expectations {
            expectation.check()?;
            if let Some(phase) = &expectation.phase
                && self.phase(phase).is_none()
            {
                let metric = &expectation.metric;
                return Err(format!(
                    "expect {metric}: there is no phase {phase:?}; name one of the [[phase]]s"
                ));
            }
        }
        Ok(())
    }
}

impl Loaded {
    /// Reads the scenario `name`, a file or one of the [`catalogue()`], with `overrides` as
    /// `--set` takes them.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, for a missing file, TOML that is none, keys that mean
    /// nothing and values that cannot be.
    pub fn read(name: &Path, overrides: &[String]) -> Result<Self, Failure> {
        let (text, folder) = find(name)?;
        let shown = name.display();
        let fail = |what: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, format_args!("{shown}: {what}"))
        };
        let mut table: Table = text
            .parse()
            .map_err(|error| fail(&toml_fault(&error, &text)))?;
        // Paths in the file begin at the file, those of the command line where it was typed.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        files::anchor(&mut table, &folder);
        for assignment in overrides {
            overrides::set(&mut table, assignment).map_err(|what| {
                Failure::new(Exit::Usage, format_args!("--set {assignment}: {what}"))
            })?;
        }
        if let Ok(here) = std::env::current_dir() {
            files::anchor(&mut table, &here);
        }
        let scenario: Scenario = table
            .try_into()
            .map_err(|error| fail(&toml_fault(&error, &text)))?;
        scenario.check().map_err(|what| fail(&what))?;
        for (direction, link) in [("down", &scenario.link.down), ("up", &scenario.link.up)] {
            link.check()
                .map_err(|what| fail(&format_args!("link.{direction}: {what}")))?;
        }
        Ok(Self {
            name: called(name),
            folder,
            scenario,
        })
    }

    /// The scenario as a file that gives the same run with this seed.
    pub fn to_toml(&self, seed: u64) -> String {
        let scenario = Scenario {
            seed,
            ..self.scenario.clone()
        };
        toml::to_string(&scenario).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

/// What a scenario may take, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The text of a scenario and its folder.
fn find(name: &Path) -> Result<(String, PathBuf), Failure> {
    let error = match text_file::read(name, LARGEST_FILE) {
        Ok(text) => {
            let folder = name.parent().unwrap_or_else(|| Path::new("")).to_owned();
            return Ok((text, folder));
        }
        Err(error) => error,
    };
    let alone = name.parent() == Some(Path::new(""));
    let entry = catalogue()
        .iter()
        .find(|entry| alone && entry.name == called(name));
    match entry {
        Some(entry) => Ok((entry.text.to_owned(), catalogue::folder())),
        None => Err(Failure::new(
            Exit::Usage,
            format_args!(
                "cannot read the scenario {}: {error}; give a file, or one of those that \
                 `raq-sim list` names",
                name.display()
            ),
        )),
    }
}

/// The file's name without `.toml`; other dots belong to it.
fn called(name: &Path) -> String {
    let name = name
        .file_name()
        .unwrap_or(name.as_os_str())
        .to_string_lossy();
    name.strip_suffix(".toml").unwrap_or(&name).to_owned()
}
