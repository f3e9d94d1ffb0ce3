//! Runs cells side by side.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use raq_shared::exit::{Exit, Failure};

use super::Cell;
use crate::run::Miss;

/// Runs the cells whose results are not there, `jobs` at a time, in their order. After a failure no
/// further one is begun; what is done is kept. `over` is told of every cell that is over, and what
/// expectations it missed, or nothing where its results were there already.
///
/// # Errors
/// The first [`Failure`], with the cell's name.
pub fn run(
    cells: &[Cell],
    jobs: usize,
    over: &(impl Fn(&Cell, Option<Vec<Miss>>) + Sync),
) -> Result<(), Failure> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let work = || {
        while !failed.load(Ordering::Relaxed)
            && let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let kept = cell.is_done();
            if kept {
                over(cell, None);
                continue;
            }
            match cell.run() {
                Ok(misses) => over(cell, Some(misses)),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    let name = cell.name();
                    let told = Failure::new(error.exit, format_args!("{name}: {error}"));
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(told);
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if thread.join().is_err() {
                return Err(Failure::new(
                    Exit::Failure,
                    "a run panicked; please report this",
                ));
            }
        }
        Ok(())
    })?;
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}
