//! Flags of `raq-sim merge`.

use std::path::PathBuf;

use clap::Args;
use raq_shared::exit::Failure;

use crate::merge;

/// Flags of `raq-sim merge`.
#[derive(Args, Clone, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct MergeOptions {
    /// Folders of runs and sweeps
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// Folder for merged.csv, a line per run and policy, and merged.json, means over the seeds
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: PathBuf,
}

impl MergeOptions {
    /// Joins the summaries and prints means over the seeds.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        let rows = merge::rows(&self.folders)?;
        merge::write(&rows, &self.out)?;
        super::print(&merge::table(&merge::means(&rows)))
    }
}
