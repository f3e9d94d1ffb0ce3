//! The built-in scene: raq-send's test pattern `motion`, in a file so that there is something to
//! compare with.

use std::{fs::File, path::Path};

use anyhow::{Context as _, Result};
use raq_send::capture::pattern::{Kind, Pattern};
use raq_shared::{
    frame::{Frame, FrameSize},
    video::FrameRate,
    y4m::Writer,
};

const FRAMES_A_SECOND: u32 = 30;
/// Five seconds.
const FRAMES: u32 = 150;

/// Writes the scene, at most `limit` frames of it, to `path`.
pub(crate) fn write(path: &Path, (width, height): (u32, u32), limit: u32) -> Result<()> {
    let size = FrameSize::new(width, height)?;
    let pattern = Pattern::new(Kind::Motion, size, FrameRate::new(FRAMES_A_SECOND, 1)?);
    let failed = || format!("cannot write {}", path.display());
    let mut writer = Writer::new(File::create(path).with_context(failed)?, &pattern.format())?;
    let mut frame = Frame::new(size);
    for number in 0..limit.min(FRAMES) {
        pattern.draw(number, &mut frame);
        writer.write(&frame).with_context(failed)?;
    }
    Ok(())
}
