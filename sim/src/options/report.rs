//! Flags of `raq-sim report`.

use std::path::PathBuf;

use clap::Args;
use raq_shared::exit::Failure;

use crate::{
    record::Run,
    report,
    summary::{self, Summary},
};

/// Flags of `raq-sim report`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct ReportOptions {
    /// The folder of a run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

impl ReportOptions {
    /// Makes summary.json and report.html anew from the records, and prints the summary.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let run = Run::read(&self.folder)?;
        for note in &run.notes {
            super::tell(note);
        }
        let summary: Summary = summary::of(&run);
        summary.write(&self.folder)?;
        let page = report::write(&self.folder)?;
        super::print(&summary.table())?;
        super::tell(&format!("open {}", page.display()));
        Ok(())
    }
}
