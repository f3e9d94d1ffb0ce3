//! Settings in a file: TOML with the names of flags as keys.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use clap::{Arg, Command};
use toml::{Table, Value};

use super::entry::{self, Entry, Origin};
use crate::exit::{Exit, Failure};
use crate::toml_fault::toml_fault;

/// More than anyone writes.
const MAX_BYTES: u64 = 1 << 20;

/// The settings in a file.
///
/// # Errors
/// [`Failure`] where it cannot be read, is no TOML, or has a key or a kind of value that no flag has.
pub(super) fn read(command: &Command, path: &Path) -> Result<Vec<Entry>, Failure> {
    let wrong = |what: String| {
        let text = format!("settings in {}: {what}", path.display());
        Failure::new(Exit::Usage, text)
    };
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| wrong(format!("{error}; name a file that can be read")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(wrong(
            "it is larger than 1 MiB; name a file of settings".to_owned(),
        ));
    }
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let fault = toml_fault(&error, &text);
        wrong(format!("{fault}; write name = \"value\" lines"))
    })?;
    let mut entries = Vec::new();
    for (key, value) in table {
        let arg = entry::settable(command, &key).ok_or_else(|| {
            wrong(format!(
                "{key} is no setting; give names of flags, --print-config lists them"
            ))
        })?;
        let words = words(command, arg, &value).map_err(|what| wrong(format!("{key} {what}")))?;
        entries.push(Entry {
            id: arg.get_id().to_string(),
            words,
            origin: Origin::File(path.to_owned(), key),
        });
    }
    Ok(entries)
}

fn words(command: &Command, arg: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    if entry::is_switch(arg) {
        let on = value.as_bool().ok_or("is a switch; give true or false")?;
        return Ok(entry::switch(command, arg, on));
    }
    if entry::is_count(arg) {
        let times = value.as_integer().and_then(|times| times.try_into().ok());
        return Ok(entry::repeated(
            arg,
            times.ok_or("is a count; give 0, 1 or 2")?,
        ));
    }
    let several = matches!(arg.get_action(), clap::ArgAction::Append);
    let one = |value: &Value| match value {
        Value::String(text) => Ok(entry::valued(arg, text)),
        Value::Integer(number) => Ok(entry::valued(arg, number.to_string())),
        Value::Float(number) => Ok(entry::valued(arg, number.to_string())),
        // A flag whose value may be left out.
        Value::Boolean(true) if arg.get_num_args().is_some_and(|n| n.min_values() == 0) => {
            Ok(format!("--{}", arg.get_long().unwrap_or_default()).into())
        }
        Value::Array(_) if !several => Err("takes one value; give no list".to_owned()),
        _ => Err("takes text or a number; write it in quotes".to_owned()),
    };
    match value {
        Value::Array(values) if several => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}
