//! Flags of `raq-sim run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use raq_shared::exit::{Exit, Failure};

use crate::{
    policy::{PolicyName, distinct},
    record::{Mode, Run},
    report,
    run::{Miss, Plan},
    scenario::Loaded,
};

/// Which scenario, and what is changed in it.
#[derive(Args, Clone, Debug)]
pub struct ScenarioArgs {
    /// A scenario: a TOML file, or the name of one that `raq-sim list` shows
    #[arg(value_name = "SCENARIO")]
    pub scenario: PathBuf,
    /// Set a key of the scenario, as link.down.rate=2Mbit or media.fps=25; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Scenario")]
    pub overrides: Vec<String>,
    /// What everything random follows from [default: the scenario's]
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    pub seed: Option<u64>,
}

/// Flags of `raq-sim run`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct RunOptions {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Who decides how much is sent: raq, raq+gcc, gcc, salsify, oracle, fixed:KBPS
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "raq",
        help_heading = "Simulation"
    )]
    pub policies: Vec<PolicyName>,
    /// What carries the media
    #[arg(
        long,
        value_name = "MODE",
        value_enum,
        default_value = "sessions",
        help_heading = "Simulation"
    )]
    pub mode: ModeArg,
    /// Folder for the records, summary.json and report.html [default: raq-sim/SCENARIO-SEED]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Draw no report.html
    #[arg(long, help_heading = "Output")]
    pub no_report: bool,
    /// Keep the summary alone
    #[arg(long, requires = "no_report", help_heading = "Output")]
    pub discard_records: bool,
}

/// [`Mode`] on the command line.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeArg {
    /// The sessions in virtual time over a model of QUIC: fastest
    Sessions,
    /// The sessions over quinn itself, on a paused clock
    Quic,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Sessions => Self::Sessions,
            ModeArg::Quic => Self::Quic,
        }
    }
}

impl RunOptions {
    /// What is to be run.
    ///
    /// # Errors
    /// [`Failure`] where the scenario cannot be read.
    pub fn plan(&self) -> Result<Plan, Failure> {
        let loaded = Loaded::read(&self.scenario.scenario, &self.scenario.overrides)?;
        let seed = self.scenario.seed.unwrap_or(loaded.scenario.seed);
        let default = || PathBuf::from(format!("raq-sim/{}-{seed}", loaded.name));
        Ok(Plan {
            seed,
            policies: distinct(&self.policies),
            mode: self.mode.into(),
            out: self.out.clone().unwrap_or_else(default),
            loaded,
        })
    }

    /// Runs, prints the summary, and fails where an expectation is missed.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let plan = self.plan()?;
        let summary = plan.carry_out(super::tell)?;
        if !self.no_report {
            report::write(&plan.out)?;
        }
        super::print(&summary.table())?;
        super::tell(&format!("results are in {}", plan.out.display()));
        let misses = plan.misses(&summary)?;
        if self.discard_records {
            Run::discard(&plan.out)?;
        }
        judge(&plan.loaded.name, &misses)
    }
}

/// Fails where expectations are missed.
///
/// # Errors
/// [`Failure`] that names what was missed.
pub fn judge(scenario: &str, misses: &[Miss]) -> Result<(), Failure> {
    if misses.is_empty() {
        return Ok(());
    }
    let missed: Vec<String> = misses.iter().map(ToString::to_string).collect();
    Err(Failure::new(
        Exit::Failure,
        format_args!(
            "{} of the expectations of {scenario} missed: {}",
            misses.len(),
            missed.join("; ")
        ),
    ))
}
