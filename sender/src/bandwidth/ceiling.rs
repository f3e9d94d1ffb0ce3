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
/// Losses that are more than the path's own by this share of what should arrive are for want of room …
const EXCESS: f64 = 0.05;
/// … which is sure when the odds are e⁶ to 1.
const SURE: f64 = 6.0;
/// The path's own are taken to be no fewer than this.
const LEAST: f64 = 0.005;
/// Losses that are still so much of what they were, less having been sent, are the path's own …
const STILL: f64 = 0.6;
/// … if that was seen so often in a row.
const TRIALS: u32 = 2;
/// The ceiling rises if this share of it was sent.
const USED: f64 = 0.7;
/// Weight of a round in the path's own losses.
const WEIGHT: f64 = 0.1;

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
    excess: Excess,
    trial: Option<Trial>,
}

/// Whether more is lost than the path's own: a cumulative sum of log-likelihood ratios.
#[derive(Debug, Default)]
struct Excess {
    evidence: f64,
    /// Datagrams since it was none.
    count: u32,
    lost: u32,
}

/// The ceiling was lowered to see whether less is lost.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// What was lost and what the ceiling was before.
    share: f64,
    most: f64,
    /// How often as much was lost all the same.
    failed: u32,
}

impl Excess {
    fn note(&mut self, own: f64, lost: bool, burst: f64) {
        let own = own.clamp(LEAST, 0.9);
        let more = own + tune("excess", EXCESS) * (1.0 - own);
        let ratio = match lost {
            true => more / own,
            false => (1.0 - more) / (1.0 - own),
        };
        let burst = if own > 0.02 { burst } else { 1.0 };
        self.evidence += ratio.ln() / burst;
        self.count += 1;
        self.lost += u32::from(lost);
        if self.evidence <= 0.0 {
            *self = Self::default();
        }
    }

    fn is_sure(&self) -> bool {
        self.evidence >= tune("alarm", SURE)
    }

    fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.count.max(1))
    }
}

impl Ceiling {
    /// By `now` it is known that a datagram, in order of sending, has arrived or is lost, while the queue
    /// was about so long.
    pub fn note(&mut self, now: Duration, datagram: &Datagram, arrived: bool, queue: Duration, burst: f64) {
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
            if let Some(held) = &mut self.held {
                held.excess.note(held.own, !arrived, burst);
            }
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
        let want_room = self.places.want_room();
        let own = self.places.own();
        let sent = round.sent / time;
        let carried = |share: f64, own: f64| {
            sent * ((1.0 - share) / (1.0 - own.min(0.9))).min(1.0) * tune("keep", 1.0)
        };
        let Some(held) = &mut self.held else {
            if want_room && share > own + EXCESS {
                let most = carried(share, own);
                self.held = Some(Held {
                    most,
                    own,
                    lowered: most,
                    at: now.saturating_sub(Duration::from_secs_f64(tune("head", 3.0))),
                    excess: Excess::default(),
                    trial: None,
                });
                self.places.doubt();
                self.since = now;
            }
            return;
        };
        if want_room {
            held.own = held.own.min(own);
            held.trial = None;
            self.places.doubt();
        }
        let still = held.trial.filter(|trial| share - held.own > STILL * (trial.share - held.own));
        if let Some(trial) = still && trial.failed + 1 >= TRIALS {
            // Whatever is sent, as much is lost.
            held.own = share;
            held.most = trial.most;
            held.trial = None;
            held.excess = Excess::default();
            return;
        }
        if want_room || still.is_some() || held.excess.is_sure() {
            let lost = if held.excess.is_sure() { held.excess.share().max(share) } else { share };
            let trial = Trial { share: lost, most: held.most, failed: 0 };
            let again = still.map(|trial| Trial { failed: trial.failed + 1, ..trial });
            held.trial = Some(again.unwrap_or(trial));
            held.most = held.most.min(carried(lost, held.own));
            held.lowered = held.most;
            held.at = now;
            held.excess = Excess::default();
            self.since = now;
            return;
        }
        held.trial = None;
        if share < held.own || held.excess.evidence < 2.0 {
            held.own += WEIGHT * (share - held.own);
        }
        if sent > USED * held.most {
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
