//! What the outputs know of each other: which of them still work, and which are done.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use raq_shared::exit::{Exit, Failure};
use tokio::sync::mpsc::UnboundedSender;

use crate::event::Event;

/// Outputs that still work.
#[derive(Debug)]
pub(super) struct Working {
    count: AtomicUsize,
    /// Why the first one does not.
    failure: Mutex<Option<Failure>>,
}

impl Working {
    /// `count` outputs.
    pub(super) fn new(count: usize) -> Self {
        Self {
            count: AtomicUsize::new(count),
            failure: Mutex::new(None),
        }
    }

    /// One of them has failed; call it once for each. With the last one, which it says, the program
    /// ends.
    pub(super) fn lose(&self, failure: Failure, events: &UnboundedSender<Event>) -> bool {
        let last = self.count.fetch_sub(1, Ordering::Relaxed) == 1;
        if last {
            let _ = events.send(Event::Failed(failure));
        } else if failure.exit == Exit::Done {
            tracing::info!("{failure}; the other outputs go on");
        } else {
            tracing::error!("{failure}; the other outputs go on");
            self.note(failure);
        }
        last
    }

    /// One of them has failed when nobody needed it any more.
    pub(super) fn note(&self, failure: Failure) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(failure);
    }

    /// Why an output failed although the program went on, or after that.
    pub(super) fn failure(&self) -> Option<Failure> {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.take()
    }
}

/// The end of a session, which every output comes to in its time.
#[derive(Debug)]
pub(super) struct Finishing {
    left: AtomicUsize,
    frames_decoded: u32,
    /// The most that one of them repeated.
    frames_repeated: AtomicU64,
}

impl Finishing {
    /// For `outputs` outputs, after so many decoded frames.
    pub(super) fn new(outputs: usize, frames_decoded: u32) -> Self {
        Self {
            left: AtomicUsize::new(outputs),
            frames_decoded,
            frames_repeated: AtomicU64::new(0),
        }
    }

    /// One output is done; call it once for each. The last one tells the driver.
    pub(super) fn done(&self, frames_repeated: u64, events: &UnboundedSender<Event>) {
        self.frames_repeated
            .fetch_max(frames_repeated, Ordering::Relaxed);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _ = events.send(Event::Drained {
                frames_decoded: self.frames_decoded,
                frames_repeated: self.frames_repeated.load(Ordering::Relaxed),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn failure(text: &str) -> Failure {
        Failure::new(Exit::Failure, text)
    }

    #[test]
    fn the_program_ends_with_its_last_output_and_tells_of_the_first() {
        let (sender, mut events) = unbounded_channel();
        let working = Working::new(3);
        assert!(!working.lose(Failure::closed_pipe(), &sender));
        assert!(!working.lose(failure("first"), &sender));
        assert!(events.try_recv().is_err());
        assert!(working.lose(failure("second"), &sender));
        assert!(matches!(events.try_recv(), Ok(Event::Failed(it)) if it.message == "second"));
        assert_eq!(working.failure().unwrap().message, "first");
    }

    #[test]
    fn the_slowest_output_ends_the_session() {
        let (sender, mut events) = unbounded_channel();
        let finishing = Finishing::new(2, 9);
        finishing.done(4, &sender);
        assert!(events.try_recv().is_err());
        finishing.done(3, &sender);
        let told = events.try_recv().unwrap();
        let Event::Drained {
            frames_decoded,
            frames_repeated,
        } = told
        else {
            panic!("{told:?}");
        };
        assert_eq!((frames_decoded, frames_repeated), (9, 4));
    }
}
