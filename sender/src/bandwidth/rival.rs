//! Whether somebody else fills the queue.
//!
//! Alone, or beside others that keep the queue short, this flow's rate follows what it gets through.
//! Beside one that fills the queue, such as a download by TCP, that would end at nothing: the
//! other only stops when the queue overflows. So a queue that stands however little is sent is taken as
//! the path's own delay, for a while: then it is looked at anew, so that two flows of this kind
//! do not hold up a queue against each other. (Copa, NSDI 2018, section 4, for the idea of a mode.)

use std::time::Duration;

/// A standing queue this long is not ours …
const HIGH: Duration = Duration::from_millis(60);
/// … when it lasts this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Below this the rival is gone.
const LOW: Duration = Duration::from_millis(40);
/// So long nothing is concluded from a short queue: the first change of rate needs a round trip.
const SETTLE: Duration = Duration::from_millis(500);
/// After this time it must show again.
const TERM: Duration = Duration::from_secs(8);
/// A queue that somebody fills and that overflows swings by more than this; a delay that is the
/// path's own does not.
const SWING: Duration = Duration::from_millis(20);

/// Looks for a rival in the length of the standing queue.
#[derive(Debug, Default)]
pub struct Rival {
    /// Since when the queue stands.
    high: Option<Duration>,
    /// The rival's time here.
    here: Option<Here>,
}

#[derive(Debug, Clone, Copy)]
struct Here {
    since: Duration,
    least: Duration,
    most: Duration,
}

/// What a look at the queue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new.
    Nothing,
    /// The queue that stood for so long was no queue: the path has become longer.
    Longer,
}

impl Rival {
    /// The queue that stood during the last second, at `now`.
    pub fn note(&mut self, now: Duration, standing: Duration) -> Seen {
        let Some(here) = &mut self.here else {
            self.high = (standing > HIGH).then(|| self.high.unwrap_or(now));
            if self.high.is_some_and(|since| now > since + PATIENCE) {
                self.here = Some(Here {
                    since: now,
                    least: standing,
                    most: standing,
                });
            }
            return Seen::Nothing;
        };
        here.least = here.least.min(standing);
        here.most = here.most.max(standing);
        let time = now.saturating_sub(here.since);
        let over = time > TERM;
        let still = over && here.most - here.least < SWING;
        if over || (standing < LOW && time > SETTLE) {
            (self.here, self.high) = (None, None);
        }
        if still { Seen::Longer } else { Seen::Nothing }
    }

    /// Whether there is one.
    pub fn is_here(&self) -> bool {
        self.here.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 100 ms at a queue of so many ms by the time in seconds; gives when a rival was seen
    /// to come and to go.
    fn watch(rival: &mut Rival, seconds: u32, queue: impl Fn(f64) -> f64) -> Vec<(f64, bool)> {
        let mut changes = Vec::new();
        for n in 0..seconds * 10 {
            let now = f64::from(n) / 10.0;
            let before = rival.is_here();
            let queue = Duration::from_secs_f64(queue(now) / 1e3);
            rival.note(Duration::from_secs_f64(now), queue);
            if rival.is_here() != before {
                changes.push((now, !before));
            }
        }
        changes
    }

    #[test]
    fn a_queue_that_stands_for_two_seconds_is_a_rivals() {
        let come_at_3_go_at_8 = |now| {
            if (3.0..8.0).contains(&now) {
                200.0
            } else {
                10.0
            }
        };
        let changes = watch(&mut Rival::default(), 20, come_at_3_go_at_8);
        assert_eq!(changes, [(5.1, true), (8.0, false)]);
        // Our own queue after the path became slower is gone sooner.
        let short = |now: f64| if now % 3.0 < 1.9 { 300.0 } else { 0.0 };
        assert_eq!(watch(&mut Rival::default(), 20, short), []);
    }

    #[test]
    fn it_must_show_again_from_time_to_time() {
        let swings = |now: f64| 200.0 + 80.0 * now.sin();
        let changes = watch(&mut Rival::default(), 24, swings);
        assert_eq!(
            changes,
            [
                (2.1, true),
                (10.2, false),
                (12.4, true),
                (20.5, false),
                (22.7, true)
            ]
        );
    }

    #[test]
    fn a_path_that_became_longer_is_told_from_a_rival() {
        let mut rival = Rival::default();
        let mut seen = Vec::new();
        for n in 0..105u64 {
            let now = Duration::from_millis(100 * n);
            seen.push(rival.note(now, Duration::from_millis(90 + n % 3)));
        }
        assert_eq!(seen.iter().filter(|&&it| it == Seen::Longer).count(), 1);
    }
}
