//! Flags of `raq-sim sweep`.

use std::{
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use raq_shared::exit::{Exit, Failure};

use super::run::ModeArg;
use crate::{
    merge,
    policy::{PolicyName, distinct},
    scenario::Loaded,
    sweep::{self, Cell},
};

/// Flags of `raq-sim sweep`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct SweepOptions {
    /// Scenarios: TOML files, or names that `raq-sim list` shows
    #[arg(value_name = "SCENARIO", required = true)]
    pub scenarios: Vec<PathBuf>,
    /// Set a key of every scenario; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = "Grid")]
    pub overrides: Vec<String>,
    /// Seeds, from first to last
    #[arg(long, value_name = "N[-N]", value_parser = seeds, default_value = "1-5",
        help_heading = "Grid")]
    pub seeds: Seeds,
    /// Who decides how much is sent: raq, raq+gcc, gcc, salsify, oracle, fixed:KBPS
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "raq,gcc,salsify,oracle",
        help_heading = "Grid"
    )]
    pub policies: Vec<PolicyName>,
    /// What carries the media
    #[arg(
        long,
        value_name = "MODE",
        value_enum,
        default_value = "sessions",
        help_heading = "Grid"
    )]
    pub mode: ModeArg,
    /// Runs at a time [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Work")]
    pub jobs: Option<NonZeroUsize>,
    /// Print a command line per run instead of running them
    #[arg(long, help_heading = "Work")]
    pub print_jobs: bool,
    /// Folder of the results; runs whose results are there are left out
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: PathBuf,
    /// Keep the records of every run, not only its summary
    #[arg(long, help_heading = "Output")]
    pub keep_records: bool,
}

/// Seeds from first to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(RangeInclusive<u64>);

impl SweepOptions {
    /// The grid.
    ///
    /// # Errors
    /// [`Failure`] where a scenario cannot be read.
    pub fn cells(&self) -> Result<Vec<Cell>, Failure> {
        let mut cells: Vec<Cell> = Vec::new();
        let policies = distinct(&self.policies);
        for given in &self.scenarios {
            let loaded = Loaded::read(given, &self.overrides)?;
            if cells.iter().any(|cell| cell.loaded.name == loaded.name) {
                return Err(Failure::new(
                    Exit::Usage,
                    format_args!(
                        "two scenarios are called {}; leave one out or rename its file",
                        loaded.name
                    ),
                ));
            }
            for seed in self.seeds.0.clone() {
                for &policy in &policies {
                    cells.push(Cell {
                        given: given.clone(),
                        overrides: self.overrides.clone(),
                        loaded: loaded.clone(),
                        seed,
                        policy,
                        mode: self.mode.into(),
                        folder: self.out.clone(),
                        keep_records: self.keep_records,
                    });
                }
            }
        }
        Ok(cells)
    }

    /// Runs the grid and prints means over the seeds.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let cells = self.cells()?;
        if self.print_jobs {
            let lines: Vec<String> = cells.iter().map(|cell| cell.command() + "\n").collect();
            return super::print(&lines.concat());
        }
        let jobs = super::jobs(self.jobs);
        // It draws itself on standard error, and only on a terminal.
        let bar = ProgressBar::new(cells.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta:>5} {msg}") {
            bar.set_style(style);
        }
        let (kept, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        sweep::run(&cells, jobs, &|cell: &Cell, was_there, misses| {
            bar.set_message(cell.name());
            bar.inc(1);
            kept.fetch_add(usize::from(was_there), Ordering::Relaxed);
            let named = misses.iter().map(|miss| format!("{}: {miss}", cell.name()));
            let mut missed = missed.lock().unwrap_or_else(PoisonError::into_inner);
            missed.extend(named);
        })?;
        bar.finish_and_clear();
        let folders: Vec<PathBuf> = cells.iter().map(Cell::out).collect();
        let rows = merge::rows(&folders)?;
        merge::write(&rows, &self.out)?;
        super::print(&merge::table(&merge::means(&rows)))?;
        super::tell(&format!(
            "{} runs, {} of them from before; means are in {}",
            cells.len(),
            kept.into_inner(),
            self.out.display()
        ));
        let mut missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
        missed.sort_unstable();
        match missed.len() {
            0 => Ok(()),
            count => Err(Failure::new(
                Exit::Failure,
                format_args!("{count} expectations were missed: {}", missed.join("; ")),
            )),
        }
    }
}

fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("{text:?} names no seeds; give N, or FIRST-LAST as in 1-5");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    if first > last || last - first >= 100_000 {
        return Err(wrong());
    }
    Ok(Seeds(first..=last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_or_a_range() {
        assert_eq!(seeds("7"), Ok(Seeds(7..=7)));
        assert_eq!(seeds("1-5"), Ok(Seeds(1..=5)));
        for bad in ["", "5-1", "a", "1-", "-1", "0-100000"] {
            assert!(seeds(bad).unwrap_err().contains("FIRST-LAST"), "{bad}");
        }
    }
}
