//! The main figures as people read them.

use std::fmt::Write as _;

use super::{PolicySummary, Summary};

/// A figure: its name and unit, and how it is written where it applies.
type Figure = (&'static str, fn(&PolicySummary) -> Option<String>);

const FIGURES: [Figure; 23] = [
    ("use", |s| percent(s.used_share)),
    ("kbit/s", |s| fixed(s.kbps, 0)),
    ("queue p50 ms", |s| fixed(s.queue_ms.map(|q| q.p50), 0)),
    ("queue p95 ms", |s| fixed(s.queue_ms.map(|q| q.p95), 0)),
    ("queue p99 ms", |s| fixed(s.queue_ms.map(|q| q.p99), 0)),
    ("signal p50 ms", |s| fixed(s.signal_ms.map(|q| q.p50), 0)),
    ("signal p95 ms", |s| fixed(s.signal_ms.map(|q| q.p95), 0)),
    ("signal p99 ms", |s| fixed(s.signal_ms.map(|q| q.p99), 0)),
    ("fps", |s| fixed(s.fps, 1)),
    ("in time", |s| percent(s.shown_share)),
    ("rendered", |s| percent(s.rendered_share)),
    ("fresh tiles", |s| percent(s.fresh_tile_share)),
    ("gaps >200 ms", |s| percent(s.gap200_share)),
    ("freezes", |s| Some(s.freezes.to_string())),
    ("self-loss", |s| percent(s.self_loss_share)),
    ("random loss", |s| percent(s.random_loss_share)),
    ("estimate off p50", |s| percent(s.estimate.error_p50)),
    ("ramp-up s", |s| fixed(s.ramp_up_s, 1)),
    ("Jain", |s| fixed(s.jain, 3)),
    ("PSNR-Y dB", |s| fixed(s.psnr_y_db, 2)),
    ("SSIM", |s| fixed(s.ssim, 4)),
    ("goodput kbit/s", |s| fixed(s.goodput_kbps, 0)),
    ("CPU ms/frame", |s| fixed(s.cpu_ms_per_frame, 1)),
];

/// Figures by name, each with a cell per policy; a dash does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    policies: Vec<String>,
    rows: Vec<(&'static str, Vec<String>)>,
}

impl Table {
    /// The main figures, but for those that apply to no policy.
    pub fn of(summary: &Summary) -> Self {
        let row = |(name, figure): &Figure| {
            let policies = summary.policies.iter();
            let cells: Vec<_> = policies.map(|(_, policy)| figure(policy)).collect();
            cells.iter().any(Option::is_some).then(|| {
                let cells = cells.into_iter();
                (
                    *name,
                    cells
                        .map(|cell| cell.unwrap_or_else(|| "-".to_owned()))
                        .collect(),
                )
            })
        };
        Self {
            policies: summary
                .policies
                .iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
            rows: FIGURES.iter().filter_map(row).collect(),
        }
    }

    /// Names of the figures, and their cells in the order of the policies.
    pub fn rows(self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        self.rows.into_iter()
    }

    /// Policies as lines, figures as columns under their names in two lines or one.
    pub(super) fn text(&self) -> String {
        let first = self.policies.iter().map(String::len).max().unwrap_or(0);
        let first = first.max("policy".len());
        let width = |(name, cells): &(&str, Vec<String>)| {
            let words = name.split(' ').map(str::len).max();
            cells.iter().map(String::len).max().max(words).unwrap_or(0) + 2
        };
        let mut text = String::new();
        let lines = self
            .rows
            .iter()
            .map(|(name, _)| name.split(' ').count())
            .max()
            .unwrap_or(0);
        for line in 0..lines {
            let corner = if line + 1 == lines { "policy" } else { "" };
            let _ = write!(text, "{corner:<first$}");
            for row in &self.rows {
                let words: Vec<_> = row.0.split(' ').collect();
                let word = (line + words.len())
                    .checked_sub(lines)
                    .map_or("", |n| words[n]);
                let _ = write!(text, "{word:>width$}", width = width(row));
            }
            text.push('\n');
        }
        for (number, policy) in self.policies.iter().enumerate() {
            let _ = write!(text, "{policy:<first$}");
            for row in &self.rows {
                let _ = write!(text, "{:>width$}", row.1[number], width = width(row));
            }
            text.push('\n');
        }
        text
    }
}

fn fixed(value: Option<f64>, decimals: usize) -> Option<String> {
    value.map(|value| format!("{value:.decimals$}"))
}

fn percent(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("{:.1}%", 100.0 * share))
}
