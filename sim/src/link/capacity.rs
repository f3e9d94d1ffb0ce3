//! What a link can carry, and when.

use std::{ops::Range, time::Duration};

use raq_shared::units::Bitrate;

use super::{
    opportunities::{OPPORTUNITY, Opportunities},
    outages::Outages,
    rates::Rates,
};

const SECOND: u64 = 1_000_000_000;
/// Bit-nanoseconds per second of a byte: the unit of [`Rates`].
const BYTE: u128 = 8 * SECOND as u128;

/// What one direction of a link can carry over time, without end. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Capacity {
    supply: Supply,
    outages: Outages,
    round: Option<Duration>,
    /// What a policer in front lets through for long.
    policed: Option<Bitrate>,
}

#[derive(Debug, Clone)]
enum Supply {
    Rates(Rates),
    Opportunities(Opportunities),
}

/// How far the capacity of a link is used up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    /// When the last packet was wholly sent, in nanoseconds.
    until: u64,
    /// The opportunity to use next, and the bytes of it that were used.
    opportunity: u64,
    bytes: u32,
}

impl Capacity {
    pub(super) fn rates(rates: Rates, outages: Outages, round: Option<Duration>) -> Self {
        Self {
            supply: Supply::Rates(rates),
            outages,
            round,
            policed: None,
        }
    }

    pub(super) fn opportunities(
        opportunities: Opportunities,
        outages: Outages,
        round: Option<Duration>,
    ) -> Self {
        Self {
            supply: Supply::Opportunities(opportunities),
            outages,
            round,
            policed: None,
        }
    }

    /// Behind a policer that lets so much through for long.
    pub(super) fn policed(mut self, policed: Option<Bitrate>) -> Self {
        self.policed = policed;
        self
    }

    /// The bytes that the link could carry from one moment up to another, packet opportunities of
    /// a trace counted at their moments; no more than a policer's rate.
    pub fn bytes_between(&self, from: Duration, to: Duration) -> u64 {
        let carried = self.bytes_before(nanos(to)) - self.bytes_before(nanos(from).min(nanos(to)));
        let policed = self.policed.map(|rate| {
            let bits = u128::from(rate.bits_per_second()) * to.saturating_sub(from).as_nanos();
            u64::try_from(bits / BYTE).unwrap_or(u64::MAX)
        });
        carried.min(policed.unwrap_or(u64::MAX))
    }

    /// The rate at a moment, 0 during an outage. A trace of packet opportunities has the mean of
    /// the second before, in the first second that second's.
    pub fn rate_at(&self, at: Duration) -> Bitrate {
        let rate = match self.outages.end(nanos(at)) {
            Some(_) => Bitrate::ZERO,
            None => self.rate_without_outages(nanos(at)),
        };
        rate.min(self.policed.unwrap_or(rate))
    }

    /// After what time a trace begins anew; none where there is no trace.
    pub fn round(&self) -> Option<Duration> {
        self.round
    }

    pub(super) fn outage_at(&self, at: u64) -> bool {
        self.outages.end(at).is_some()
    }

    /// The rate at a moment or, where nothing is carried then, the last before it; outages are left
    /// out. 0 where nothing was carried before.
    pub(super) fn last_rate(&self, at: u64) -> Bitrate {
        match &self.supply {
            Supply::Rates(rates) => Bitrate::from_bits_per_second(rates.last_at(at)),
            Supply::Opportunities(all) => {
                // The second that ends with the last opportunity, if that is longer ago.
                let last = all.first_from(at.max(SECOND)).checked_sub(1);
                let quiet = last.map_or(at, |number| all.time(number) + SECOND);
                let end = if at > quiet { quiet - SECOND + 1 } else { at };
                mean_rate(all, end)
            }
        }
    }

    fn rate_without_outages(&self, at: u64) -> Bitrate {
        match &self.supply {
            Supply::Rates(rates) => Bitrate::from_bits_per_second(rates.at(at)),
            Supply::Opportunities(all) => mean_rate(all, at),
        }
    }

    fn bytes_before(&self, at: u64) -> u64 {
        let spans = self.outages.until(at);
        let bytes = match &self.supply {
            Supply::Rates(rates) => {
                let lost = |span: Range<u64>| rates.amount(span.end) - rates.amount(span.start);
                let lost: u128 = spans.map(lost).sum();
                (rates.amount(at) - lost) / BYTE
            }
            Supply::Opportunities(all) => {
                let lost = |span: Range<u64>| all.first_from(span.end) - all.first_from(span.start);
                let lost: u64 = spans.map(lost).sum();
                u128::from(all.first_from(at) - lost) * u128::from(OPPORTUNITY)
            }
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// When a packet that came at `offered` begins to be sent.
    pub(super) fn start(&self, used: &Used, offered: u64) -> u64 {
        match &self.supply {
            Supply::Rates(rates) => self.start_at_rate(rates, offered.max(used.until)),
            Supply::Opportunities(all) => {
                let mut used = *used;
                self.seek(all, &mut used, offered);
                all.time(used.opportunity)
            }
        }
    }

    /// Sends `bytes` of a packet that came at `offered`, after all that came before; gives the
    /// moment at which it is wholly sent.
    pub(super) fn send(&self, used: &mut Used, offered: u64, bytes: u32) -> u64 {
        used.until = match &self.supply {
            Supply::Rates(rates) => {
                let start = self.start_at_rate(rates, offered.max(used.until));
                self.end_at_rate(rates, start, u128::from(bytes) * BYTE)
            }
            Supply::Opportunities(all) => {
                self.seek(all, used, offered);
                let mut missing = bytes;
                while missing > OPPORTUNITY - used.bytes {
                    missing -= OPPORTUNITY - used.bytes;
                    (used.opportunity, used.bytes) = (used.opportunity + 1, 0);
                    self.seek(all, used, offered);
                }
                used.bytes += missing;
                all.time(used.opportunity)
            }
        };
        used.until
    }

    fn start_at_rate(&self, rates: &Rates, from: u64) -> u64 {
        let mut start = from;
        loop {
            if rates.at(start) == 0 {
                start = rates.time_of(rates.amount(start) + 1);
            }
            match self.outages.end(start) {
                Some(end) => start = end,
                None => return start,
            }
        }
    }

    fn end_at_rate(&self, rates: &Rates, start: u64, mut amount: u128) -> u64 {
        let mut start = start;
        for outage in self.outages.from(start) {
            let possible = rates.amount(outage.start) - rates.amount(start);
            if possible >= amount {
                break;
            }
            amount -= possible;
            start = outage.end;
        }
        rates.time_of(rates.amount(start) + amount).max(start)
    }

    /// Goes on to the first opportunity from `offered` on that is neither used up nor in an
    /// outage.
    fn seek(&self, all: &Opportunities, used: &mut Used, offered: u64) {
        if used.bytes == OPPORTUNITY {
            used.skip_to(used.opportunity + 1);
        }
        if all.time(used.opportunity) < offered {
            used.skip_to(all.first_from(offered));
        }
        if let Some(end) = self.outages.end(all.time(used.opportunity)) {
            used.skip_to(all.first_from(end));
        }
    }
}

impl Used {
    fn skip_to(&mut self, opportunity: u64) {
        if opportunity > self.opportunity {
            (self.opportunity, self.bytes) = (opportunity, 0);
        }
    }
}

/// The mean rate of the second before, or of the first.
fn mean_rate(all: &Opportunities, at: u64) -> Bitrate {
    let end = at.max(SECOND);
    let count = all.first_from(end) - all.first_from(end - SECOND);
    Bitrate::from_bits_per_second(count * u64::from(OPPORTUNITY) * 8)
}

/// Whole nanoseconds; more than 584 years are as good as for ever.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
