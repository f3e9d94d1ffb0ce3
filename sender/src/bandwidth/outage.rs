//! Whether anything comes back at all.

use std::time::Duration;

/// Silence is an outage after so many round trips …
const ROUND_TRIPS: u32 = 3;
/// … and no sooner than this.
const LEAST: Duration = Duration::from_millis(250);
/// How often an outage is knocked at …
const BEAT: Duration = Duration::from_millis(100);
/// … when it is so long …
const LONG: Duration = Duration::from_secs(3);
/// … and then: what waits in a queue all the time is in the way when the path is back.
const LONG_BEAT: Duration = Duration::from_millis(250);

/// Watches for silence, and has something small sent while it lasts: the answer to it is the first
/// that is heard when the path is back.
#[derive(Debug, Default)]
pub struct Outage {
    heard: Duration,
    /// Since when.
    silent: Option<Duration>,
    beat: Option<Duration>,
}

impl Outage {
    /// Something came from the receiver. Says whether that ends an outage.
    pub fn heard(&mut self, now: Duration) -> bool {
        self.heard = now;
        self.beat = None;
        self.silent.take().is_some()
    }

    /// For how long there has been silence at `now`, where something is awaited that was sent at
    /// `awaited`, over a path of this round trip; nothing as long as that is no outage.
    pub fn look(
        &mut self,
        now: Duration,
        awaited: Option<Duration>,
        round_trip: Duration,
    ) -> Duration {
        if self.silent.is_none()
            && let Some(sent) = awaited
        {
            let since = sent.max(self.heard);
            let patience = LEAST.max(ROUND_TRIPS * round_trip);
            self.silent = (now > since + patience).then_some(since);
        }
        let silence = self.silent.map(|since| now.saturating_sub(since));
        silence.unwrap_or_default()
    }

    /// Whether to knock at `now`; then not again for a while.
    pub fn beat(&mut self, now: Duration) -> bool {
        let Some(since) = self.silent else {
            return false;
        };
        let due = self.beat.is_none_or(|at| now >= at);
        if due {
            let long = now.saturating_sub(since) > LONG;
            self.beat = Some(now + if long { LONG_BEAT } else { BEAT });
        }
        due
    }

    /// When to knock next.
    pub fn wake(&self) -> Option<Duration> {
        self.beat.filter(|_| self.silent.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn silence_is_an_outage_only_while_something_is_awaited() {
        let mut outage = Outage::default();
        outage.heard(ms(1000));
        let mut look = |now, awaited: Option<u64>, round_trip| {
            outage.look(ms(now), awaited.map(ms), ms(round_trip))
        };
        assert_eq!(look(60_000, None, 50), ms(0), "nothing was sent");
        assert_eq!(look(60_200, Some(60_000), 50), ms(0));
        assert_eq!(look(60_251, Some(60_000), 50), ms(251));
        assert_eq!(look(60_351, Some(60_000), 50), ms(351));
        assert!(outage.heard(ms(60_360)), "it is over");
        assert!(!outage.heard(ms(60_370)));
        // A longer path gets more patience.
        let mut look = |now| outage.look(ms(now), Some(ms(60_100)), ms(200));
        assert_eq!([look(60_970), look(60_971)], [ms(0), ms(601)]);
    }

    #[test]
    fn an_outage_is_knocked_at_ten_times_a_second() {
        let mut outage = Outage::default();
        assert!(!outage.beat(ms(0)));
        outage.look(ms(1000), Some(ms(0)), ms(50));
        let mut beats = Vec::new();
        let mut now = ms(1000);
        while now < ms(1400) {
            if outage.beat(now) {
                beats.push(now);
            }
            now = outage.wake().unwrap();
        }
        assert_eq!(beats, [1000, 1100, 1200, 1300].map(ms));
        outage.heard(now);
        assert_eq!((outage.beat(now), outage.wake()), (false, None));
    }
}
