//! A log that strangers cannot fill: of each line in the code, few are written in a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// So many in so long: more than anything says that goes well.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Leaves out what would be too much. What was asked for, debug and below, is written in full, and so
/// are errors.
pub(super) struct Seldom<N> {
    began: Instant,
    kinds: Mutex<Kinds>,
    /// Writes that lines of this level are left out.
    note: N,
}

impl<N: Fn(Level)> Seldom<N> {
    #[allow(clippy::disallowed_methods, reason = "the log is a driver")]
    pub(super) fn new(note: N) -> Self {
        Self {
            began: Instant::now(),
            kinds: Mutex::default(),
            note,
        }
    }
}

impl<S: Subscriber, N: Fn(Level) + 'static> Layer<S> for Seldom<N> {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let about = event.metadata();
        if !matches!(*about.level(), Level::WARN | Level::INFO) {
            return true;
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let judgement = kinds.judge(about.callsite(), self.began.elapsed());
        drop(kinds);
        if judgement == Judgement::FirstLeftOut {
            (self.note)(*about.level());
        }
        judgement == Judgement::Written
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Written,
    /// The first of its window that is not written.
    FirstLeftOut,
    LeftOut,
}

/// Per line in the code, when its window began and how many there were in it.
#[derive(Default)]
struct Kinds(HashMap<Identifier, (Duration, u32)>);

impl Kinds {
    fn judge(&mut self, kind: Identifier, now: Duration) -> Judgement {
        let (since, lines) = self.0.entry(kind).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW {
            (*since, *lines) = (now, 0);
        }
        *lines = lines.saturating_add(1);
        match (*lines).cmp(&(LINES + 1)) {
            std::cmp::Ordering::Less => Judgement::Written,
            std::cmp::Ordering::Equal => Judgement::FirstLeftOut,
            std::cmp::Ordering::Greater => Judgement::LeftOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Counts what is written.
    struct Count(Arc<AtomicU32>);

    impl<S: Subscriber> Layer<S> for Count {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_kind_of_line_has_its_own_measure() {
        let (written, notes) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let note = {
            let notes = notes.clone();
            move |level| {
                assert_eq!(level, Level::WARN);
                notes.fetch_add(1, Ordering::Relaxed);
            }
        };
        let subscriber = tracing_subscriber::registry()
            .with(Count(written.clone()))
            .with(Seldom::new(note));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1000 {
                tracing::warn!("a stranger");
                tracing::debug!("wanted");
                tracing::error!("needed");
            }
            tracing::warn!("another thing");
        });
        assert_eq!(written.load(Ordering::Relaxed), LINES + 2000 + 1);
        assert_eq!(notes.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_new_window_begins_anew() {
        let metadata =
            tracing::callsite!(name: "one", kind: tracing::metadata::Kind::EVENT, fields: );
        let kind = tracing::Callsite::metadata(metadata).callsite();
        let mut kinds = Kinds::default();
        for window in 0..3 {
            let now = WINDOW * window;
            for _ in 0..LINES {
                assert_eq!(kinds.judge(kind.clone(), now), Judgement::Written);
            }
            assert_eq!(kinds.judge(kind.clone(), now), Judgement::FirstLeftOut);
            let late = now + WINDOW - Duration::from_millis(1);
            assert_eq!(kinds.judge(kind.clone(), late), Judgement::LeftOut);
        }
    }
}
