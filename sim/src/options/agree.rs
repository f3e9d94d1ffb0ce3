//! Flags of `raq-sim agree`.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Args;
use raq_shared::exit::{Exit, Failure};

use crate::{
    agree::{Cell, Row, START, table},
    jobs::side_by_side,
    record::Mode,
};

/// Flags of `raq-sim agree`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct AgreeOptions {
    /// Scenarios: TOML files, or names that `raq-sim list` shows
    #[arg(
        long,
        value_name = "SCENARIO,…",
        value_delimiter = ',',
        default_value = "rfc8867-5.1,loss-5,ramp"
    )]
    pub scenarios: Vec<PathBuf>,
    /// How long each is run, in real time where the relay is used
    #[arg(long, value_name = "N", default_value = "20",
        value_parser = clap::value_parser!(u16).range(5..=3600))]
    pub seconds: u16,
    /// Runs at a time [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

impl AgreeOptions {
    /// Runs all, prints the table, and fails where something does not agree.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let length = Duration::from_secs(self.seconds.into());
        let mut cells = Vec::new();
        for scenario in &self.scenarios {
            cells.extend(Cell::pair(scenario, length)?);
        }
        let jobs = super::jobs(self.jobs);
        let rounds = cells.len().div_ceil(jobs) as u64;
        let takes = rounds * (START + length).as_secs();
        super::tell(&format!(
            "{} runs over the relay, {jobs} at a time: {takes} s",
            cells.len()
        ));
        let rows = run(&cells, jobs)?;
        super::print(&table(&rows))?;
        let wrong = rows.iter().filter(|row| !row.agrees()).count();
        if wrong == 0 {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Failure,
            format_args!(
                "{wrong} of {} do not agree within 5 ms and 3 points; if only the relay is off, \
                 the machine may be too busy: try --jobs 1",
                rows.len()
            ),
        ))
    }
}

/// All cells in all modes, `jobs` cells at a time.
fn run(cells: &[Cell], jobs: usize) -> Result<Vec<Row>, Failure> {
    // What is computed must not slow down what runs in real time.
    let mut figures = Vec::new();
    for cell in cells {
        figures.push((cell.run(Mode::Sessions)?, cell.run(Mode::Quic)?));
    }
    let relayed = side_by_side(cells, jobs, |cell| cell.run(Mode::Relay))?;
    let all = cells.iter().zip(figures).zip(relayed);
    all.map(|((cell, (sessions, quic)), relay)| {
        Ok(Row {
            cell: cell.clone(),
            figures: [sessions, quic, relay?],
        })
    })
    .collect()
}
