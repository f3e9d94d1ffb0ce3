//! The scenarios that come with the program.

use std::path::PathBuf;

use raq_shared::paths::repository;

/// A scenario that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! entries {
    ($($name:literal),* $(,)?) => {
        &[$(Entry {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }),*]
    };
}

/// All of them, in the order in which they are listed.
pub fn catalogue() -> &'static [Entry] {
    entries![
        "lte",
        "starlink",
        "rfc8867-5.1",
        "rfc8867-5.2",
        "rfc8867-5.3",
        "rfc8867-5.4",
        "rfc8867-5.5",
        "rfc8867-5.6",
        "rfc8867-5.7",
        "rfc8867-5.8",
        "onoff-12mbit",
        "poisson-570kbit",
        "ramp",
        "outage-1s",
        "loss-1",
        "loss-5",
        "loss-10",
        "loss-20",
        "loss-50",
        "loss-1-burst3",
        "loss-5-burst3",
        "loss-10-burst3",
        "loss-20-burst3",
        "loss-50-burst3",
        "att-lte-driving",
        "verizon-lte-short",
        "tmobile-umts",
    ]
}

/// Where relative paths in them begin.
pub(super) fn folder() -> PathBuf {
    repository().join("sim/scenarios")
}
