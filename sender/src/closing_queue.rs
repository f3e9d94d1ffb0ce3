//! Closings on their way to the code thread.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::closings::Closings;

/// The most that wait.
const WAITING: usize = 16;

/// Closings that wait until the thread has time: what newer ones tell as well is dropped, and where
/// that does not help, the oldest.
#[derive(Debug, Default)]
pub(crate) struct ClosingQueue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Closings>,
    /// The newest frame that was taken out.
    taken: Option<u32>,
}

impl ClosingQueue {
    /// Adds closings; true where none waited, so that the thread must be told.
    pub(crate) fn push(&self, closings: Closings) -> bool {
        let mut state = self.lock();
        let idle = state.waiting.is_empty();
        while let Some(last) = state.waiting.back() {
            let before = state.waiting.len().checked_sub(2);
            let before = before.map_or(state.taken, |at| Some(state.waiting[at].newest));
            if last.newest > closings.newest || !reach_back_to(&closings, before) {
                break;
            }
            state.waiting.pop_back();
        }
        if state.waiting.len() == WAITING {
            state.waiting.pop_front();
        }
        state.waiting.push_back(closings);
        idle
    }

    /// The oldest.
    pub(crate) fn pop(&self) -> Option<Closings> {
        let mut state = self.lock();
        let closings = state.waiting.pop_front()?;
        state.taken = state.taken.max(Some(closings.newest));
        Some(closings)
    }

    /// Forgets all: another session begins.
    pub(crate) fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether these tell all that closings of an older frame tell of frames after `known`.
fn reach_back_to(closings: &Closings, known: Option<u32>) -> bool {
    let first = known.map_or(0, |known| known.saturating_add(1));
    u64::from(first) + closings.frames.len() as u64 > u64::from(closings.newest)
}

#[cfg(test)]
mod tests {
    use raq_shared::wire::report::FrameReport;

    use super::*;

    /// Of the 16 frames up to `newest`.
    fn closings(newest: u32) -> Closings {
        Closings {
            newest,
            frames: vec![FrameReport::All; newest.min(15) as usize + 1],
            audit: None,
        }
    }

    fn all(queue: &ClosingQueue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop())
            .map(|closings| closings.newest)
            .collect()
    }

    #[test]
    fn only_what_newer_ones_do_not_tell_is_kept() {
        let queue = ClosingQueue::default();
        assert!(queue.push(closings(0)));
        for newest in 1..16 {
            assert!(!queue.push(closings(newest)), "the thread knows");
        }
        assert_eq!(all(&queue), [15], "it tells of frames 0 to 15");
        assert!(queue.push(closings(20)));
        queue.push(closings(31));
        queue.push(closings(32));
        queue.push(closings(40));
        queue.push(closings(47));
        // 32 does not reach back to 16, 48 not to 32.
        queue.push(closings(48));
        assert_eq!(all(&queue), [31, 47, 48]);
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn gaps_stay_and_the_newest_is_never_lost() {
        let queue = ClosingQueue::default();
        for n in 0..100 {
            queue.push(closings(20 * n));
        }
        let expected: Vec<u32> = (84..100).map(|n| 20 * n).collect();
        assert_eq!(all(&queue), expected);
    }
}
