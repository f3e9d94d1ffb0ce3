//! Round trips and losses, as QUIC sees them (RFC 9002).

use std::{collections::BTreeMap, time::Duration};

use super::ranges::Ranges;
use crate::cubic::Cubic;

/// A packet so many below one that was acknowledged is lost.
const REORDERED: u64 = 3;
/// How long the other end may hold back an acknowledgement.
pub(super) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
/// Timers are no finer than this.
const GRANULARITY: Duration = Duration::from_millis(1);

/// What was sent and not acknowledged.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Duration,
    bytes: u32,
}

/// The sending state of a connection.
#[derive(Debug)]
pub(super) struct Recovery {
    /// None: nothing limits what is in flight.
    window: Option<Cubic>,
    in_flight: BTreeMap<u64, Sent>,
    bytes: u64,
    largest_acked: Option<u64>,
    latest: Duration,
    smoothed: Option<Duration>,
    variation: Duration,
    shortest: Duration,
    last_sent: Duration,
    probes: u32,
    /// Packets that may be sent whatever is in flight.
    pub(super) credit: u32,
}

impl Recovery {
    pub(super) fn new(window: Option<Cubic>, initial_round_trip: Duration) -> Self {
        Self {
            window,
            in_flight: BTreeMap::new(),
            bytes: 0,
            largest_acked: None,
            latest: initial_round_trip,
            smoothed: None,
            variation: initial_round_trip / 2,
            shortest: initial_round_trip,
            last_sent: Duration::ZERO,
            probes: 0,
            credit: 0,
        }
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.smoothed.unwrap_or(self.latest)
    }

    pub(super) fn shortest(&self) -> Duration {
        self.shortest
    }

    pub(super) fn window(&self) -> Option<u64> {
        self.window.as_ref().map(Cubic::window)
    }

    /// Whether the window has room.
    pub(super) fn has_room(&self) -> bool {
        self.credit > 0 || self.window().is_none_or(|window| self.bytes < window)
    }

    pub(super) fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// A packet left that wants an acknowledgement.
    pub(super) fn sent(&mut self, now: Duration, number: u64, bytes: u32) {
        self.credit = self.credit.saturating_sub(1);
        self.bytes += u64::from(bytes);
        self.last_sent = now;
        self.in_flight.insert(number, Sent { at: now, bytes });
    }

    /// An acknowledgement came, at a time when the window did or did not hold anything back.
    pub(super) fn acked(
        &mut self,
        now: Duration,
        (ranges, delay): &(Ranges, Duration),
        app_limited: bool,
    ) {
        let Some(largest) = ranges.largest() else {
            return;
        };
        if let Some(sent) = self.in_flight.get(&largest)
            && self.largest_acked.is_none_or(|before| before < largest)
        {
            self.measured(now.saturating_sub(sent.at), *delay);
        }
        self.largest_acked = self.largest_acked.max(Some(largest));
        let round_trip = self.round_trip();
        for range in ranges.iter() {
            let numbers: Vec<u64> = self.in_flight.range(range.clone()).map(|(n, _)| *n).collect();
            for number in numbers {
                let Some(sent) = self.in_flight.remove(&number) else {
                    continue;
                };
                self.bytes -= u64::from(sent.bytes);
                self.probes = 0;
                if let Some(window) = &mut self.window {
                    let bytes = u64::from(sent.bytes);
                    window.on_ack(now, sent.at, bytes, app_limited, round_trip);
                }
            }
        }
        self.detect(now);
    }

    fn measured(&mut self, latest: Duration, delay: Duration) {
        self.latest = latest;
        match self.smoothed {
            None => {
                self.shortest = latest;
                self.smoothed = Some(latest);
                self.variation = latest / 2;
            }
            Some(smoothed) => {
                self.shortest = self.shortest.min(latest);
                let without = latest.saturating_sub(delay.min(MAX_ACK_DELAY));
                let adjusted = if without >= self.shortest { without } else { latest };
                self.variation = (3 * self.variation + smoothed.abs_diff(adjusted)) / 4;
                self.smoothed = Some((7 * smoothed + adjusted) / 8);
            }
        }
    }

    /// Takes for lost what was overtaken by three packets or an eighth of a round trip.
    fn detect(&mut self, now: Duration) {
        let Some(largest) = self.largest_acked else {
            return;
        };
        let patience = self.patience();
        let overtaken = self.in_flight.range(..largest);
        let lost: Vec<u64> = overtaken
            .filter(|(number, sent)| {
                *number + REORDERED <= largest || sent.at + patience <= now
            })
            .map(|(number, _)| *number)
            .collect();
        let mut span: Option<(Duration, Duration)> = None;
        for number in lost {
            if let Some(sent) = self.in_flight.remove(&number) {
                self.bytes -= u64::from(sent.bytes);
                span = Some(span.map_or((sent.at, sent.at), |(first, _)| (first, sent.at)));
            }
        }
        let persistent = 3 * self.probe_timeout();
        if let (Some((first, last)), Some(window)) = (span, &mut self.window) {
            window.on_loss(now, last);
            if self.smoothed.is_some() && last - first > persistent {
                window.on_persistent_congestion();
            }
        }
    }

    fn patience(&self) -> Duration {
        (self.latest.max(self.round_trip()) * 9 / 8).max(GRANULARITY)
    }

    fn probe_timeout(&self) -> Duration {
        self.round_trip() + (4 * self.variation).max(GRANULARITY) + MAX_ACK_DELAY
    }

    /// When [`Self::timeout`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        let overtaken = self
            .largest_acked
            .and_then(|largest| self.in_flight.range(..largest).next());
        let lost = overtaken.map(|(_, sent)| sent.at + self.patience());
        let probe = (!self.in_flight.is_empty())
            .then(|| self.last_sent + self.probe_timeout() * 2u32.pow(self.probes.min(10)));
        lost.into_iter().chain(probe).min()
    }

    /// Its time has come: whether a packet must be sent to find out what became of the others.
    pub(super) fn timeout(&mut self, now: Duration) -> bool {
        if self.wake().is_none_or(|at| at > now) {
            return false;
        }
        let before = self.in_flight.len();
        self.detect(now);
        if self.in_flight.len() != before || self.in_flight.is_empty() {
            return false;
        }
        if self.last_sent + self.probe_timeout() * 2u32.pow(self.probes.min(10)) > now {
            return false;
        }
        self.probes += 1;
        self.credit = 2;
        true
    }
}
