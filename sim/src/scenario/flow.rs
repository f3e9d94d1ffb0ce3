//! One media flow of a scenario.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Time;

/// When a flow sends, and how far its ends are apart: a `[[flow]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FlowConfig {
    /// When it begins.
    pub start: Time,
    /// When it ends; with the scenario where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Time>,
    /// Its own one-way delay in both directions, in place of the link's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Time>,
    /// Times in which it captures nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pause: Vec<Pause>,
}

/// A time in which a flow captures nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// When it begins.
    pub at: Time,
    /// How long it takes.
    pub length: Time,
}

impl FlowConfig {
    /// Whether nothing is captured at `at`.
    pub fn paused(&self, at: Duration) -> bool {
        self.pause
            .iter()
            .any(|pause| (pause.at.0..pause.at.0 + pause.length.0).contains(&at))
    }
}
