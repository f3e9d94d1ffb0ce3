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

/// What is awaited: something that left at `sent`, over a path of this round trip.
#[derive(Debug, Clone, Copy)]
pub struct Awaited {
    /// When it left.
    pub sent: Duration,
    /// The round trip of late.
    pub round_trip: Duration,
}

impl Awaited {
    fn patience(self) -> Duration {
        LEAST.max(ROUND_TRIPS * self.round_trip)
    }
}

/// Watches for silence, and has something small sent while it lasts: the answer to it is the first
/// that is heard when the path is back. Where the last datagram of a frame is lost and the next frame
/// is far away, nothing is said of it: there, too, it is knocked before silence counts as an outage.
#[derive(Debug, Default)]
pub struct Outage {
    heard: Duration,
    /// Since when there is an outage.
    silent: Option<Duration>,
    /// When something left first since something was heard: for that an answer is due …
    asked: Option<Duration>,
    /// … and when a datagram left last.
    sent: Duration,
    /// Whether what was heard last says nothing of what is awaited: asking does not help then.
    in_vain: bool,
    /// When to knock again.
    beat: Option<Duration>,
}

impl Outage {
    /// Something came from the receiver. Says whether that ends an outage.
    pub fn heard(&mut self, now: Duration) -> bool {
        self.heard = now;
        (self.asked, self.beat) = (None, None);
        self.silent.take().is_some()
    }

    /// What is to be made of what was heard: whether it `tells` of what was awaited before, if anything
    /// was.
    pub fn told(&mut self, tells: bool) {
        self.in_vain = !tells;
    }

    /// A datagram leaves.
    pub fn sent(&mut self, now: Duration) {
        self.asked.get_or_insert(now);
        self.sent = now;
    }

    /// For how long there has been silence at `now`, if that is an outage: nothing was heard of what
    /// is awaited, nor of what was sent to ask for it.
    pub fn look(&mut self, now: Duration, awaited: Option<Awaited>) -> Duration {
        if self.silent.is_none()
            && let Some(awaited) = awaited
        {
            let (since, patience) = (self.since(awaited), awaited.patience());
            let due = |asked: Duration| now >= asked + patience / 2;
            let over = now > since + patience && (self.in_vain || self.asked.is_some_and(due));
            self.silent = over.then_some(since);
        }
        let silence = self.silent.map(|since| now.saturating_sub(since));
        silence.unwrap_or_default()
    }

    fn since(&self, awaited: Awaited) -> Duration {
        awaited.sent.max(self.heard)
    }

    /// Whether to knock at `now`; then not again for a while.
    pub fn beat(&mut self, now: Duration, awaited: Option<Awaited>) -> bool {
        let due = self.wake(awaited).is_some_and(|at| now >= at);
        if due {
            self.asked.get_or_insert(now);
            let since = self.silent.unwrap_or(now);
            let long = now.saturating_sub(since) > LONG;
            self.beat = Some(now + if long { LONG_BEAT } else { BEAT });
        }
        due
    }

    /// When to knock next.
    pub fn wake(&self, awaited: Option<Awaited>) -> Option<Duration> {
        if self.silent.is_some() {
            return self.beat.or(self.silent);
        }
        // While frames leave they ask for themselves.
        let awaited = awaited.filter(|_| !self.in_vain)?;
        let doubt = self.since(awaited).max(self.sent) + awaited.patience() / 2;
        Some(self.beat.map_or(doubt, |beat| beat.max(doubt)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn awaited(sent: u64, round_trip: u64) -> Option<Awaited> {
        let [sent, round_trip] = [sent, round_trip].map(ms);
        Some(Awaited { sent, round_trip })
    }

    #[test]
    fn silence_is_an_outage_only_while_something_is_awaited() {
        let mut outage = Outage::default();
        outage.heard(ms(1000));
        let nothing = outage.look(ms(60_000), None);
        assert_eq!(nothing, ms(0), "nothing was sent");
        assert_eq!(outage.wake(None), None);
        let sent = awaited(60_000, 50);
        assert_eq!(outage.wake(sent), Some(ms(60_125)));
        assert!(!outage.beat(ms(60_124), sent) && outage.beat(ms(60_125), sent));
        assert_eq!(outage.look(ms(60_200), sent), ms(0));
        assert_eq!(outage.look(ms(60_251), sent), ms(251));
        assert_eq!(outage.look(ms(60_351), sent), ms(351));
        assert!(outage.heard(ms(60_360)), "it is over");
        assert!(!outage.heard(ms(60_370)));
        // A longer path gets more patience; while frames leave nothing else is needed.
        let sent = awaited(60_100, 200);
        outage.sent(ms(60_670));
        assert_eq!(outage.wake(sent), Some(ms(60_970)));
        assert_eq!(outage.look(ms(60_970), sent), ms(0));
        assert_eq!(outage.look(ms(60_971), sent), ms(601));
    }

    #[test]
    fn silence_is_no_outage_before_it_was_asked_for() {
        let mut outage = Outage::default();
        let sent = awaited(0, 50);
        assert_eq!(outage.look(ms(9000), sent), ms(0), "this machine slept");
        assert!(outage.beat(ms(9000), sent));
        assert_eq!(outage.look(ms(9124), sent), ms(0));
        assert!(!outage.heard(ms(9050)), "it was none");
        assert_eq!(outage.look(ms(9301), sent), ms(0));
        assert!(outage.beat(ms(9301), sent));
        assert_eq!(outage.look(ms(9426), sent), ms(376));
    }

    #[test]
    fn where_answers_tell_nothing_silence_counts_without_asking() {
        let mut outage = Outage::default();
        let sent = awaited(0, 50);
        outage.heard(ms(1000));
        outage.told(false);
        assert_eq!(outage.wake(sent), None);
        assert_eq!(outage.look(ms(1250), sent), ms(0));
        assert_eq!(outage.look(ms(1251), sent), ms(251));
        assert!(
            outage.beat(ms(1251), sent),
            "it is an outage like any other"
        );
        assert!(outage.heard(ms(1300)));
        outage.told(true);
        assert_eq!(outage.wake(sent), Some(ms(1425)));
    }

    #[test]
    fn an_outage_is_knocked_at_ten_times_a_second() {
        let mut outage = Outage::default();
        let sent = awaited(0, 50);
        let mut beats = Vec::new();
        let mut now = ms(0);
        while now < ms(4000) {
            if outage.beat(now, sent) {
                beats.push(now);
            }
            outage.look(now, sent);
            now = outage.wake(sent).unwrap();
        }
        let doubt = (0..).map(|n| 125 + 100 * n).take_while(|&at| at <= 3025);
        let long = [3275, 3525, 3775];
        let expected: Vec<_> = doubt.chain(long).map(ms).collect();
        assert_eq!(beats, expected);
        outage.heard(now);
        assert_eq!((outage.beat(now, None), outage.wake(None)), (false, None));
    }
}
