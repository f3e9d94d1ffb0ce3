//! What became of a captured frame.

use serde::{Deserialize, Serialize};

use super::fields::{bit, codewords};

/// A row of `frames.csv`: one frame of the source, sent or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameRow {
    /// Media flow, from 0.
    pub flow: u32,
    /// Number within the flow, from 0.
    pub frame: u64,
    /// When it was captured, microseconds.
    pub captured_us: u64,
    /// Not sent: the policy or the session let it pass (0 or 1 in the file).
    #[serde(with = "bit")]
    pub skipped: bool,
    /// What the policy took the network's rate to be, kbit/s; three decimals.
    pub estimate_kbps: Option<f64>,
    /// Bytes that the frame might take.
    pub budget: Option<u64>,
    /// Payload bytes that it took; 0 where skipped.
    pub bytes: u64,
    /// Datagrams that it took.
    pub datagrams: u32,
    /// Level of its quality, where a codec has levels.
    pub level: Option<u8>,
    /// K-tilde of each stage, joined by `/` in the file; empty where no codec has stages.
    #[serde(with = "codewords")]
    pub codewords: Vec<u32>,
    /// When its last datagram was handed to the network, microseconds.
    pub sent_us: Option<u64>,
    /// Datagrams that arrived before it was given out.
    pub arrived: u32,
    /// When the receiver gave it out to be decoded, microseconds.
    pub closed_us: Option<u64>,
    /// When it was displayed, microseconds.
    pub shown_us: Option<u64>,
    /// Updates (of tiles) that were due in it.
    pub updates_due: Option<u32>,
    /// Of those, how many were applied when it was displayed.
    pub updates_applied: Option<u32>,
    /// PSNR of luma, dB, at most 100: the displayed picture against this frame; four decimals.
    pub psnr_y_db: Option<f64>,
    /// SSIM of luma likewise, at most 1; six decimals.
    pub ssim: Option<f64>,
    /// PSNR of luma, dB, at most 100: the newest picture on screen at this frame's playout deadline
    /// that is no newer than this frame, against this frame; four decimals.
    pub psnr_due_db: Option<f64>,
    /// SSIM of luma likewise, at most 1; six decimals.
    pub ssim_due: Option<f64>,
}

/// Equal pictures have an infinite PSNR, which has no mean.
const BEST_PSNR_DB: f64 = 100.0;

impl FrameRow {
    /// The row with the file's decimals; no value that has no number.
    pub(super) fn rounded(mut self) -> Self {
        let finite = |value: f64| (!value.is_nan()).then_some(value);
        let round = |value: Option<f64>, digits: i32| {
            let scale = 10f64.powi(digits);
            value.and_then(finite).map(|v| (v * scale).round() / scale)
        };
        let psnr = |value: Option<f64>| round(value.map(|db| db.min(BEST_PSNR_DB)), 4);
        self.estimate_kbps = round(self.estimate_kbps, 3);
        self.psnr_y_db = psnr(self.psnr_y_db);
        self.psnr_due_db = psnr(self.psnr_due_db);
        self.ssim = round(self.ssim, 6);
        self.ssim_due = round(self.ssim_due, 6);
        self
    }
}
