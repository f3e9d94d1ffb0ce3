//! What the comparator `gcc` is like besides libwebrtc's congestion control.

use serde::{Deserialize, Serialize};

/// The `[gcc]` of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GccConfig {
    /// By how much its frames miss the size they were to have, as a share of it, evenly spread: real
    /// encoders do.
    pub size_noise: f64,
    /// Whether frames are dropped while too much is in flight, as libwebrtc does by default.
    pub drops_frames: bool,
    /// How much faster than its target datagrams leave; libwebrtc takes 2.5 for video without bandwidth
    /// estimation at the sender, and 1.1 with.
    pub pacing: f64,
}

impl Default for GccConfig {
    fn default() -> Self {
        Self {
            size_noise: 0.25,
            drops_frames: true,
            pacing: 2.5,
        }
    }
}

impl GccConfig {
    /// What keys cannot say of themselves.
    ///
    /// # Errors
    /// Cause and cure.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.size_noise) {
            return Err("gcc.size-noise is a share; give 0 or more and less than 1".into());
        }
        if !(1.0..=1000.0).contains(&self.pacing) {
            return Err("gcc.pacing is a factor; give 1 to 1000".into());
        }
        Ok(())
    }
}
