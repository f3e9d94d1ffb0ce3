//! A setting that was not typed.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use super::QUESTIONS;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable.
    Environment(String),
    /// A file and the key in it.
    File(PathBuf, String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => f.write_str(name),
            Self::File(path, key) => write!(f, "{key} in {}", path.display()),
        }
    }
}

/// A setting as a flag with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// clap's name of the flag.
    pub(super) id: String,
    /// The words that set it, `--flag=value`; none where it says what holds anyway.
    pub(super) words: Vec<OsString>,
    pub(super) origin: Origin,
}

/// The flag of a name, where it can be set from elsewhere.
pub(super) fn settable<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long) && is_setting(arg))
}

/// Whether a flag sets something.
pub(super) fn is_setting(arg: &Arg) -> bool {
    arg.get_long().is_some() && !QUESTIONS.contains(&arg.get_id().as_str())
}

/// The words for a switch that is turned on or off. A flag `no-…` turns one off that is on where
/// nothing is said.
pub(super) fn switch(command: &Command, arg: &Arg, on: bool) -> Vec<OsString> {
    let long = arg.get_long().unwrap_or_default();
    let off = format!("no-{long}");
    match on {
        true => vec![format!("--{long}").into()],
        false if settable(command, &off).is_some() => vec![format!("--{off}").into()],
        false => vec![],
    }
}

/// Whether a flag has no value.
pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// Whether a flag counts how often it is given.
pub(super) fn is_count(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Count)
}

/// The words for a flag that is given so many times.
pub(super) fn repeated(arg: &Arg, times: u8) -> Vec<OsString> {
    let long = arg.get_long().unwrap_or_default();
    vec![format!("--{long}").into(); times.into()]
}

/// The word for a flag and its value.
pub(super) fn valued(arg: &Arg, value: impl Into<OsString>) -> OsString {
    let mut word = OsString::from(format!("--{}=", arg.get_long().unwrap_or_default()));
    word.push(value.into());
    word
}
