//! Other traffic as a scenario describes it.

use serde::{Deserialize, Serialize};

use crate::link::{
    config::LinkError,
    quantity::{Rate, Time},
};

/// More flows are not asked for.
const MOST_FLOWS: u32 = 1000;

/// Traffic that shares the queue, in packets of 1500 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CrossConfig {
    /// The same rate all the time.
    Constant {
        /// What is offered.
        rate: Rate,
        /// When it begins and ends.
        #[serde(default)]
        start: Time,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<Time>,
    },
}
