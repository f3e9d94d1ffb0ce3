//! The most a path is believed to carry that drops what is more instead of letting it wait.
//!
//! A short buffer or a policer shows no queue. Once the places of losses in their frames tell that
//! such a thing is there, what arrived is what it carries: that is the ceiling of the estimate, and
//! datagrams leave hardly faster. It rises, slowly at first, until more is lost again. Where lowering
//! it does not lower the losses, they are the path's own.

use std::time::Duration;

use super::ledger::Datagram;
use super::losses::SHORT_QUEUE;
use super::places::Places;

/// Datagrams are counted in rounds of frames, at least so long …
const ROUND: Duration = Duration::from_millis(300);
/// … and with so many datagrams, or longer.
const ENOUGH: u32 = 60;
const LONG_ROUND: Duration = Duration::from_secs(1);
/// The time before a frame that makes its first datagram one after a pause.
const PAUSE: Duration = Duration::from_millis(4);
/// After this time nothing goes on as before.
const LONG_PAUSE: Duration = Duration::from_millis(500);
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
/// It is lowered to no less than this share at once …
const LOWEST: f64 = 0.25;
/// … and to no less than this, bytes per second.
const FLOOR: f64 = 4e3;
/// The ceiling rises if this share of it was sent …
const USED: f64 = 0.7;
/// … by so much per second, which doubles …
const GROWTH: f64 = 0.02;
/// … after every so many seconds …
const DOUBLING: f64 = 2.0;
/// … up to this. At first nothing is known of where it is: it begins after so long.
const FASTEST: f64 = 0.3;
const HEAD_START: Duration = Duration::from_secs(3);
/// It is given up where it has risen to so many times what it was lowered to.
const GONE: f64 = 2.5;
/// Weight of a round in the path's own losses …
const WEIGHT: f64 = 0.1;
/// … while there is less evidence than this that there are others.
const DOUBT: f64 = 2.0;
/// From so many of the path's own on, a run of losses counts as one.
const FEW: f64 = 0.02;
/// The path's own losses are taken to be no more than this.
const MANY: f64 = 0.9;
/// How much faster than the estimate datagrams leave below it.
const PACING: f64 = 1.25;

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
    bytes: f64,
    count: u32,
    lost: u32,
}

impl Round {
    /// After `time`, with a datagram at least.
    fn outcome(&self, time: Duration) -> Outcome {
        let time = time.as_secs_f64();
        Outcome {
            share: f64::from(self.lost) / f64::from(self.count),
            sent: self.bytes / time,
            time,
        }
    }
}

/// Share lost and bytes sent per second in a round of so many seconds.
#[derive(Debug)]
struct Outcome {
    share: f64,
    sent: f64,
    time: f64,
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

impl Held {
    /// A round is over in which so much was sent per second, and this share of it lost; says whether the
    /// ceiling is lowered.
    fn judge(&mut self, now: Duration, round: &Outcome, want_room: bool) -> bool {
        let &Outcome { share, sent, time } = round;
        let more = share - self.own;
        let still = self
            .trial
            .filter(|trial| more > STILL * (trial.share - self.own));
        if let Some(trial) = still
            && trial.failed + 1 >= TRIALS
        {
            self.own = share;
            self.most = trial.most;
            self.trial = None;
            self.excess = Excess::default();
            return false;
        }
        if !want_room && still.is_none() && !self.excess.is_sure() {
            self.trial = None;
            if more < 0.0 || self.excess.evidence < DOUBT {
                self.own += WEIGHT * more;
            }
            if sent > USED * self.most {
                self.rise(now, time);
            }
            return false;
        }
        let share = match self.excess.is_sure() {
            true => self.excess.share().max(share),
            false => share,
        };
        self.trial = Some(Trial {
            share: still.map_or(share, |trial| trial.share),
            most: still.map_or(self.most, |trial| trial.most),
            failed: still.map_or(0, |trial| trial.failed + 1),
        });
        let carried = carried(sent, share, self.own).max(LOWEST * self.most);
        self.most = self.most.min(carried);
        (self.lowered, self.at) = (self.most, now);
        self.excess = Excess::default();
        true
    }

    fn rise(&mut self, now: Duration, time: f64) {
        let since = now.saturating_sub(self.at).as_secs_f64();
        let growth = (GROWTH * (since / DOUBLING).exp2()).min(FASTEST);
        self.most *= 1.0 + growth * time;
    }
}

/// What a path carries that loses this share, `own` of it anyway; bytes per second.
fn carried(sent: f64, share: f64, own: f64) -> f64 {
    let survive = (1.0 - share) / (1.0 - own.min(MANY));
    (sent * survive.min(1.0)).max(FLOOR)
}

impl Excess {
    fn note(&mut self, own: f64, lost: bool, burst: f64) {
        let own = own.clamp(LEAST, MANY);
        let more = own + EXCESS * (1.0 - own);
        let ratio = match lost {
            true => more / own,
            false => (1.0 - more) / (1.0 - own),
        };
        let burst = if own > FEW { burst } else { 1.0 };
        self.evidence += ratio.ln() / burst;
        self.count += 1;
        self.lost += u32::from(lost);
        if self.evidence <= 0.0 {
            *self = Self::default();
        }
    }

    fn is_sure(&self) -> bool {
        self.evidence >= SURE
    }

    fn share(&self) -> f64 {
        f64::from(self.lost) / f64::from(self.count.max(1))
    }
}

impl Ceiling {
    /// By `now` it is known that a datagram, in order of sending, has arrived or is lost, while the queue
    /// was about so long and losses came in runs of a mean length.
    pub fn note(
        &mut self,
        now: Duration,
        datagram: &Datagram,
        arrived: bool,
        queue: Duration,
        burst: f64,
    ) {
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
            round.bytes += f64::from(bytes);
            round.count += 1;
            round.lost += u32::from(!arrived);
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
                self.judge(now, &round.outcome(time));
            }
        }
        if at >= self.since {
            self.round = Some(Round {
                from: at,
                ..Round::default()
            });
        }
    }

    fn judge(&mut self, now: Duration, round: &Outcome) {
        let &Outcome { share, sent, .. } = round;
        let want_room = self.places.want_room();
        let own = self.places.own();
        match &mut self.held {
            None if want_room && share > own + EXCESS => {
                let most = carried(sent, share, own);
                self.held = Some(Held {
                    most,
                    own,
                    lowered: most,
                    at: now.saturating_sub(HEAD_START),
                    excess: Excess::default(),
                    trial: None,
                });
                self.since = now;
            }
            None => return,
            Some(held) => {
                if want_room {
                    held.own = held.own.min(own);
                    held.trial = None;
                }
                let lowered = held.judge(now, round, want_room);
                if lowered {
                    self.since = now;
                }
                if held.most > GONE * held.lowered {
                    self.held = None;
                }
            }
        }
        if want_room {
            self.places.doubt();
        }
    }

    /// What was sent before came to nothing: there was an outage.
    pub fn clear(&mut self, now: Duration) {
        self.round = None;
        self.since = now;
        if let Some(held) = &mut self.held {
            held.excess = Excess::default();
            held.trial = None;
        }
    }

    /// The most the path is believed to carry, bytes per second.
    pub fn most(&self) -> f64 {
        self.held.as_ref().map_or(f64::INFINITY, |held| held.most)
    }

    /// How much faster than the estimate datagrams may leave; any, where nothing was seen to be dropped.
    pub fn pace(&self) -> Option<f64> {
        self.held.as_ref().map(|_| PACING)
    }

    /// Share of datagrams that the path loses whatever is sent, as far as that is known.
    pub fn own(&self) -> Option<f64> {
        self.held.as_ref().map(|held| held.own)
    }
}
