//! Quality of what is displayed.

use super::share;
use crate::record::FrameRow;

/// Means over all frames for which the records have the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// PSNR of luma, dB: the picture on screen at each frame's playout deadline against that frame,
    /// so that a frozen picture is not scored as good.
    pub psnr_due_db: Option<f64>,
    /// SSIM of luma likewise.
    pub ssim_due: Option<f64>,
    /// PSNR of luma, dB: each displayed picture against its own frame.
    pub psnr_own_db: Option<f64>,
    /// SSIM of luma likewise.
    pub ssim_own: Option<f64>,
}

impl Quality {
    /// Of all flows' frames.
    pub fn of(frames: &[FrameRow]) -> Self {
        let mean = |value: fn(&FrameRow) -> Option<f64>| {
            let values: Vec<_> = frames.iter().filter_map(value).collect();
            share(values.iter().sum(), values.len() as f64)
        };
        Self {
            psnr_due_db: mean(|frame| frame.psnr_due_db),
            ssim_due: mean(|frame| frame.ssim_due),
            psnr_own_db: mean(|frame| frame.psnr_y_db),
            ssim_own: mean(|frame| frame.ssim),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn means_are_over_what_is_there() {
        let mut frames = example::frames(0, 0..4);
        frames[0].psnr_due_db = Some(30.0);
        frames[2].psnr_due_db = Some(40.0);
        frames[2].ssim = Some(0.9);
        let quality = Quality::of(&frames);
        assert_eq!(quality.psnr_due_db, Some(35.0));
        assert_eq!((quality.ssim_own, quality.ssim_due), (Some(0.9), None));
    }
}
