//! `--generate`: completions and man pages, made from the definition of the flags.

use std::io::{self, Write as _};

use clap::{Command, ValueEnum};
use clap_complete::Shell;

use crate::cli::stdout_failure;
use crate::exit::{Exit, Failure};

/// What can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
    /// A man page, for section 1.
    Man,
}

impl Generate {
    /// Prints it.
    ///
    /// # Errors
    /// [`Failure`] where standard output cannot be written.
    pub(super) fn print(self, command: &Command) -> Result<(), Failure> {
        let mut text = Vec::new();
        let shell = match self {
            Self::Bash => Some(Shell::Bash),
            Self::Zsh => Some(Shell::Zsh),
            Self::Fish => Some(Shell::Fish),
            Self::Man => None,
        };
        let mut command = command.clone();
        match shell {
            Some(shell) => {
                let name = command.get_name().to_owned();
                clap_complete::generate(shell, &mut command, name, &mut text);
            }
            None => clap_mangen::Man::new(command)
                .render(&mut text)
                .map_err(|error| Failure::new(Exit::Failure, error))?,
        }
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&text)
            .and_then(|()| stdout.flush())
            .map_err(stdout_failure)
    }
}
