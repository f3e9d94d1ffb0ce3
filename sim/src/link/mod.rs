//! A model of one direction of a network path: a policer, a queue in front of a link whose capacity changes,
//! and behind it delay, jitter, loss, duplication and reordering.
//!
//! It has no clock: whoever uses it says what time it is, in time since the start, and gets the
//! same outcomes for the same calls and seed. Simulations in virtual time, the real endpoints on a
//! paused clock and the relay in real time all use this one.

mod air;
mod calendar;
mod capacity;
mod codel;
mod config;
pub mod cross;
pub mod generate;
mod opportunities;
mod outages;
mod packet;
mod policer;
mod quantity;
mod queue;
mod rates;
mod reorder;
pub mod trace;

use std::time::Duration;

pub use capacity::Capacity;
pub use config::{Discipline, LinkConfig, LinkError, Outage, Step};
pub use cross::{CrossConfig, CrossCounts};
pub use packet::{Cause, Outcome, Packet};
pub use policer::PolicerConfig;
pub use quantity::{QueueSize, Rate, Size, Time};
pub use trace::Trace;

use air::Air;
use calendar::Calendar;
use capacity::{Used, nanos};
use codel::CoDel;
use cross::{Cross, CrossPacket};
use policer::Policer;
use queue::{Queue, Waiting};
use reorder::{Landing, Reorder};

/// One direction of a link.
///
/// Offer packets and poll outcomes with times that never go back.
pub struct Link<T> {
    capacity: Capacity,
    used: Used,
    policer: Option<Policer>,
    queue: Queue<Load<T>>,
    codel: Option<CoDel>,
    /// When the next packet is taken out of the queue, where that is not decided yet.
    next: Option<u64>,
    air: Air,
    reorder: Reorder<Sent<T>>,
    cross: Cross,
    /// Other traffic to be offered now; empty between calls.
    crossing: Vec<CrossPacket>,
    delay: u64,
    now: u64,
    /// Outcomes that are known already, and those of other traffic if someone wants them.
    due: Calendar<Outcome<T>>,
    due_cross: Option<Calendar<Outcome<usize>>>,
}

/// What the queue holds.
#[derive(Clone)]
enum Load<T> {
    Own(Packet<T>),
    Cross(CrossPacket),
}

/// A packet that has left the queue.
struct Sent<T> {
    load: Load<T>,
    offered: u64,
    /// The second of two copies.
    again: bool,
}

impl<T: Clone> Link<T> {
    /// The link that `config` describes, empty; `capacity` is what [`LinkConfig::capacity`] made
    /// of it. `seed` says what chance does.
    pub fn new(config: &LinkConfig, capacity: Capacity, seed: u64) -> Self {
        let mut seeds = fastrand::Rng::with_seed(seed);
        Self {
            capacity,
            used: Used::default(),
            policer: config.policer.map(Policer::new),
            queue: Queue::new(config.queue),
            codel: (config.discipline == Discipline::CoDel).then(CoDel::default),
            next: None,
            air: Air::new(config, seeds.u64(..)),
            reorder: Reorder::new(config.reorder, seeds.u64(..)),
            cross: Cross::new(&config.cross, config.delay.0, seeds.u64(..)),
            crossing: Vec::new(),
            delay: nanos(config.delay.0),
            now: 0,
            due: Calendar::new(),
            due_cross: None,
        }
    }

    /// Gives the link a packet. A time before an earlier call's is taken as that call's.
    pub fn offer(&mut self, now: Duration, packet: Packet<T>) {
        self.advance(nanos(now));
        let bytes = packet.bytes;
        self.enqueue(bytes, Load::Own(packet));
    }

    /// When [`Self::poll`] may next have something, if nothing more is offered.
    pub fn wake(&self) -> Option<Duration> {
        let held = self.reorder.wake();
        // What holds a packet back is undone by the next one, of whomever.
        let cross = held.and_then(|_| self.cross.wake());
        let first = [self.due.next(), self.next, held, cross];
        first.into_iter().flatten().min().map(Duration::from_nanos)
    }

    /// The next outcome that is due by `now`, in order of time. Call it until it gives none.
    pub fn poll(&mut self, now: Duration) -> Option<Outcome<T>> {
        self.advance(nanos(now));
        self.due.take(self.now).map(|(_, outcome)| outcome)
    }

    /// Keeps the outcomes of the other traffic from now on, for [`Self::poll_cross`].
    pub fn watch_cross(&mut self) {
        self.due_cross.get_or_insert_with(Calendar::new);
    }

    /// The next outcome of the other traffic that is due by `now`; what it carries is the number
    /// of its flow, see [`Self::cross_delivered`]. None unless [`Self::watch_cross`] was called.
    pub fn poll_cross(&mut self, now: Duration) -> Option<Outcome<usize>> {
        self.advance(nanos(now));
        let (_, outcome) = self.due_cross.as_mut()?.take(self.now)?;
        Some(outcome)
    }

    /// Bytes that wait or are being sent, as of the latest call's time.
    pub fn queued_bytes(&self) -> u64 {
        self.queue.bytes()
    }

    /// The other traffic so far, as of the latest call's time.
    pub fn cross(&self) -> CrossCounts {
        self.cross.counts()
    }

    /// Bytes that arrived of each flow of the other traffic, in the order of the configuration;
    /// short flows one by one.
    pub fn cross_delivered(&self) -> &[u64] {
        self.cross.delivered()
    }

    fn advance(&mut self, now: u64) {
        let now = self.now.max(now);
        // Each in its turn: what leaves the queue can bring other traffic to send more.
        let first = |link: &Self| {
            let events = [link.cross.wake(), link.next, link.reorder.deadline()];
            events.into_iter().flatten().min()
        };
        while let Some(at) = first(self).filter(|&at| at <= now) {
            self.go_on(at);
            let mut crossing = std::mem::take(&mut self.crossing);
            self.cross.step(at, &mut crossing);
            for packet in crossing.drain(..) {
                self.enqueue(cross::PACKET, Load::Cross(packet));
            }
            self.crossing = crossing;
        }
        self.go_on(now);
    }

    /// To a time up to which nothing comes.
    fn go_on(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.serve();
        if let Some(landing) = self.reorder.overdue(self.now) {
            self.deliver(landing);
        }
        self.queue.let_leave(self.now);
    }

    fn enqueue(&mut self, bytes: u32, load: Load<T>) {
        let offered = self.now;
        let policer = self.policer.as_mut();
        let passes = policer.is_none_or(|policer| policer.lets_pass(offered, bytes));
        if passes && self.queue.fits(offered, bytes, &self.capacity) {
            self.queue.push(Waiting {
                offered,
                bytes,
                load,
            });
            self.serve();
        } else {
            let cause = match passes && self.capacity.outage_at(offered) {
                true => Cause::Outage,
                false => Cause::Queue,
            };
            self.lose(load, offered, offered, cause);
        }
    }

    /// Takes packets out of the queue: under CoDel those whose turn has come; otherwise all, since
    /// it is known already when they will have left.
    fn serve(&mut self) {
        self.next = None;
        while let Some(front) = self.queue.front() {
            let offered = front.offered;
            let start = match self.codel {
                Some(_) => self.capacity.start(&self.used, offered),
                None => offered,
            };
            if start > self.now {
                self.next = Some(start);
                break;
            }
            let Some(Waiting { bytes, load, .. }) = self.queue.pop() else {
                break;
            };
            if let Some(codel) = &mut self.codel
                && codel.drops(start, start - offered, self.queue.bytes_waiting())
            {
                self.lose(load, offered, start, Cause::Queue);
                continue;
            }
            let left = self.capacity.send(&mut self.used, offered, bytes);
            self.queue.keep_until(left, bytes);
            self.fly(load, offered, left);
        }
    }

    /// Behind the queue.
    fn fly(&mut self, load: Load<T>, offered: u64, left: u64) {
        let own = match &load {
            Load::Own(packet) => packet.delay,
            Load::Cross(_) => None,
        };
        let delay = own.map_or(self.delay, nanos);
        let copies = self.air.pass(left, delay);
        if copies == [None, None] {
            self.lose(load, offered, left, Cause::Random);
            return;
        }
        for (copy, arrived) in copies.into_iter().flatten().enumerate() {
            let sent = Sent {
                load: load.clone(),
                offered,
                again: copy > 0,
            };
            let landing = Landing {
                left,
                arrived,
                load: sent,
            };
            for landing in self.reorder.pass(landing).into_iter().flatten() {
                self.deliver(landing);
            }
        }
    }

    fn deliver(&mut self, landing: Landing<Sent<T>>) {
        let Landing {
            left,
            arrived,
            load: sent,
        } = landing;
        match sent.load {
            Load::Own(packet) => {
                let outcome = delivered(packet, sent.offered, left, arrived);
                self.due.enter(arrived, outcome);
            }
            Load::Cross(packet) => {
                if !sent.again {
                    self.cross.deliver(packet, arrived);
                }
                if let Some(due) = &mut self.due_cross {
                    due.enter(
                        arrived,
                        delivered(packet.packet(), sent.offered, left, arrived),
                    );
                }
            }
        }
    }

    fn lose(&mut self, load: Load<T>, offered: u64, at: u64, cause: Cause) {
        match load {
            Load::Own(packet) => self.due.enter(at, lost(packet, offered, at, cause)),
            Load::Cross(packet) => {
                self.cross.lose();
                if let Some(due) = &mut self.due_cross {
                    due.enter(at, lost(packet.packet(), offered, at, cause));
                }
            }
        }
    }
}

fn delivered<P>(packet: Packet<P>, offered: u64, left: u64, arrived: u64) -> Outcome<P> {
    Outcome::Delivered {
        packet,
        offered: Duration::from_nanos(offered),
        left: Duration::from_nanos(left),
        arrived: Duration::from_nanos(arrived),
    }
}

fn lost<P>(packet: Packet<P>, offered: u64, at: u64, cause: Cause) -> Outcome<P> {
    Outcome::Lost {
        packet,
        offered: Duration::from_nanos(offered),
        at: Duration::from_nanos(at),
        cause,
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
