//! Runs cells side by side.

use std::sync::atomic::{AtomicBool, Ordering};

use raq_shared::exit::Failure;

use super::Cell;
use crate::jobs::side_by_side;

/// Runs the cells whose results are not there, `jobs` at a time, in their order. After a failure no
/// further one is begun; what is done is kept. `over` is told of every cell that is over, whether its
/// results were there already, and what expectations it missed.
///
/// # Errors
/// The first [`Failure`], with the cell's name.
pub fn run(
    cells: &[Cell],
    jobs: usize,
    over: &(impl Fn(&Cell, bool, Vec<String>) + Sync),
) -> Result<(), Failure> {
    let failed = AtomicBool::new(false);
    let failures = side_by_side(cells, jobs, |cell| {
        if failed.load(Ordering::Relaxed) {
            return None;
        }
        if let Some(missed) = cell.missed() {
            over(cell, true, missed);
            return None;
        }
        match cell.run() {
            Ok(missed) => {
                over(cell, false, missed);
                None
            }
            Err(error) => {
                failed.store(true, Ordering::Relaxed);
                let name = cell.name();
                Some(Failure::new(error.exit, format_args!("{name}: {error}")))
            }
        }
    })?;
    failures.into_iter().flatten().next().map_or(Ok(()), Err)
}
