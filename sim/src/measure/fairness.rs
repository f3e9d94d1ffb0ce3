//! How evenly flows share a link.

use super::{SECOND, traffic::delivered};
use crate::record::{DatagramRow, RunRecord};

/// Flows have settled by then; the last part of the run, microseconds.
const LAST: u64 = 40 * SECOND;

/// Jain's index over the last 40 s (all of a shorter run): (Σx)² / (n Σx²) of each flow's delivered
/// bytes, 1 where all have the same and 1/n where one has all. None for one flow, or where nothing
/// was delivered.
pub fn jain(run: &RunRecord, datagrams: &[DatagramRow]) -> Option<f64> {
    if run.flows < 2 {
        return None;
    }
    let time = run.duration_us.saturating_sub(LAST)..run.duration_us;
    let flows: Vec<_> = (0..run.flows)
        .map(|flow| delivered(datagrams, time.clone(), |row| row.flow == flow) as f64)
        .collect();
    let sum: f64 = flows.iter().sum();
    let squares: f64 = flows.iter().map(|bytes| bytes * bytes).sum();
    super::share(sum * sum, flows.len() as f64 * squares)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn only_the_last_40_seconds_count() {
        let (mut run, _) = example::run(100);
        let datagram = |flow, second: u64| DatagramRow {
            flow,
            ..example::datagram(second * SECOND)
        };
        let early = (0..60).map(|second| datagram(0, second));
        let late = (60..100).map(|second| datagram((second % 2) as u32, second));
        let rows: Vec<_> = early.chain(late).collect();
        assert_eq!(jain(&run.record, &rows), None);
        run.record.flows = 2;
        assert_eq!(jain(&run.record, &rows), Some(1.0));
        run.record.flows = 4;
        assert_eq!(jain(&run.record, &rows), Some(0.5));
        assert_eq!(jain(&run.record, &rows[..60]), None);
    }
}
