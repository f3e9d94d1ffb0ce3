//! Flags of `raq-sim list`.

use std::{fmt::Write as _, path::Path};

use clap::Args;
use raq_shared::exit::Failure;

use crate::scenario::{Loaded, catalogue};

/// Flags of `raq-sim list`.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct ListOptions {}

impl ListOptions {
    /// Prints a line per scenario.
    ///
    /// # Errors
    /// [`Failure`] where standard output takes nothing.
    pub fn run(self) -> Result<(), Failure> {
        let mut text = String::new();
        for entry in catalogue() {
            let loaded = Loaded::read(Path::new(entry.name), &[])?;
            let scenario = &loaded.scenario;
            let _ = writeln!(
                text,
                "{:<18} {:>5}  {}",
                entry.name,
                scenario.duration.to_string(),
                scenario.description
            );
        }
        super::print(&text)
    }
}
