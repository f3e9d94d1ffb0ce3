//! The built-in scene.

use std::path::Path;

use anyhow::{Result, bail};

/// Writes `frames` frames of it.
pub(super) fn write(_path: &Path, _frames: u32) -> Result<()> {
    bail!("being built")
}
