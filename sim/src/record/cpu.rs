//! The one thing that two runs differ in.

use serde::{Deserialize, Serialize};

/// `cpu.json`: what a codec took; in a file of its own, since it is never the same twice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuRecord {
    /// Frames that were encoded.
    pub frames: u64,
    /// Processor time of encoder and decoder together over the frames, milliseconds.
    pub cpu_ms_per_frame: f64,
}
