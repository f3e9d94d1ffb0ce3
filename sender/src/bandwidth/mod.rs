//! What the path carries, from when datagrams left and when the receiver says they arrived.
//!
//! ```text
//! departures -> Ledger <- arrivals (reports)
//!                 |-> Losses   how many are lost, which of them for want of room
//!                 |-> Ceiling  what it carries, if it drops the rest and shows no queue
//!                 |-> Delay    time in the queue, against the least of the last seconds
//!                 |-> Jitter   delays that change by chance
//!                 |-> Trains   how far the path spreads a frame's datagrams: what it carries
//!                 |-> Rival    somebody else fills the queue
//!                 '-> Outage   nothing comes back
//! ```
//!
//! The loop and its constants, with where they come from, are in `shared/docs/RATE.md`. Nothing here
//! holds a clock: times are given, the sender's since any moment, the receiver's since another.

pub mod ceiling;
pub mod clock;
pub mod delay;
pub mod estimator;
pub mod estimator_name;
pub mod gcc;
pub mod jitter;
pub mod ledger;
pub mod losses;
pub mod outage;
pub mod places;
pub mod rival;
pub mod trains;

use std::collections::VecDeque;
use std::time::Duration;

use raq_shared::units::Bitrate;

pub use estimator::Estimator;
pub use estimator_name::EstimatorName;
pub use ledger::Datagram;

use crate::rate::{LEAST_FRAME, PATH_OVERHEAD};
use ceiling::Ceiling;
use clock::ReceiverClock;
use delay::Delay;
use jitter::Jitter;
use ledger::{Heard, Ledger};
use losses::Losses;
use outage::{Awaited, Outage};
use rival::{Rival, Seen};
use trains::{Passage, Trains, Verdict};

/// What is begun with, libwebrtc's.
pub const START: Bitrate = Bitrate::from_kilobits_per_second(300);
/// The estimate stays in these bounds whatever reports say.
const BOUNDS: [f64; 2] = [4e3, 125e6];
/// How far a new rate draws the estimate up …
const UP: f64 = 0.3;
/// … and down.
const DOWN: f64 = 0.7;
/// Most that the estimate grows by at a time.
const STEP: f64 = 2.0;
/// The estimate stays within this of what arrives: who sends less than he may learns nothing …
const ABOVE_DELIVERED: f64 = 1.5;
/// … nor see trains that tell of more than this; drained, he sends 0.6 of the estimate …
const ABOVE_TRIED: f64 = 3.0;
/// … but a little more is always worth a try, bytes per second.
const TRY: f64 = 8e3;
/// Growth with every report while nothing speaks against it.
const CREEP: f64 = 1.05;
/// A queue up to this says nothing against it.
const NO_QUEUE: Duration = Duration::from_millis(10);
/// With a queue longer than this the path was busy between two frames.
const BUSY_QUEUE: Duration = Duration::from_millis(8);
/// Where delays change by chance the estimate does not fall below this share of what arrives, so that
/// frames that take 0.95 of it do not wear it down …
const OF_DELIVERED: f64 = 1.1;
/// … while the queue is no longer than this besides.
const CALM: Duration = Duration::from_millis(8);
/// Arrivals further apart than this have an outage between them.
const OUTAGE_GAP: Duration = Duration::from_millis(250);
/// Time over which arrivals make a rate.
const DELIVERY: Duration = Duration::from_millis(300);
/// What is left of the estimate after an outage.
const AFTER_OUTAGE: f64 = 0.5;
/// The queue that is held.
const TARGET: Duration = Duration::from_millis(10);
/// A queue from here to there …
const DRAIN: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(80)];
/// … takes the rate down to this share.
const DRAINED: f64 = 0.6;
/// The queue that is held beside somebody who fills it; draining begins there.
const RIVAL_TARGET: Duration = Duration::from_millis(50);
/// The least delay is looked for in this time then.
const RIVAL_WINDOW: Duration = Duration::from_secs(4);
/// How much faster than the estimate datagrams leave: what is no faster than the path is not
/// spread by it.
const PACING: f64 = 2.0;
/// The round trip until one is known.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Datagrams of a train.
const TRAIN: u8 = 5;
/// Least bytes of its datagrams.
const TRAIN_BYTES: usize = 100;
/// Share of the rate that may go into the headers of trains.
const TRAIN_SHARE: f64 = 0.04;
/// A frame should be lost altogether no more often than this …
const ALL_LOST: f64 = 0.01;
/// … in no more datagrams.
const MOST_FOR_LOSS: u8 = 12;
/// From this share of losses on.
const LOSSY: f64 = 0.02;

/// A datagram that a report says has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its frame.
    pub frame: u32,
    /// Its place in the frame.
    pub index: u8,
    /// When, on the receiver's clock, µs, wrapping.
    pub at: u32,
}

/// Bytes on the path, by when they left and when that was heard of.
#[derive(Debug, Clone, Copy)]
struct Delivery {
    sent: Duration,
    heard: Duration,
    bytes: f64,
}

/// Follows what the path carries; see the module.
#[derive(Debug)]
pub struct Bandwidth {
    ledger: Ledger,
    clock: ReceiverClock,
    trains: Trains,
    delay: Delay,
    jitter: Jitter,
    losses: Losses,
    ceiling: Ceiling,
    rival: Rival,
    outage: Outage,
    /// Bytes per second.
    estimate: f64,
    /// What it was before an outage, until it is that again.
    before_outage: f64,
    /// Whether the path was ever seen to be the limit.
    limited: bool,
    /// Of the newest arrival.
    queue: Duration,
    last: Option<Passage>,
    /// What arrived of late, by when it left and when that was heard of.
    delivered: VecDeque<Delivery>,
    /// Bytes that may go into trains.
    credit: f64,
    /// The estimate never falls below.
    least: f64,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            clock: ReceiverClock::default(),
            trains: Trains::default(),
            delay: Delay::default(),
            jitter: Jitter::default(),
            losses: Losses::default(),
            ceiling: Ceiling::default(),
            rival: Rival::default(),
            outage: Outage::default(),
            estimate: START.bits_per_second() as f64 / 8.0,
            before_outage: 0.0,
            limited: false,
            queue: Duration::ZERO,
            last: None,
            delivered: VecDeque::new(),
            credit: 0.0,
            least: BOUNDS[0],
        }
    }
}

impl Bandwidth {
    /// One that never takes the path to carry less than `least`.
    pub fn with_least(least: Option<Bitrate>) -> Self {
        let least = least.map_or(0.0, |least| least.bits_per_second() as f64 / 8.0);
        let bandwidth = Self::default();
        Self {
            least: least.clamp(BOUNDS[0], BOUNDS[1]),
            estimate: bandwidth.estimate.max(least),
            ..bandwidth
        }
    }

    /// A datagram leaves.
    pub fn sent(&mut self, datagram: Datagram) {
        self.ledger.sent(datagram);
        self.outage.sent(datagram.at);
    }

    /// A report came that tells of these arrivals, in their order; it may tell of them again. What left
    /// before `passed` is not on its way any more. Says whether that ends an outage.
    pub fn heard(
        &mut self,
        now: Duration,
        arrivals: impl Iterator<Item = Arrival>,
        passed: Duration,
    ) -> bool {
        let (back, awaited) = (self.outage.heard(now), self.ledger.awaited());
        if back {
            self.before_outage = self.estimate.max(self.before_outage);
            self.estimate = (self.estimate * AFTER_OUTAGE).max(self.least);
            self.queue = Duration::ZERO;
            self.trains.clear();
            self.ceiling.clear(now);
            self.last = None;
        }
        let (mut news, mut fresh) = (false, false);
        for arrival in arrivals {
            let at = self.clock.extend(arrival.at);
            let heard = self.ledger.heard(arrival.frame, arrival.index);
            if let Some(heard) = heard.filter(|heard| !heard.overtaken) {
                news = true;
                fresh |= self.arrived(now, &heard, at);
            }
            self.decide(now);
        }
        self.ledger.passed(passed);
        self.decide(now);
        self.outage
            .told(awaited.is_none() || awaited != self.ledger.awaited());
        if news {
            if let Some(last) = self.last {
                self.jitter.heard(now.saturating_sub(last.sent));
            }
            self.update(fresh);
            self.estimate = self.estimate.min(self.ceiling.most()).max(self.least);
            self.look_for_rival(now);
        }
        back
    }

    fn decide(&mut self, now: Duration) {
        while let Some((datagram, arrived)) = self.ledger.decided() {
            self.losses.note(arrived, self.queue);
            let burst = self.losses.burst();
            self.ceiling
                .note(now, &datagram, arrived, self.queue, burst);
        }
        self.losses.limit(self.ceiling.own());
    }

    /// A datagram arrived in order; says whether the trains tell more then.
    fn arrived(&mut self, now: Duration, heard: &Heard, at: Duration) -> bool {
        let Datagram {
            frame,
            bytes,
            at: sent,
            ..
        } = heard.datagram;
        let own = f64::from(bytes);
        let one_way = micros(at).saturating_sub(micros(sent));
        self.delay.note(now, one_way, now.saturating_sub(sent));
        let raw = self.delay.queue(one_way, self.window());
        // On a slow path a datagram's own time is no queue.
        let service = Duration::from_secs_f64(own / self.estimate);
        self.queue = raw.saturating_sub(service);
        self.jitter.passed(frame, self.queue);
        let bytes = own + f64::from(heard.missing) * self.losses.random();
        self.deliver(Delivery {
            sent,
            heard: now,
            bytes,
        });
        let last = self.last.replace(Passage { sent, arrived: at });
        // Beside a rival the time between frames is spent on his datagrams.
        let busy = last.filter(|last| {
            let gap = at.saturating_sub(last.arrived);
            let stands = self.jitter.queue() > BUSY_QUEUE + self.jitter.one_way();
            stands && gap < OUTAGE_GAP && gap < raw && !self.rival.is_here()
        });
        let passage = Passage { sent, arrived: at };
        let busy = busy.map(|last| last.arrived);
        self.trains.note(frame, bytes, passage, busy)
    }

    /// Neither what left long before the newest counts nor what was heard of long before: reports that
    /// were held back do not make a rate that was never sent.
    fn deliver(&mut self, newest: Delivery) {
        self.delivered.push_back(newest);
        while let Some(oldest) = self.delivered.front()
            && (newest.heard > oldest.heard + DELIVERY || newest.sent > oldest.sent + DELIVERY)
        {
            self.delivered.pop_front();
        }
    }

    fn update(&mut self, fresh: bool) {
        let delivered: f64 = self.delivered.iter().map(|it| it.bytes).sum();
        let delivered = delivered / DELIVERY.as_secs_f64();
        let most = (delivered * ABOVE_DELIVERED + TRY).max(self.estimate);
        let step = self.estimate * STEP;
        match self.trains.verdict().filter(|_| fresh) {
            Some(Verdict::Carries(rate)) => {
                self.limited = true;
                // Trains of a few bytes may say anything.
                let tried = delivered * ABOVE_TRIED + TRY;
                let known = tried.max(self.estimate).max(self.before_outage);
                let rate = rate
                    .max(self.arrives_calmly(delivered))
                    .min(known)
                    .min(step);
                let weight = if rate > self.estimate { UP } else { DOWN };
                self.estimate += weight * (rate - self.estimate);
            }
            Some(Verdict::AtLeast(rate)) => {
                let weight = if self.limited { UP } else { 1.0 };
                let rate = rate.min(most).min(step);
                self.estimate += weight * (rate - self.estimate).max(0.0);
            }
            None if self.queue < NO_QUEUE => {
                self.estimate = (self.estimate * CREEP).min(most);
            }
            None => {}
        }
        self.estimate = self.estimate.clamp(self.least, BOUNDS[1]);
        if self.estimate >= self.before_outage {
            self.before_outage = 0.0;
        }
    }

    /// What the path carries at least where its delays change by chance, which spreads trains as well:
    /// what arrived without a queue. Nothing where there is one or delays are steady.
    fn arrives_calmly(&self, delivered: f64) -> f64 {
        let by_chance = self.jitter.one_way();
        match !by_chance.is_zero() && self.jitter.queue() < CALM + by_chance {
            true => delivered * OF_DELIVERED,
            false => 0.0,
        }
    }

    fn look_for_rival(&mut self, now: Duration) {
        if self.rival.note(now, self.delay.standing()) == Seen::Longer {
            self.delay.forget_before(RIVAL_WINDOW);
        }
    }

    fn window(&self) -> Duration {
        match self.rival.is_here() {
            true => RIVAL_WINDOW,
            false => delay::WINDOW,
        }
    }

    /// For how long nothing has come back at `now`, if that is an outage; to be asked before every
    /// frame.
    pub fn silence(&mut self, now: Duration) -> Duration {
        self.outage.look(now, self.awaited())
    }

    fn awaited(&self) -> Option<Awaited> {
        // That of late is long where nothing came through for a while.
        let known = self.delay.round_trip(delay::MEMORY);
        let round_trip = known.unwrap_or(FIRST_ROUND_TRIP);
        let sent = self.ledger.awaited()?;
        Some(Awaited { sent, round_trip })
    }

    /// Whether something small is to be sent at `now`, for an answer.
    pub fn beat(&mut self, now: Duration) -> bool {
        self.outage.beat(now, self.awaited())
    }

    /// When [`beat`](Self::beat) is to be asked.
    pub fn wake(&self) -> Option<Duration> {
        self.outage.wake(self.awaited())
    }

    /// What the path carries.
    pub fn estimate(&self) -> Bitrate {
        bitrate(self.estimate)
    }

    /// What is to be sent so that the queue stays short.
    pub fn rate(&self) -> Bitrate {
        let [mut from, to] = DRAIN;
        let slope = (to - from).as_secs_f64();
        if self.rival.is_here() {
            from = RIVAL_TARGET;
        }
        from += self.jitter.one_way();
        let over = self.queue.saturating_sub(from).as_secs_f64() / slope;
        bitrate(self.estimate * (1.0 - over.min(1.0) * (1.0 - DRAINED)))
    }

    /// Bytes on the path that may be added so that no more is under way than the path holds, the
    /// queue that is held, and what it carries in `interval`, but one small frame at least; less than
    /// none where there is more.
    pub fn room(&self, interval: Duration) -> i64 {
        let target = match self.rival.is_here() {
            true => RIVAL_TARGET,
            false => TARGET,
        };
        let time = self.round_trip() + self.jitter.round_trip() + target + interval;
        let holds = self.rate().bits_per_second() as f64 / 8.0 * time.as_secs_f64();
        (holds as i64).max(LEAST_FRAME as i64) - self.ledger.in_flight() as i64
    }

    /// How fast datagrams leave.
    pub fn pace(&self) -> Bitrate {
        bitrate(self.estimate * self.ceiling.pace().unwrap_or(PACING))
    }

    /// The least round trip of late.
    pub fn round_trip(&self) -> Duration {
        let known = self.delay.round_trip(self.window());
        known.unwrap_or(FIRST_ROUND_TRIP)
    }

    /// Time that the newest arrival spent in the queue.
    pub fn queue(&self) -> Duration {
        self.queue
    }

    /// Losses of late.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Whether somebody else fills the queue.
    pub fn has_rival(&self) -> bool {
        self.rival.is_here()
    }

    /// In how many datagrams a frame of `bytes` on the path is to leave at least, though fewer would
    /// hold it: against losses of the path's own, or now and then as a train, paid for from a small share of
    /// the rate.
    pub fn datagrams(&mut self, bytes: usize, anyway: u8) -> u8 {
        let hold = u8::try_from(bytes / TRAIN_BYTES).unwrap_or(u8::MAX).max(1);
        let mut count = anyway;
        if self.losses.share() > LOSSY {
            count = count.max(self.losses.datagrams(ALL_LOST, MOST_FOR_LOSS));
        }
        let headers = f64::from(TRAIN) * PATH_OVERHEAD as f64;
        self.credit = (self.credit + TRAIN_SHARE * bytes as f64).min(headers);
        let more = f64::from(TRAIN.saturating_sub(count)) * PATH_OVERHEAD as f64;
        if count < TRAIN && self.credit >= more && hold >= TRAIN {
            self.credit -= more;
            count = TRAIN;
        }
        count.min(hold)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Of bytes per second.
fn bitrate(rate: f64) -> Bitrate {
    Bitrate::from_bits_per_second((rate * 8.0) as u64)
}

#[cfg(test)]
mod tests;
