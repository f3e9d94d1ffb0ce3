//! The same work on many items, several at a time.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use raq_shared::exit::{Exit, Failure};

/// What `work` makes of each of `items`, in their order; they are begun in that order, too, `jobs`
/// (at least one) at a time.
///
/// # Errors
/// [`Failure`] where `work` panics.
pub fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Result<Vec<R>, Failure> {
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                return;
            };
            let result = work(item);
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            made.push((number, result));
        }
    };
    thread::scope(|scope| {
        let jobs = jobs.clamp(1, items.len().max(1));
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(run)).collect();
        // All are joined: a panic that nobody has asked for would become the scope's own.
        let ends = threads.into_iter().map(|thread| thread.join().is_ok());
        if ends.fold(true, |all, well| all & well) {
            return Ok(());
        }
        let error = "a run panicked; please report this";
        Err(Failure::new(Exit::Failure, error))
    })?;
    let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_unstable_by_key(|&(number, _)| number);
    Ok(made.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_whoever_is_done_first() {
        // The first item waits for the last.
        let barrier = Barrier::new(2);
        let doubled = side_by_side(&[1, 2, 3, 4], 2, |&item| {
            if item == 1 || item == 4 {
                barrier.wait();
            }
            2 * item
        });
        assert_eq!(doubled.unwrap(), [2, 4, 6, 8]);
    }

    #[test]
    fn nothing_to_do_and_nobody_to_do_it() {
        assert_eq!(side_by_side(&[], 3, |&(): &()| ()).unwrap(), []);
        assert_eq!(side_by_side(&[5], 0, |&item| item).unwrap(), [5]);
    }

    #[test]
    fn a_panic_is_an_error_after_the_others_are_done() {
        let done = AtomicUsize::new(0);
        let work = |&item: &usize| {
            assert_ne!(item, 1, "on purpose");
            done.fetch_add(1, Ordering::Relaxed);
        };
        let error = side_by_side(&[0, 1, 2], 2, work).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        assert_eq!(done.into_inner(), 2);
    }
}
