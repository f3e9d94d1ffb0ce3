//! What wins where several places set something.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::Entry;
use crate::exit::{Exit, Failure};

/// What was typed, and what was set elsewhere and is not overridden.
#[derive(Debug)]
pub(super) struct Layers {
    typed: Vec<OsString>,
    /// Flags that were typed.
    ids: Vec<String>,
    /// What weighs more comes first.
    entries: Vec<Entry>,
    /// A verb such as `peers` is not about settings.
    verb: bool,
}

impl Layers {
    /// What was typed.
    pub(super) fn new(command: &Command, typed: &[OsString], matches: &ArgMatches) -> Self {
        let ids = command.get_arguments().map(|arg| arg.get_id().as_str());
        let source = |id: &str| matches.try_contains_id(id).is_ok() && is_typed(matches, id);
        Self {
            typed: typed.to_vec(),
            ids: ids.filter(|id| source(id)).map(str::to_owned).collect(),
            entries: Vec::new(),
            verb: matches.subcommand_name().is_some(),
        }
    }

    /// Adds what weighs less than all there is, unless that leaves no room for it.
    pub(super) fn add(&mut self, command: &Command, entry: Entry) {
        let Some(arg) = find(command, &entry.id) else {
            return;
        };
        // Two of one layer that cannot stand together are wrong, and clap says so.
        let higher = self
            .entries
            .iter()
            .filter(|before| layer(before) != layer(&entry));
        let mut set = self.ids.iter().chain(higher.map(|before| &before.id));
        if !self.verb && !set.any(|id| excludes(command, id, arg)) {
            self.entries.push(entry);
        }
    }

    /// The command line with everything in it, the program's name first.
    pub(super) fn words(&self) -> Vec<OsString> {
        let (name, typed) = self.typed.split_at(self.typed.len().min(1));
        let set = self.entries.iter().rev().flat_map(|entry| &entry.words);
        name.iter().chain(set).chain(typed).cloned().collect()
    }

    /// Where a setting comes from, if it was set and not typed.
    pub(super) fn origin(&self, id: &str) -> Option<&super::Origin> {
        let entry = self.entries.iter().find(|entry| entry.id == id);
        entry.map(|entry| &entry.origin)
    }

    /// The failure of a value that was not typed; none where what was typed is to blame.
    pub(super) fn blame(&self, error: &clap::Error) -> Option<Failure> {
        let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
            return None;
        };
        let long = flag.split([' ', '=', '[']).next()?;
        let guilty = self.entries.iter().find(|entry| {
            entry.words.iter().any(|word| {
                let word = word.to_string_lossy();
                word.split('=').next() == Some(long)
            })
        })?;
        if matches!(error.kind(), ErrorKind::MissingRequiredArgument) {
            return None;
        }
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let text = format!("{}: {message}; mend it there", guilty.origin);
        Some(Failure::new(Exit::Usage, text))
    }
}

fn layer(entry: &Entry) -> std::mem::Discriminant<super::Origin> {
    std::mem::discriminant(&entry.origin)
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

fn find<'a>(command: &'a Command, id: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| arg.get_id() == id)
}

/// Whether a flag that is set leaves no room for another one.
fn excludes(command: &Command, set: &str, arg: &Arg) -> bool {
    let id = arg.get_id();
    if id == set {
        return true;
    }
    let Some(set) = find(command, set) else {
        return false;
    };
    let conflicts = |one: &Arg, other: &Arg| {
        let all = command.get_arg_conflicts_with(one);
        all.iter().any(|arg| arg.get_id() == other.get_id())
    };
    let opposite = |one: &Arg, other: &Arg| {
        let off = one.get_long().and_then(|long| long.strip_prefix("no-"));
        off.is_some() && off == other.get_long()
    };
    let rivals = command.get_groups().any(|group| {
        let ids: Vec<_> = group.get_args().collect();
        !group.clone().is_multiple() && ids.contains(&id) && ids.contains(&set.get_id())
    });
    rivals || conflicts(arg, set) || conflicts(set, arg) || opposite(arg, set) || opposite(set, arg)
}
