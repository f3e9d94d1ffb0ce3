//! Settings in variables: `RAQ_MAX_RATE` for `--max-rate`.

use std::ffi::OsString;

use clap::Command;

use super::entry::{self, Entry, Origin};
use crate::exit::{Exit, Failure};

/// Names the file of settings.
pub(super) const CONFIG: &str = "RAQ_CONFIG";
const PREFIX: &str = "RAQ_";

/// The variables that may be settings, in the order of their names; empty ones say nothing.
pub(super) fn named(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(String, OsString)> {
    let mut named: Vec<_> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .collect();
    named.sort();
    named
}

/// The setting in a variable; none where its name is no flag's.
///
/// # Errors
/// [`Failure`] where a switch is neither on nor off.
pub(super) fn entry(
    command: &Command,
    name: &str,
    value: OsString,
) -> Result<Option<Entry>, Failure> {
    let long = name[PREFIX.len()..].to_lowercase().replace('_', "-");
    let Some(arg) = entry::settable(command, &long) else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        let text = format!("{name}={} {what}", value.to_string_lossy());
        Failure::new(Exit::Usage, text)
    };
    let words = if entry::is_switch(arg) {
        let on = match value.to_string_lossy().to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => return Err(wrong("is neither on nor off; give 1 or 0")),
        };
        entry::switch(command, arg, on)
    } else if entry::is_count(arg) {
        let times = value.to_str().and_then(|text| text.parse().ok());
        entry::repeated(
            arg,
            times.ok_or_else(|| wrong("is no count; give 0, 1 or 2"))?,
        )
    } else {
        vec![entry::valued(arg, value)]
    };
    Ok(Some(Entry {
        id: arg.get_id().to_string(),
        words,
        origin: Origin::Environment(name.to_owned()),
    }))
}
