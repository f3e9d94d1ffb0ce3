//! The figures of all runs: a table for people, `summary.json` for programs.

use std::io::{self, Write as _};

use anyhow::Result;
use serde::Serialize;

use super::{
    measure::{Delay, Measured},
    transfer::{Rate, Transfer},
};

/// `target/demo/summary.json`; all but the last field are of the automatic run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    frames_sent: u32,
    frames_decoded: u32,
    psnr_y_db: f64,
    ssim: Option<f64>,
    kbps: f64,
    delay_ms: Delay,
    provider: String,
    codebook_digest: String,
    per_codewords: Vec<PerCodewords>,
}

#[derive(Debug, Serialize)]
struct PerCodewords {
    codewords: u16,
    kbps: f64,
    psnr_y_db: f64,
    ssim: Option<f64>,
}

impl Summary {
    /// # Panics
    /// Without a run.
    pub(super) fn new(transfers: &[Transfer], measured: &[Measured]) -> Self {
        let (automatic, figures) = (&transfers[0], &measured[0]);
        let (sender, receiver) = (&automatic.sender, &automatic.receiver);
        let per_codewords = transfers
            .iter()
            .zip(measured)
            .filter_map(|(transfer, figures)| match transfer.rate {
                Rate::Automatic => None,
                Rate::Fixed(codewords) => Some(PerCodewords {
                    codewords,
                    kbps: rounded(figures.kbps, 1),
                    psnr_y_db: rounded(figures.psnr_y_db, 3),
                    ssim: figures.ssim.map(|ssim| rounded(ssim, 5)),
                }),
            })
            .collect();
        Self {
            frames_sent: sender.frames_sent,
            frames_decoded: receiver.frames_decoded,
            psnr_y_db: rounded(figures.psnr_y_db, 3),
            ssim: figures.ssim.map(|ssim| rounded(ssim, 5)),
            kbps: rounded(figures.kbps, 1),
            delay_ms: Delay {
                p50: rounded(figures.delay_ms.p50, 2),
                p95: rounded(figures.delay_ms.p95, 2),
            },
            provider: if sender.provider == receiver.provider {
                sender.provider.clone()
            } else {
                format!("encoder {}, decoder {}", sender.provider, receiver.provider)
            },
            codebook_digest: sender.codebook_digest.clone(),
            per_codewords,
        }
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// Prints the table on standard output.
pub(super) fn print(transfers: &[Transfer], measured: &[Measured]) -> Result<()> {
    let mut text = format!(
        "\n{:<10} {:>10} {:>8} {:>10} {:>7} {:>8} {:>8} {:>9} {:>9}\n",
        "K̃ asked", "K̃ used", "kbit/s", "PSNR-Y dB", "SSIM", "sent", "decoded", "p50 ms", "p95 ms"
    );
    for (transfer, figures) in transfers.iter().zip(measured) {
        text += &format!(
            "{:<9} {:>9} {:>8.0} {:>10.2} {:>7} {:>8} {:>8} {:>9.1} {:>9.1}\n",
            transfer.rate,
            used(transfer),
            figures.kbps,
            figures.psnr_y_db,
            figures
                .ssim
                .map_or_else(|| "-".to_owned(), |ssim| format!("{ssim:.4}")),
            transfer.sender.frames_sent,
            transfer.receiver.frames_decoded,
            figures.delay_ms.p50,
            figures.delay_ms.p95,
        );
    }
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads the table may stop early.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The smallest and the largest K̃ of the frames sent.
fn used(transfer: &Transfer) -> String {
    let codewords = || transfer.sent.iter().map(|frame| frame.codewords);
    match (codewords().min(), codewords().max()) {
        (Some(least), Some(most)) if least < most => format!("{least}–{most}"),
        (Some(all), _) => all.to_string(),
        _ => "-".to_owned(),
    }
}
