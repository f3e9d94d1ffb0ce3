//! The most a path is believed to carry that drops what is more instead of letting it wait.
//!
//! A short buffer or a policer shows no queue. Once the places of losses in their frames tell that
//! such a thing is there, what arrived is what it carries: that is the ceiling of the estimate, and
//! datagrams leave hardly faster. It rises, slowly at first, until more is lost again. Where lowering
//! it does not lower the losses, they are the path's own.

use std::time::Duration;

use super::ledger::Datagram;
use super::places::Places;
use super::tune::tune;

/// Datagrams are counted in rounds of frames, at least so long …
const ROUND: Duration = Duration::from_millis(300);
/// … and with so many datagrams, or longer.
const ENOUGH: u32 = 60;
const LONG_ROUND: Duration = Duration::from_secs(1);
/// The time before a frame that makes its first datagram one after a pause.
const PAUSE: Duration = Duration::from_millis(4);
/// After this time nothing goes on as before.
const LONG_PAUSE: Duration = Duration::from_millis(500);
/// A longer queue tells by itself that there is no room.
const SHORT_QUEUE: Duration = Duration::from_millis(15);
/// Losses above the path's own by this share …
const EXCESS: f64 = 0.02;
/// … and by so many standard deviations are for want of room.
const SURE: f64 = 2.0;
/// Losses that are still so much of what they were, less having been sent, were not for want of room.
const STILL: f64 = 0.6;
/// The ceiling rises if this share of it was sent.
const USED: f64 = 0.7;
/// Weight of a round in the path's own losses, where they become fewer.
const WEIGHT: f64 = 0.25;

/// See the module.
#[derive(Debug, Default)]
pub struct Ceiling {
    places: Places,
    /// When the datagram before left.
    last: Duration,
    round: Option<Round>,
    /// What left before did so at another rate.
    since: Duration,
    held: Option<Held>,
}

/// What became of datagrams that left at about the same rate.
#[derive(Debug, Default)]
struct Round {
    from: Duration,
    sent: f64,
    arrived: f64,
    count: u32,
    lost: u32,
}

#[derive(Debug)]
struct Held {
    /// Bytes per second.
    most: f64,
    /// Share of losses that is the path's own.
    own: f64,
    /// What it was lowered to last, and when.
    lowered: f64,
    at: Duration,
    /// Share lost and ceiling before, while that is on trial.
    before: Option<(f64, f64)>,
}

impl Ceiling {
    /// By `now` it is known that a datagram, in order of sending, has arrived or is lost, while the queue
    /// was about so long.
    pub fn note(&mut self, now: Duration, datagram: &Datagram, arrived: bool, queue: Duration) {
        let &Datagram {
            index, bytes, at, ..
        } = datagram;
        let gap = at.saturating_sub(self.last);
        self.last = at;
        if queue < SHORT_QUEUE {
            self.places.note(index == 0 && gap >= PAUSE, !arrived);
        }
        if index == 0 {
            if gap >= LONG_PAUSE {
                self.round = None;
            }
            self.frame(now, at);
        }
        if let Some(round) = &mut self.round {
            let bytes = f64::from(bytes);
            round.count += 1;
            round.sent += bytes;
            match arrived {
                true => round.arrived += bytes,
                false => round.lost += 1,
            }
        }
    }

    /// The first datagram of a frame left at `at`.
    fn frame(&mut self, now: Duration, at: Duration) {
        if let Some(round) = &self.round {
            let time = at.saturating_sub(round.from);
            if time < ROUND || (round.count < ENOUGH && time < LONG_ROUND) {
                return;
            }
            if let Some(round) = self.round.take() {
                self.judge(now, &round, time.as_secs_f64());
            }
        }
        if at >= self.since {
            self.round = Some(Round {
                from: at,
                ..Round::default()
            });
        }
    }

    fn judge(&mut self, now: Duration, round: &Round, time: f64) {
        let share = f64::from(round.lost) / f64::from(round.count.max(1));
        let carried = |own: f64| round.arrived / time / (1.0 - own.min(0.9)) * tune("keep", 0.98);
        let want_room = self.places.want_room();
        let own = self.places.own();
        let Some(held) = &mut self.held else {
            if want_room && share > own + EXCESS {
                let most = carried(own);
                self.held = Some(Held {
                    most,
                    own,
                    lowered: most,
                    at: now.saturating_sub(Duration::from_secs_f64(tune("head", 3.0))),
                    before: None,
                });
                self.places.doubt();
                self.since = now;
            }
            return;
        };
        if want_room {
            held.own = held.own.min(own);
            held.before = None;
            self.places.doubt();
        }
        let chance = held.own.max(EXCESS).min(0.5);
        let spread = (chance * (1.0 - chance) / f64::from(round.count.max(1))).sqrt();
        if share - held.own > f64::max(EXCESS, SURE * spread) {
            self.since = now;
            match held.before {
                Some((was, most)) if share - held.own > STILL * (was - held.own) => {
                    held.own = share;
                    held.most = most;
                    held.before = None;
                }
                before => {
                    held.before = Some((share, before.map_or(held.most, |(_, most)| most)));
                    held.most = held.most.min(carried(held.own));
                    held.lowered = held.most;
                    held.at = now;
                }
            }
            return;
        }
        held.before = None;
        held.own += WEIGHT * (share - held.own).min(0.0);
        if round.sent / time > USED * held.most {
            let since = now.saturating_sub(held.at).as_secs_f64();
            let growth = tune("grow", 0.02) * (since / tune("double", 2.0)).exp2();
            held.most *= 1.0 + growth.min(tune("fast", 0.3)) * time;
        }
        if held.most > tune("free", 2.5) * held.lowered {
            self.held = None;
        }
    }

    /// The most the path is believed to carry, bytes per second.
    pub fn most(&self) -> f64 {
        self.held.as_ref().map_or(f64::INFINITY, |held| held.most)
    }

    /// How much faster than the estimate datagrams may leave; any, where nothing was seen to be dropped.
    pub fn pace(&self) -> Option<f64> {
        self.held.as_ref().map(|_| tune("pace", 1.25))
    }

    /// Share of datagrams that the path loses whatever is sent, as far as that is known.
    pub fn own(&self) -> Option<f64> {
        self.held.as_ref().map(|held| held.own)
    }
}
