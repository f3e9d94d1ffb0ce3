//! What came out, and whether it agrees.

use std::fmt::Write as _;

use super::Cell;
use crate::{
    measure::queue::Delays,
    record::{DatagramRow, Mode},
};

/// How far queueing delays may be apart, milliseconds.
const QUEUE: f64 = 5.0;
/// How far uses may be apart, as a share.
const USE: f64 = 0.03;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The queueing delay in the media direction that 95 % of the bytes do not exceed,
    /// milliseconds.
    pub queue_p95_ms: f64,
    /// Share of the capacity that was used.
    pub used_share: f64,
}

impl Figures {
    /// From the records of a flow, and the use of the link; none where nothing left a queue.
    pub fn of(datagrams: &[DatagramRow], used_share: f64) -> Option<Self> {
        let found = Delays::of(datagrams).percentile(95.0)?;
        Some(Self {
            queue_p95_ms: found as f64 / 1000.0,
            used_share,
        })
    }
}

/// A cell with its figures in each [`Mode`].
#[derive(Debug, Clone)]
pub struct Row {
    /// What was run.
    pub cell: Cell,
    /// In the order of [`Mode::ALL`].
    pub figures: [Figures; 3],
}

impl Row {
    /// How far apart the most distant queueing delays are, milliseconds, and the most distant uses.
    pub fn apart(&self) -> (f64, f64) {
        let spread = |of: fn(&Figures) -> f64| {
            let values = self.figures.each_ref().map(of);
            values.iter().fold(f64::MIN, |a, &b| a.max(b))
                - values.iter().fold(f64::MAX, |a, &b| a.min(b))
        };
        (spread(|it| it.queue_p95_ms), spread(|it| it.used_share))
    }

    /// Whether all are close enough: 5 ms and 3 points.
    pub fn agrees(&self) -> bool {
        let (queue, used) = self.apart();
        queue <= QUEUE && used <= USE
    }
}

/// The table of rows.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<18} {:<11}", "", "");
    for what in ["queue p95, ms", "use, %"] {
        let _ = write!(text, " {what:>35}");
    }
    text.push('\n');
    let _ = write!(text, "{:<18} {:<11}", "scenario", "policy");
    for _ in 0..2 {
        for mode in Mode::ALL {
            let _ = write!(text, " {:>9}", mode.name());
        }
        let _ = write!(text, " {:>5}", "apart");
    }
    text.push('\n');
    for row in rows {
        let (queue, used) = row.apart();
        let policy = row.cell.policy().to_string();
        let _ = write!(text, "{:<18} {policy:<11}", row.cell.scenario());
        for figures in &row.figures {
            let _ = write!(text, " {:>9.1}", figures.queue_p95_ms);
        }
        let _ = write!(text, " {queue:>5.1}");
        for figures in &row.figures {
            let _ = write!(text, " {:>9.1}", 100.0 * figures.used_share);
        }
        let verdict = if row.agrees() { "ok" } else { "not ok" };
        let _ = writeln!(text, " {:>5.1}  {verdict}", 100.0 * used);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::measure::example::datagram;

    #[test]
    fn it_does_not_matter_how_bytes_are_told_of() {
        let row = |bytes, waited: u64| DatagramRow {
            bytes,
            left_us: Some(5000 + waited),
            ..datagram(5000)
        };
        let mut rows = vec![row(950, 1000), row(49, 2000), row(1, 9000)];
        let p95 = |rows: &[_]| Figures::of(rows, 0.5).unwrap().queue_p95_ms;
        assert_eq!(p95(&rows), 1.0);
        rows[0].bytes = 900;
        assert_eq!(p95(&rows), 2.0);
        rows.extend([row(20, 1000), row(30, 1000)]);
        assert_eq!(p95(&rows), 1.0);
        assert_eq!(Figures::of(&[], 0.5), None);
    }

    #[test]
    fn what_is_too_far_apart_does_not_agree() {
        let [cell, _] = Cell::pair(Path::new("loss-5"), Duration::from_secs(9)).unwrap();
        let row = |queue: [f64; 3], used: [f64; 3]| Row {
            cell: cell.clone(),
            figures: [0, 1, 2].map(|way| Figures {
                queue_p95_ms: queue[way],
                used_share: used[way],
            }),
        };
        let close = row([20.0, 25.0, 22.0], [0.5, 0.49, 0.51]);
        assert!(close.agrees());
        let queue = row([20.0, 22.0, 25.1], [0.5; 3]);
        let used = row([20.0; 3], [0.5, 0.531, 0.51]);
        assert!(!queue.agrees() && !used.agrees());
        let text = table(&[close, queue]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines[2].starts_with("loss-5 ") && lines[2].ends_with("  2.0  ok"),
            "{text}"
        );
        assert!(lines[3].ends_with("  0.0  not ok"), "{text}");
    }
}
