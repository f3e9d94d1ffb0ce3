//! Hands buffers from one thread to another and back: none is made after the beginning.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A fixed set of buffers, each empty, full, or with one of the two threads.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    empty: Vec<T>,
    full: VecDeque<T>,
    closed: bool,
}

impl<T> Mailbox<T> {
    /// With these buffers, all empty.
    pub(crate) fn new(empty: Vec<T>) -> Self {
        let state = State {
            empty,
            full: VecDeque::new(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// An empty buffer, waited for; `None` once closed.
    pub(crate) fn empty(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(buffer) = state.empty.pop() {
                return Some(buffer);
            }
            state = self.wait(state);
        }
    }

    /// An empty buffer or else the oldest full one, and whether it was full. `None` once closed.
    pub(crate) fn empty_or_oldest(&self) -> Option<(T, bool)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let empty = state.empty.pop().map(|buffer| (buffer, false));
            let found = empty.or_else(|| Some((state.full.pop_front()?, true)));
            if found.is_some() {
                return found;
            }
            state = self.wait(state);
        }
    }

    /// Puts a full buffer in.
    pub(crate) fn put(&self, buffer: T) {
        self.lock().full.push_back(buffer);
        self.changed.notify_all();
    }

    /// Puts a full buffer in in the place of those that wait; how many there were. Live sources do
    /// so, and others where the machine is too slow: what nobody had time for is out of date.
    pub(crate) fn replace(&self, buffer: T) -> u32 {
        let mut state = self.lock();
        let State { empty, full, .. } = &mut *state;
        let replaced = full.len() as u32;
        empty.extend(full.drain(..));
        full.push_back(buffer);
        drop(state);
        self.changed.notify_all();
        replaced
    }

    /// The oldest full buffer, waited for; `None` once closed and emptied.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(buffer) = state.full.pop_front() {
                return Some(buffer);
            }
            if state.closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Gives an emptied buffer back.
    pub(crate) fn give_back(&self, buffer: T) {
        self.lock().empty.push(buffer);
        self.changed.notify_all();
    }

    /// Nothing more will be put in. Can be said from anywhere, and twice.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until `until`, where `now` tells the time; false once closed.
    pub(crate) fn wait_until(&self, until: Instant, now: impl Fn() -> Instant) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            let left = until.saturating_duration_since(now());
            if left == Duration::ZERO {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is half done while the lock is held, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn everything_put_is_taken_in_order() {
        let mailbox = Mailbox::new(vec![0; 2]);
        let taken = thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut taken = Vec::new();
                while let Some(number) = mailbox.take() {
                    taken.push(number);
                    mailbox.give_back(0);
                }
                taken
            });
            for number in 1..=100 {
                assert_eq!(mailbox.empty(), Some(0));
                mailbox.put(number);
            }
            mailbox.close();
            taker.join().unwrap()
        });
        assert!(taken.into_iter().eq(1..=100));
        assert_eq!(mailbox.empty(), None);
    }

    #[test]
    fn a_live_source_overwrites_the_oldest() {
        let mailbox = Mailbox::new(vec![0; 2]);
        for number in 1..=2 {
            assert_eq!(mailbox.empty_or_oldest(), Some((0, false)));
            mailbox.put(number);
        }
        assert_eq!(mailbox.empty_or_oldest(), Some((1, true)));
        mailbox.put(3);
        assert_eq!((mailbox.take(), mailbox.take()), (Some(2), Some(3)));
    }

    #[test]
    fn a_live_source_leaves_only_the_newest() {
        let mailbox = Mailbox::new(vec![0; 3]);
        let replaced = [1, 2, 3, 4].map(|number| {
            assert_eq!(mailbox.empty(), Some(0));
            let replaced = mailbox.replace(number);
            if replaced == 1 {
                // The emptied one is the next to be filled.
                assert_eq!(mailbox.empty(), Some(number - 1));
                mailbox.give_back(0);
            }
            replaced
        });
        assert_eq!(replaced, [0, 1, 1, 1]);
        assert_eq!(mailbox.take(), Some(4));
        mailbox.close();
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn closing_wakes_those_who_wait() {
        let mailbox = Mailbox::<u8>::new(Vec::new());
        thread::scope(|scope| {
            let empty = scope.spawn(|| mailbox.empty());
            let oldest = scope.spawn(|| mailbox.empty_or_oldest());
            let full = scope.spawn(|| mailbox.take());
            mailbox.close();
            assert_eq!(empty.join().unwrap(), None);
            assert_eq!(oldest.join().unwrap(), None);
            assert_eq!(full.join().unwrap(), None);
        });
    }
}
