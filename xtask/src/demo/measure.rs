//! Quality, bitrate and delay of one run.

use std::fs::File;

use anyhow::{Context as _, Result, bail};
use raq_shared::{
    frame::Frame,
    quality::{psnr_y, ssim_y},
    y4m::Reader,
};

use super::transfer::Transfer;
use crate::{clip::Clip, delay::Delay};

/// Equal pictures have an infinite PSNR, which has no mean: they count as this many decibels.
const BEST_PSNR: f64 = 100.0;

/// Means over the frames of the received file, against the frames of the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) psnr_y_db: f64,
    /// None for pictures too small for the measure.
    pub(super) ssim: Option<f64>,
    /// Datagrams without IP, UDP and QUIC headers, in kbit per second of the clip.
    pub(super) kbps: f64,
    /// From a frame's capture to its being decoded and ready to be shown.
    pub(super) delay_ms: Delay,
}

impl Measured {
    pub(super) fn of(clip: &Clip, transfer: &Transfer) -> Result<Self> {
        let open = |path| -> Result<_> { Ok(Reader::new(File::open(path)?)?) };
        let mut source = open(&clip.path)?;
        let name = || format!("received file {}", transfer.output.display());
        let mut received = open(&transfer.output).with_context(name)?;
        if source.format() != received.format() {
            bail!(
                "{} has another format than what was sent; please report this",
                name()
            );
        }
        let (mut a, mut b) = (Frame::new(source.size()), Frame::new(source.size()));
        let (mut frames, mut psnr, mut ssim) = (0u32, 0.0, Some(0.0));
        while frames < clip.frames && received.read(&mut b).with_context(name)? {
            source.read(&mut a)?;
            frames += 1;
            psnr += psnr_y(&a, &b).min(BEST_PSNR);
            ssim = ssim.zip(ssim_y(&a, &b)).map(|(sum, value)| sum + value);
        }
        let Some(delay_ms) = Delay::between(&transfer.sent, &transfer.decoded) else {
            bail!(
                "no frame arrived ({}); is the machine overloaded?",
                transfer.rate
            );
        };
        Ok(Self {
            psnr_y_db: psnr / f64::from(frames),
            ssim: ssim.map(|sum| sum / f64::from(frames)),
            kbps: transfer.sender.bytes as f64 * 8.0 / 1000.0 / clip.duration().as_secs_f64(),
            delay_ms,
        })
    }
}
