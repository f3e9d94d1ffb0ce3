//! Flags of `raq-sim completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use raq_shared::exit::Failure;

/// Flags of `raq-sim completions`.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = super::EXIT_CODES)]
pub struct CompletionOptions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

impl CompletionOptions {
    /// Prints a script that the shell reads.
    ///
    /// # Errors
    /// [`Failure`] where standard output takes nothing.
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        let mut command = super::Options::command();
        clap_complete::generate(self.shell, &mut command, "raq-sim", &mut script);
        super::print(&String::from_utf8_lossy(&script))
    }
}
