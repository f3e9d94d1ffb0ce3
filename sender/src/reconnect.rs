//! When to try again after a connection was lost.

use std::time::Duration;

use raq_shared::exit::{Exit, Failure};

/// The first wait.
const FIRST: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST: Duration = Duration::from_secs(5);
/// A session that lasted so long was good: the next loss is waited for as the first one.
const GOOD: Duration = Duration::from_secs(10);

/// Waits between attempts: they double up to 5 s and are shortened by chance by up to half, so
/// that senders that lost the same receiver do not come back all at once (compare RFC 8961, 4).
#[derive(Debug)]
pub(crate) struct Reconnect {
    next: Duration,
    /// When the session that runs or ran last began.
    began: Option<Duration>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            next: FIRST,
            began: None,
        }
    }
}

impl Reconnect {
    /// Frames are wanted from `now` on.
    pub(crate) fn began(&mut self, now: Duration) {
        self.began = Some(now);
    }

    /// How long to wait from `now` before the next attempt; `random` is from 0 to 1.
    pub(crate) fn wait(&mut self, now: Duration, random: f64) -> Duration {
        let began = self.began.take();
        if began.is_some_and(|began| now.saturating_sub(began) >= GOOD) {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (2 * wait).min(LONGEST);
        wait.mul_f64(1.0 - 0.5 * random.clamp(0.0, 1.0))
    }
}

/// Whether another attempt may end otherwise than with `failure`: networks and receivers come
/// back, but keys, models and sizes stay as they are.
pub(crate) fn is_worth_another(failure: &Failure) -> bool {
    failure.exit == Exit::Connection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn waits_double_up_to_a_limit() {
        let mut reconnect = Reconnect::default();
        let waits = [(); 7].map(|()| reconnect.wait(seconds(1.0), 0.0).as_secs_f64());
        assert_eq!(waits, [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn chance_takes_up_to_half() {
        for (random, millis) in [(0.0, 250), (0.5, 187), (1.0, 125), (-7.0, 250), (9.0, 125)] {
            let wait = Reconnect::default().wait(seconds(0.0), random);
            assert_eq!(wait.as_millis(), millis, "{random}");
        }
    }

    #[test]
    fn a_good_session_is_followed_by_a_short_wait() {
        let mut reconnect = Reconnect::default();
        for _ in 0..9 {
            reconnect.wait(seconds(1.0), 0.0);
        }
        reconnect.began(seconds(2.0));
        let short = reconnect.wait(seconds(11.9), 0.0);
        assert_eq!(short, LONGEST, "a session of 9.9 s proves nothing");
        reconnect.began(seconds(20.0));
        assert_eq!(reconnect.wait(seconds(30.0), 0.0), FIRST);
        // An attempt that never became a session says nothing of the one before.
        assert_eq!(reconnect.wait(seconds(90.0), 0.0), 2 * FIRST);
    }
}
