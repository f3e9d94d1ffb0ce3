//! `--print-config`: all settings, and where each comes from.

use std::io::{self, Write as _};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Value;

use super::entry::{self, is_setting, settable};
use super::layers::Layers;
use crate::cli::stdout_failure;
use crate::exit::Failure;

/// Columns before origins at the most.
const WIDEST: usize = 60;

/// Prints them as a file that `--config` takes.
///
/// # Errors
/// [`Failure`] where standard output cannot be written.
pub(super) fn print(
    command: &Command,
    matches: &ArgMatches,
    layers: &Layers,
) -> Result<(), Failure> {
    let lines = lines(command, matches, layers);
    let mut stdout = io::stdout().lock();
    lines
        .iter()
        .try_for_each(|line| writeln!(stdout, "{line}"))
        .and_then(|()| stdout.flush())
        .map_err(stdout_failure)
}

pub(super) fn lines(command: &Command, matches: &ArgMatches, layers: &Layers) -> Vec<String> {
    let settings = command.get_arguments().filter(|arg| is_setting(arg));
    // A switch that is on where nothing is said has another one that turns it off; they are one setting.
    let settings = settings.filter(|arg| {
        let off = arg.get_long().and_then(|long| long.strip_prefix("no-"));
        off.is_none_or(|long| settable(command, long).is_none())
    });
    let lines: Vec<_> = settings
        .map(|arg| {
            let name = arg.get_long().unwrap_or_default();
            let id = arg.get_id().as_str();
            let off = settable(command, &format!("no-{name}")).map(|arg| arg.get_id().as_str());
            let value = match off {
                Some(off) => Some(Value::Boolean(!matches.get_flag(off))),
                None => value(arg, matches),
            };
            let Some(value) = value else {
                return (format!("# {name} ="), "not set".to_owned());
            };
            let ids = [Some(id), off].into_iter().flatten();
            let given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
            let origin = match ids.clone().find(given) {
                None => "default".to_owned(),
                Some(_) => ids
                    .filter_map(|id| layers.origin(id))
                    .next()
                    .map_or_else(|| "command line".to_owned(), ToString::to_string),
            };
            (format!("{name} = {value}"), origin)
        })
        .collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max();
    // What is longer than others has its origin further to the right.
    let width = width.unwrap_or_default().min(WIDEST);
    lines
        .into_iter()
        .map(|(line, origin)| format!("{line:width$}  # {origin}"))
        .collect()
}

/// The value in TOML; none where there is none.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = arg.get_id().as_str();
    if entry::is_switch(arg) {
        return Some(Value::Boolean(matches.get_flag(id)));
    }
    if entry::is_count(arg) {
        return Some(Value::Integer(matches.get_count(id).into()));
    }
    let mut values = matches
        .get_raw(id)?
        .map(|value| Value::String(value.to_string_lossy().into_owned()));
    match arg.get_action() {
        ArgAction::Append => Some(Value::Array(values.collect())),
        _ => values.next(),
    }
}
