//! The summary as a table.

use std::fmt::Write as _;

use super::{PolicySummary, Summary};

/// A column: its head, and the figure as people read it.
type Column = (&'static str, fn(&PolicySummary) -> Option<String>);

/// The main figures; those that apply to no policy are left out of a table.
const COLUMNS: [Column; 18] = [
    ("use", |s| fixed(s.used_share, 3)),
    ("kbit/s", |s| fixed(s.kbps, 0)),
    ("queue p50", |s| fixed(s.queue_ms.map(|q| q.p50), 0)),
    ("p95", |s| fixed(s.queue_ms.map(|q| q.p95), 0)),
    ("p99 ms", |s| fixed(s.queue_ms.map(|q| q.p99), 0)),
    ("signal p50", |s| fixed(s.signal_ms.map(|q| q.p50), 0)),
    ("p95", |s| fixed(s.signal_ms.map(|q| q.p95), 0)),
    ("p99 ms", |s| fixed(s.signal_ms.map(|q| q.p99), 0)),
    ("in time", |s| percent(s.shown_share)),
    ("rendered", |s| percent(s.rendered_share)),
    ("fresh tiles", |s| percent(s.fresh_tile_share)),
    ("gaps >200 ms", |s| percent(s.gap200_share)),
    ("freezes", |s| Some(s.freezes.to_string())),
    ("self-loss", |s| percent(s.self_loss_share)),
    ("Jain", |s| fixed(s.jain, 3)),
    ("PSNR-Y dB", |s| fixed(s.psnr_y_db, 2)),
    ("SSIM", |s| fixed(s.ssim, 4)),
    ("CPU ms", |s| fixed(s.cpu_ms_per_frame, 1)),
];

/// Heads of the columns that apply to some policy.
pub fn heads(summary: &Summary) -> Vec<&'static str> {
    columns(summary).iter().map(|(head, _)| *head).collect()
}

/// A policy's cells below those heads; a dash does not apply.
pub fn cells(summary: &Summary, policy: &PolicySummary) -> Vec<String> {
    let cell = |(_, figure): &Column| figure(policy).unwrap_or_else(|| "-".to_owned());
    columns(summary).iter().map(cell).collect()
}

/// The table as text, a line per policy.
pub(super) fn text(summary: &Summary) -> String {
    let names = summary.policies.iter().map(|(name, _)| name.len());
    let first = names.max().unwrap_or(0).max("policy".len());
    let heads = heads(summary);
    let width = |head: &str| head.len().max(7) + 2;
    let mut text = format!("{:<first$}", "policy");
    for head in &heads {
        let _ = write!(text, "{head:>width$}", width = width(head));
    }
    for (name, policy) in summary.policies.iter() {
        let _ = write!(text, "\n{name:<first$}");
        for (head, cell) in heads.iter().zip(cells(summary, policy)) {
            let _ = write!(text, "{cell:>width$}", width = width(head));
        }
    }
    text + "\n"
}

fn columns(summary: &Summary) -> Vec<Column> {
    let applies = |(_, figure): &Column| {
        let mut policies = summary.policies.iter();
        policies.any(|(_, policy)| figure(policy).is_some())
    };
    COLUMNS.into_iter().filter(applies).collect()
}

fn fixed(value: Option<f64>, decimals: usize) -> Option<String> {
    value.map(|value| format!("{value:.decimals$}"))
}

fn percent(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("{:.1} %", 100.0 * share))
}
