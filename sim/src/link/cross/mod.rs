//! Other traffic through the queue of a link.

mod config;
mod source;
mod tcp;

use std::time::Duration;

use fastrand::Rng;

pub use config::{Bulk, Constant, CrossConfig, OnOff, Short};

use super::{calendar::Calendar, packet::Packet};
use source::{Source, Wish};

/// Bytes of a packet.
pub(super) const PACKET: u32 = 1500;

/// What became of the other traffic so far, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CrossCounts {
    /// Offered to the link.
    pub offered: u64,
    /// Arrived at the far end, duplicates not counted.
    pub delivered: u64,
    /// Lost in the queue or behind it, as soon as that is known.
    pub lost: u64,
}

/// A packet of other traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CrossPacket {
    source: usize,
    number: u64,
}

impl CrossPacket {
    /// As others see it: from which flow it is.
    pub(super) fn packet(self) -> Packet<usize> {
        Packet {
            bytes: PACKET,
            delay: None,
            payload: self.source,
        }
    }
}

/// All other traffic of a link. Times are nanoseconds.
#[derive(Debug)]
pub(super) struct Cross {
    sources: Vec<Source>,
    /// What happens to which source.
    events: Calendar<(usize, Event)>,
    wishes: Vec<Wish>,
    counts: CrossCounts,
    /// Bytes of each source that have arrived.
    delivered: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Begin,
    Arrived(u64),
    Acknowledged(u64),
    TimedOut,
}

impl Cross {
    /// What `configs` ask for, through a link with this delay.
    pub(super) fn new(configs: &[CrossConfig], delay: Duration, seed: u64) -> Self {
        let mut chance = Rng::with_seed(seed);
        let flows = configs.iter();
        let mut cross = Self {
            sources: flows
                .flat_map(|config| Source::all(config, delay, &mut chance))
                .collect(),
            events: Calendar::new(),
            wishes: Vec::new(),
            counts: CrossCounts::default(),
            delivered: Vec::new(),
        };
        cross.delivered.resize(cross.sources.len(), 0);
        for source in 0..cross.sources.len() {
            let at = cross.sources[source].first();
            cross.events.enter(at, (source, Event::Begin));
        }
        cross
    }

    /// When something happens next.
    pub(super) fn wake(&self) -> Option<u64> {
        self.events.next()
    }

    /// Lets the next thing happen that is due by `now`; what is to be offered to the link then
    /// goes into `packets`.
    pub(super) fn step(&mut self, now: u64, packets: &mut Vec<CrossPacket>) {
        let Some((now, (index, event))) = self.events.take(now) else {
            return;
        };
        let source = &mut self.sources[index];
        let mut wishes = std::mem::take(&mut self.wishes);
        match event {
            Event::Begin => source.begin(now, &mut wishes),
            Event::Arrived(number) => {
                self.counts.delivered += u64::from(PACKET);
                self.delivered[index] += u64::from(PACKET);
                if source.hears() {
                    let back = now.saturating_add(source.back);
                    self.events
                        .enter(back, (index, Event::Acknowledged(number)));
                }
            }
            Event::Acknowledged(number) => source.ack(now, number, &mut wishes),
            Event::TimedOut => source.time_out(now, &mut wishes),
        }
        for wish in wishes.drain(..) {
            match wish {
                Wish::Send(number) => {
                    self.counts.offered += u64::from(PACKET);
                    packets.push(CrossPacket {
                        source: index,
                        number,
                    });
                }
                Wish::Begin(at) => self.events.enter(at, (index, Event::Begin)),
                Wish::TimeOut(at) => self.events.enter(at, (index, Event::TimedOut)),
            }
        }
        self.wishes = wishes;
    }

    /// A packet will arrive at this time.
    pub(super) fn deliver(&mut self, packet: CrossPacket, at: u64) {
        self.events
            .enter(at, (packet.source, Event::Arrived(packet.number)));
    }

    /// A packet is lost.
    pub(super) fn lose(&mut self) {
        self.counts.lost += u64::from(PACKET);
    }

    pub(super) fn counts(&self) -> CrossCounts {
        self.counts
    }

    pub(super) fn delivered(&self) -> &[u64] {
        &self.delivered
    }
}

#[cfg(test)]
mod tests;
