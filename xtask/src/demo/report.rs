//! The figures of all runs: a table for people, `summary.json` for programs.

use std::io::{self, Write as _};

use anyhow::Result;
use serde::Serialize;

use super::{
    measure::Measured,
    transfer::{Rate, Transfer},
};
use crate::delay::Delay;

/// `target/demo/summary.json`; all but the last two fields are of the automatic run.
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
    per_rate: Vec<Limited>,
    per_codewords: Vec<Limited>,
}

#[derive(Debug, Serialize)]
struct Limited {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_kbps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codewords: Option<u16>,
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
        let (mut per_rate, mut per_codewords) = (Vec::new(), Vec::new());
        for (transfer, figures) in transfers.iter().zip(measured) {
            let (list, max_kbps, codewords) = match transfer.rate {
                Rate::Automatic => continue,
                Rate::Limited(kilobits) => (&mut per_rate, Some(kilobits), None),
                Rate::Codewords(most) => (&mut per_codewords, None, Some(most)),
            };
            list.push(Limited {
                max_kbps,
                codewords,
                kbps: rounded(figures.kbps, 1),
                psnr_y_db: rounded(figures.psnr_y_db, 3),
                ssim: figures.ssim.map(|ssim| rounded(ssim, 5)),
            });
        }
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
            per_rate,
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
        "\n{:<22} {:>7} {:>8} {:>10} {:>7} {:>6} {:>8} {:>7} {:>7}\n",
        "allowed", "level", "kbit/s", "PSNR-Y dB", "SSIM", "sent", "decoded", "p50 ms", "p95 ms"
    );
    for (transfer, figures) in transfers.iter().zip(measured) {
        text += &format!(
            "{:<22} {:>7} {:>8.0} {:>10.2} {:>7} {:>6} {:>8} {:>7.1} {:>7.1}\n",
            transfer.rate,
            levels(transfer),
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

/// The smallest and the largest level of the frames sent.
fn levels(transfer: &Transfer) -> String {
    let levels = || transfer.sent.iter().map(|frame| frame.level);
    match (levels().min(), levels().max()) {
        (Some(least), Some(most)) if least < most => format!("{least}–{most}"),
        (Some(all), _) => all.to_string(),
        _ => "-".to_owned(),
    }
}
