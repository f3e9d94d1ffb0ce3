//! `summary.json`: what a run comes down to, policy by policy.

mod ordered;
mod policy;
mod table;

use std::{fs, path::Path};

use raq_shared::exit::Failure;
use serde::{Deserialize, Serialize};

pub use self::{
    ordered::Policies,
    policy::{EstimateFigures, PolicySummary, QueueFigures, SignalFigures},
    table::Table,
};
use crate::record::{Mode, Run, save_json};

/// The file's content. Numbers are rounded; null does not apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The scenario's name.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// What carried the media.
    pub mode: Mode,
    /// Figures by the policies' names, in the run's order.
    pub policies: Policies,
}

/// The summary of a run.
pub fn of(run: &Run) -> Summary {
    let summaries = run.policies.iter().map(|policy| {
        let summary = PolicySummary::of(run, policy);
        (policy.name.clone(), summary)
    });
    Summary {
        scenario: run.record.scenario.clone(),
        seed: run.record.seed,
        mode: run.record.mode,
        policies: summaries.collect(),
    }
}

impl Summary {
    /// Writes `summary.json` into an existing folder.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        save_json(&folder.join("summary.json"), self)
    }

    /// Reads `summary.json`.
    ///
    /// # Errors
    /// [`Failure`] where the folder has none, or a malformed one.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("summary.json");
        let cannot = |error: &dyn std::fmt::Display| crate::record::cannot_read(&path, error);
        let text = fs::read(&path).map_err(|e| cannot(&e))?;
        serde_json::from_slice(&text).map_err(|e| cannot(&e))
    }

    /// A figure by its place in the file, such as `queue_ms.p95`; none where the policy is not
    /// there, the figure does not apply, or no figure has this name.
    pub fn figure(&self, policy: &str, name: &str) -> Option<f64> {
        let figures = serde_json::to_value(self.policies.get(policy)?).ok()?;
        figures
            .pointer(&format!("/{}", name.replace('.', "/")))?
            .as_f64()
    }

    /// The main figures for people, a line per policy.
    pub fn table(&self) -> String {
        Table::of(self).text()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::{
        measure::example,
        record::{CpuRecord, Loss},
    };

    /// Half of 1 Mbit/s for 10 s, one datagram in fifty lost to the queue; a freeze of 400 ms.
    fn run() -> Run {
        let (mut run, mut policy) = example::run(10);
        policy.datagrams = (0..500).map(|n| example::datagram(20_000 * n)).collect();
        for (number, row) in (1..).zip(&mut policy.datagrams) {
            row.left_us = Some(row.offered_us + 10 * number);
            if number % 50 == 0 {
                row.left_us = None;
                row.lost = Some(Loss::Queue);
            }
        }
        for frame in &mut policy.frames[100..109] {
            frame.shown_us = None;
        }
        policy.cpu = Some(CpuRecord {
            frames: 250,
            cpu_ms_per_frame: 1.23456,
        });
        let mut fixed = policy.clone();
        fixed.name = "fixed:500".to_owned();
        fixed.datagrams.clear();
        run.policies = vec![policy, fixed];
        run
    }

    #[test]
    fn known_records_give_known_figures() {
        let summary = of(&run());
        let figure = |name| summary.figure("raq", name);
        // 490 of 1000 datagrams.
        assert_eq!(figure("use"), Some(0.49));
        assert_eq!(figure("offered_share"), Some(0.5));
        assert_eq!(figure("kbps"), Some(490.0));
        assert_eq!(figure("self_loss_share"), Some(0.02));
        // 490 delays of 10 µs × number; rank 245 is number 249, rank 466 number 475.
        assert_eq!(figure("queue_ms.p50"), Some(2.49));
        assert_eq!(figure("queue_ms.p95"), Some(4.75));
        assert_eq!(figure("queue_ms.max"), Some(4.99));
        assert_eq!(figure("signal_ms.p50"), Some(30.0));
        // Frames 100 to 108 are seen with frame 109: 390 ms, 350 ms, 310 ms, ...
        assert_eq!(figure("signal_ms.p99"), Some(310.0));
        assert_eq!(figure("shown_share"), Some(0.9637));
        assert_eq!(
            (figure("freezes"), figure("gap200_share")),
            (Some(1.0), Some(0.04))
        );
        assert_eq!(figure("cpu_ms_per_frame"), Some(1.235));
        assert_eq!(
            (figure("jain"), figure("psnr_y_db"), figure("nonsense")),
            (None, None, None)
        );
        assert_eq!(summary.figure("fixed:500", "use"), Some(0.0));
        assert_eq!(summary.figure("fixed:500", "queue_ms.p95"), None);
        assert_eq!(summary.figure("gcc", "use"), None);
    }

    #[test]
    fn the_file_is_read_as_written_and_in_order() {
        let folder = tempdir().unwrap();
        let summary = of(&run());
        summary.write(folder.path()).unwrap();
        assert_eq!(Summary::read(folder.path()).unwrap(), summary);
        let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
        assert!(
            text.contains("\"use\": 0.49") && text.contains("\"jain\": null"),
            "{text}"
        );
        assert!(text.find("\"raq\"") < text.find("\"fixed:500\""), "{text}");
        fs::write(folder.path().join("summary.json"), "{}").unwrap();
        let failure = Summary::read(folder.path()).unwrap_err();
        assert!(failure.message.contains("summary.json"), "{failure}");
    }

    #[test]
    fn the_table_has_a_line_per_policy_and_no_idle_columns() {
        let table = of(&run()).table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        assert!(
            lines[2].starts_with("policy ") && !table.contains("SSIM"),
            "{table}"
        );
        assert!(lines[3].starts_with("raq ") && lines[4].starts_with("fixed:500 "));
        assert!(
            lines[3].contains(" 49.0%") && lines[4].contains(" - "),
            "{table}"
        );
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{table}"
        );
    }
}
