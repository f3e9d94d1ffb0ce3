//! Flags of `raq-sim faults`.

use std::{num::NonZeroUsize, time::Duration};

use clap::Args;
use raq_shared::exit::{Exit, Failure};

use crate::{
    faults::{Faults, Script, Soak, Trial, misses, table},
    jobs::side_by_side,
};

/// Flags of `raq-sim faults`.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct FaultOptions {
    /// Only this set at once: none, all, or some of loss, reordering, duplication, corruption,
    /// truncation, outage, rebinding, clock, restart [default: each of the 512 sets]
    #[arg(long, value_name = "NAME,…")]
    pub only: Option<Faults>,
    /// Decides what is up to chance
    #[arg(long, value_name = "N", default_value = "1",
        value_parser = clap::value_parser!(u64).range(..1 << 48))]
    pub seed: u64,
    /// How long there are faults in each script, in the simulator's time
    #[arg(long, value_name = "N", default_value = "6",
        value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Instead of the scripts one connection for so many hours of the simulator's time, through all
    /// faults but restarts by turns: fails where memory grows
    #[arg(long, value_name = "HOURS", conflicts_with_all = ["only", "seconds", "jobs"],
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub soak: Option<u32>,
    /// Scripts at a time [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

impl FaultOptions {
    /// Plays the scripts, prints the table, and fails where something does not hold.
    ///
    /// # Errors
    /// [`Failure`] with what does not, and how to repeat it.
    pub fn run(&self) -> Result<(), Failure> {
        if let Some(hours) = self.soak {
            let length = Duration::from_secs(3600 * u64::from(hours));
            let soak = Soak::of(self.seed, length);
            super::print(&soak.table())?;
            return match soak.missed() {
                None => Ok(()),
                Some(miss) => Err(Failure::new(Exit::Failure, miss)),
            };
        }
        let sets = self.only.map_or_else(Faults::every, |only| vec![only]);
        let scripts = sets.into_iter().map(|faults| Script {
            faults,
            seed: self.seed,
            seconds: self.seconds,
        });
        let scripts: Vec<_> = scripts.collect();
        let trials = side_by_side(&scripts, super::jobs(self.jobs), |script| {
            (*script, Trial::of(script))
        })?;
        super::print(&table(&trials))?;
        if let Some(misses) = misses(&trials) {
            super::tell(&misses);
        }
        let missed = trials.iter().filter(|(_, trial)| !trial.misses.is_empty());
        match missed.count() {
            0 => Ok(()),
            missed => Err(Failure::new(
                Exit::Failure,
                format_args!(
                    "{missed} of {} scripts went wrong; please report this",
                    trials.len()
                ),
            )),
        }
    }
}
