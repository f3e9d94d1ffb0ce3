//! Settings of the programs: flags over `RAQ_*` variables over a file over what is built in.
//!
//! The file and the environment become flags before those that were typed, so that one definition,
//! clap's, says what is allowed and what the values mean. What was typed wins, also over what it
//! cannot stand beside: `--test-pattern` over a camera in the file.

mod entry;
mod environment;
mod file;
mod generate;
mod layers;
mod show;
mod version;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, Parser};

use self::entry::Entry;
use self::generate::Generate;
use self::layers::Layers;
use crate::exit::Failure;

pub use self::entry::Origin;

/// Flags that say where settings come from.
#[derive(Args, Clone, Debug)]
pub struct SettingsArgs {
    /// Take settings from this file, TOML with the names of flags: max-rate = "2M"
    ///
    /// What is typed wins over variables named RAQ_ and the flag (RAQ_MAX_RATE=2M), and those over the
    /// file.
    #[arg(long, value_name = "FILE.toml", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Print all settings and where each comes from, as a file that --config takes, and end
    #[arg(long, help_heading = "Settings")]
    pub print_config: bool,
    /// Print completions for a shell or a man page, and end
    #[arg(
        long,
        value_name = "bash|zsh|fish|man",
        hide_short_help = true,
        help_heading = "Settings"
    )]
    pub generate: Option<Generate>,
}

/// Flags that ask for something instead of setting it, which is done on the command line alone.
const QUESTIONS: [&str; 9] = [
    "help",
    "version",
    "config",
    "print_config",
    "generate",
    "print_id",
    "print_model",
    "list_cameras",
    // A secret that is good once.
    "ticket",
];

/// The settings of program `P`, from `command_line` with its name first and from everything else that
/// has a say. None where `--print-config` or `--generate` asked for something that is now printed.
/// A wrong command line ends the program, as do `--help` and `--version`.
///
/// # Errors
/// [`Failure`] where the file cannot be read or is wrong, or standard output cannot be written.
pub fn read<P: Parser>(
    command_line: impl IntoIterator<Item = OsString>,
) -> Result<Option<P>, Failure> {
    let typed: Vec<OsString> = command_line.into_iter().collect();
    let mut command = P::command();
    command.build();
    let matches = parse(&command, &typed, std::env::vars_os())?;
    match matches {
        Parsed::Wrong(error) => error.exit(),
        Parsed::Asked => Ok(None),
        Parsed::Settings(matches, layers) => {
            if matches.get_flag("print_config") {
                show::print(&command, &matches, &layers)?;
                return Ok(None);
            }
            match P::from_arg_matches(&matches) {
                Ok(options) => Ok(Some(options)),
                Err(error) => error.format(&mut command).exit(),
            }
        }
    }
}

/// What came of a command line.
#[derive(Debug)]
enum Parsed {
    /// Nothing that could be used, or a text that was asked for.
    Wrong(clap::Error),
    /// Something that is printed now.
    Asked,
    /// Settings, and where they come from.
    Settings(ArgMatches, Layers),
}

fn parse(
    command: &Command,
    typed: &[OsString],
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Parsed, Failure> {
    let first = command.clone().ignore_errors(true);
    let matches = match first.try_get_matches_from(typed) {
        Ok(matches) => matches,
        Err(error) => {
            let long = typed.iter().any(|word| word == "--version");
            if long && error.kind() == ErrorKind::DisplayVersion {
                version::print(command.get_name())?;
                return Ok(Parsed::Asked);
            }
            return Ok(Parsed::Wrong(error));
        }
    };
    if let Ok(Some(&generate)) = matches.try_get_one::<Generate>("generate") {
        generate.print(command)?;
        return Ok(Parsed::Asked);
    }
    let mut layers = Layers::new(command, typed, &matches);
    let mut named = None;
    for (name, value) in environment::named(variables) {
        if name == environment::CONFIG {
            named = Some(PathBuf::from(value));
        } else if let Some(entry) = environment::entry(command, &name, value)? {
            layers.add(command, entry);
        }
    }
    let typed = matches.try_get_one::<PathBuf>("config").ok().flatten();
    if let Some(path) = typed.or(named.as_ref()) {
        for entry in file::read(command, path)? {
            layers.add(command, entry);
        }
    }
    Ok(match command.clone().try_get_matches_from(layers.words()) {
        Ok(matches) => Parsed::Settings(matches, layers),
        Err(error) => match layers.blame(&error) {
            Some(failure) => return Err(failure),
            None => Parsed::Wrong(error),
        },
    })
}

#[cfg(test)]
mod tests;
