//! One flow of other traffic.

use std::time::Duration;

use fastrand::Rng;

use super::{
    PACKET,
    config::{Constant, CrossConfig, OnOff, Short},
    tcp::Tcp,
};
use crate::link::{
    capacity::nanos,
    quantity::{Rate, Time},
};

/// Sends packets when it is told that the time has come. Times are nanoseconds.
#[derive(Debug)]
pub(super) struct Source {
    kind: Kind,
    start: u64,
    stop: u64,
    /// What an acknowledgement takes on its way back.
    pub(super) back: u64,
    chance: Rng,
}

#[derive(Debug)]
enum Kind {
    Paced(Paced),
    Transfers(Transfers),
}

/// Packets at the same distance.
#[derive(Debug)]
struct Paced {
    gap: u64,
    /// When the present span ends.
    until: u64,
    /// Mean length of spans and pauses; none where one span is all.
    means: Option<(Duration, Duration)>,
    next: u64,
}

/// What TCP carries.
#[derive(Debug)]
struct Transfers {
    tcp: Tcp,
    /// Mean size in bytes, and mean pause; none where one transfer has no end.
    means: Option<(u64, Duration)>,
    /// Whether a call of [`Source::time_out`] is to come.
    timer: bool,
}

/// What a source wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To send the packet of this number.
    Send(u64),
    /// To be begun again at this time.
    Begin(u64),
    /// To be told of the time-out at this time.
    TimeOut(u64),
}

impl Source {
    /// The flows that `config` asks for; acknowledgements take `delay` unless it says otherwise.
    pub(super) fn all(config: &CrossConfig, delay: Duration, chance: &mut Rng) -> Vec<Self> {
        let paced = |rate: Rate, means: Option<(Duration, Duration)>| {
            Kind::Paced(Paced {
                gap: (u64::from(PACKET) * 8_000_000_000).div_ceil(rate.0.bits_per_second().max(1)),
                until: if means.is_some() { 0 } else { u64::MAX },
                means,
                next: 0,
            })
        };
        let transfers = |means| {
            Kind::Transfers(Transfers {
                tcp: Tcp::new(),
                means,
                timer: false,
            })
        };
        let one = |kind, back: Option<Time>, seed| Self {
            kind,
            start: nanos(config.start().0),
            stop: config.stop().map_or(u64::MAX, |stop| nanos(stop.0)),
            back: nanos(back.map_or(delay, |back| back.0)),
            chance: Rng::with_seed(seed),
        };
        match config {
            CrossConfig::Constant(Constant { rate, .. }) => {
                vec![one(paced(*rate, None), None, chance.u64(..))]
            }
            CrossConfig::OnOff(OnOff { rate, on, off, .. }) => {
                let kind = paced(*rate, Some((on.0, off.0)));
                vec![one(kind, None, chance.u64(..))]
            }
            CrossConfig::Bulk(bulk) => vec![one(transfers(None), bulk.back, chance.u64(..))],
            CrossConfig::Short(Short {
                flows,
                size,
                pause,
                back,
                ..
            }) => {
                let kind = || transfers(Some((size.0, pause.0)));
                (0..*flows)
                    .map(|_| one(kind(), *back, chance.u64(..)))
                    .collect()
            }
        }
    }

    /// When it begins.
    pub(super) fn first(&mut self) -> u64 {
        let pause = match &self.kind {
            Kind::Transfers(Transfers {
                means: Some((_, pause)),
                ..
            }) => exponential(&mut self.chance, pause.as_nanos() as f64),
            _ => 0,
        };
        self.start.saturating_add(pause)
    }

    /// The time for which it asked has come.
    pub(super) fn begin(&mut self, now: u64, wishes: &mut Vec<Wish>) {
        if now >= self.stop {
            return;
        }
        match &mut self.kind {
            Kind::Paced(paced) => {
                if let Some((on, off)) = paced.means
                    && now >= paced.until
                {
                    // A span begins; its pause is reckoned when it ends.
                    let pause = match paced.until {
                        0 => 0,
                        _ => exponential(&mut self.chance, off.as_nanos() as f64),
                    };
                    let begins = now.saturating_add(pause);
                    let length = exponential(&mut self.chance, on.as_nanos() as f64);
                    paced.until = begins.saturating_add(length.max(1));
                    if pause > 0 {
                        wishes.push(Wish::Begin(begins));
                        return;
                    }
                }
                wishes.push(Wish::Send(paced.next));
                paced.next += 1;
                wishes.push(Wish::Begin(now.saturating_add(paced.gap).min(paced.until)));
            }
            Kind::Transfers(transfers) => {
                let packets = match transfers.means {
                    None => u64::MAX,
                    Some((size, _)) => {
                        let bytes = exponential(&mut self.chance, size as f64);
                        bytes.div_ceil(PACKET.into()).max(1)
                    }
                };
                transfers.tcp.begin(Duration::from_nanos(now), packets);
                transfers.send(now, wishes);
            }
        }
    }

    /// A packet was acknowledged.
    pub(super) fn ack(&mut self, now: u64, number: u64, wishes: &mut Vec<Wish>) {
        let Kind::Transfers(transfers) = &mut self.kind else {
            return;
        };
        if now >= self.stop {
            transfers.tcp.end();
            return;
        }
        let was_done = transfers.tcp.is_done();
        transfers.tcp.ack(Duration::from_nanos(now), number);
        transfers.send(now, wishes);
        if let Some((_, pause)) = transfers.means
            && transfers.tcp.is_done()
            && !was_done
        {
            let pause = exponential(&mut self.chance, pause.as_nanos() as f64);
            wishes.push(Wish::Begin(now.saturating_add(pause)));
        }
    }

    /// The time-out for which it asked has come.
    pub(super) fn time_out(&mut self, now: u64, wishes: &mut Vec<Wish>) {
        let Kind::Transfers(transfers) = &mut self.kind else {
            return;
        };
        transfers.timer = false;
        if now >= self.stop {
            transfers.tcp.end();
            return;
        }
        // What was heard in the meantime has moved the deadline.
        if transfers
            .tcp
            .deadline()
            .is_some_and(|deadline| nanos(deadline) <= now)
        {
            transfers.tcp.time_out(Duration::from_nanos(now));
        }
        transfers.send(now, wishes);
    }

    /// Whether acknowledgements mean something to it.
    pub(super) fn hears(&self) -> bool {
        matches!(self.kind, Kind::Transfers(_))
    }
}

impl Transfers {
    fn send(&mut self, now: u64, wishes: &mut Vec<Wish>) {
        while let Some(number) = self.tcp.send(Duration::from_nanos(now)) {
            wishes.push(Wish::Send(number));
        }
        if let Some(deadline) = self.tcp.deadline()
            && !self.timer
        {
            self.timer = true;
            wishes.push(Wish::TimeOut(nanos(deadline)));
        }
    }
}

/// A number with this mean, rounded down.
fn exponential(chance: &mut Rng, mean: f64) -> u64 {
    (-(1.0 - chance.f64()).ln() * mean) as u64
}
