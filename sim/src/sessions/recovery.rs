//! Round trips and losses, as quinn sees them (RFC 9002).

use std::{collections::BTreeMap, time::Duration};

use raq_shared::units::Bitrate;

use super::{acks::Ack, window::Window};

/// A packet so many below one that was acknowledged is lost.
const REORDERED: u64 = 3;
/// How long the other end may hold back an acknowledgement: what the program asks for.
pub(super) use raq_shared::quic::MAX_ACK_DELAY;
/// Timers are no finer than this.
pub(super) const GRANULARITY: Duration = Duration::from_millis(1);
/// Packets that are sent when nothing is heard.
const PROBES: u32 = 2;
/// Probe timeouts without an answer that mean persistent congestion.
const PERSISTENT: u32 = 3;
/// The longest time between probes is the shortest times two to this power.
const MOST_BACKOFF: u32 = 16;

/// A packet that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// When.
    pub(super) at: Duration,
    /// Its bytes as far as they count for the window: none of a packet that only acknowledges.
    pub(super) bytes: u32,
    /// The largest packet that it acknowledges.
    pub(super) acks: Option<u64>,
}

impl Sent {
    fn wants_ack(self) -> bool {
        self.bytes > 0
    }
}

/// The sending state of a connection.
#[derive(Debug)]
pub(super) struct Recovery {
    /// None: nothing limits what is in flight.
    window: Option<Window>,
    sent: BTreeMap<u64, Sent>,
    in_flight: u64,
    largest_acked: Option<u64>,
    /// When that was sent.
    largest_sent: Duration,
    latest: Duration,
    smoothed: Duration,
    variation: Duration,
    shortest: Duration,
    /// When a packet that is overtaken already counts as lost.
    loss: Option<Duration>,
    /// When a packet that wants an acknowledgement was sent last.
    last: Duration,
    probes: u32,
    /// Packets that must be sent to find out what became of the others, whatever is in flight.
    pub(super) to_probe: u32,
    /// Whether nothing waited to be sent when last looked.
    pub(super) idle: bool,
}

impl Recovery {
    /// After a handshake in which round trips took `round_trip`.
    pub(super) fn new(window: Option<Window>, round_trip: Duration) -> Self {
        Self {
            window,
            sent: BTreeMap::new(),
            in_flight: 0,
            largest_acked: None,
            largest_sent: Duration::ZERO,
            latest: round_trip,
            smoothed: round_trip,
            variation: round_trip / 4,
            shortest: round_trip,
            loss: None,
            last: Duration::ZERO,
            probes: 0,
            to_probe: 0,
            idle: true,
        }
    }

    /// Smoothed.
    pub(super) fn round_trip(&self) -> Duration {
        self.smoothed
    }

    pub(super) fn shortest(&self) -> Duration {
        self.shortest
    }

    pub(super) fn window(&self) -> Option<u64> {
        let window = self.window.as_ref();
        window.map(|window| window.bytes(self.shortest))
    }

    /// The window heeds this estimate from now on.
    pub(super) fn estimated(&mut self, estimate: Bitrate) {
        if let Some(window) = &mut self.window {
            window.estimated(estimate);
        }
    }

    /// Whether the window has room for so many bytes.
    pub(super) fn has_room(&self, bytes: u32) -> bool {
        let all = self.in_flight + u64::from(bytes);
        self.window().is_none_or(|window| all < window)
    }

    pub(super) fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// A packet left.
    pub(super) fn sent(&mut self, number: u64, sent: Sent) {
        if sent.wants_ack() {
            self.to_probe = self.to_probe.saturating_sub(1);
            self.last = sent.at;
            self.in_flight += u64::from(sent.bytes);
        }
        self.sent.insert(number, sent);
    }

    /// An acknowledgement came; up to which packet the other end has heard acknowledgements.
    pub(super) fn acked(&mut self, now: Duration, ack: &Ack) -> Option<u64> {
        let largest = ack.ranges.largest()?;
        let advances = self.largest_acked.is_none_or(|before| before < largest);
        if advances {
            self.largest_acked = Some(largest);
            if let Some(sent) = self.sent.get(&largest) {
                self.largest_sent = sent.at;
            }
        }
        let ranges = ack.ranges.iter().rev();
        let numbers = ranges.flat_map(|range| self.sent.range(range.clone()).map(|(&n, _)| n));
        let numbers: Vec<u64> = numbers.collect();
        if numbers.is_empty() {
            return None;
        }
        let (mut wanted, mut heard) = (false, None);
        for number in numbers {
            let Some(sent) = self.take(number) else {
                continue;
            };
            heard = heard.max(sent.acks);
            if sent.wants_ack() {
                wanted = true;
                let (idle, round_trip) = (self.idle, self.smoothed);
                if let Some(window) = &mut self.window {
                    window.on_ack(now, sent.at, sent.bytes.into(), idle, round_trip);
                }
            }
        }
        if advances && wanted {
            self.measured(now.saturating_sub(self.largest_sent), ack.delay);
        }
        self.detect(now, true);
        self.probes = 0;
        heard
    }

    fn take(&mut self, number: u64) -> Option<Sent> {
        let sent = self.sent.remove(&number)?;
        self.in_flight -= u64::from(sent.bytes);
        Some(sent)
    }

    fn measured(&mut self, latest: Duration, delay: Duration) {
        self.latest = latest;
        self.shortest = self.shortest.min(latest);
        let delay = delay.min(MAX_ACK_DELAY);
        let adjusted = match self.shortest + delay <= latest {
            true => latest - delay,
            false => latest,
        };
        self.variation = (3 * self.variation + self.smoothed.abs_diff(adjusted)) / 4;
        self.smoothed = (7 * self.smoothed + adjusted) / 8;
    }

    /// Takes for lost what was overtaken by three packets or an eighth of a round trip.
    fn detect(&mut self, now: Duration, by_ack: bool) {
        self.loss = None;
        let Some(largest) = self.largest_acked else {
            return;
        };
        let patience = (self.latest.max(self.smoothed) * 9 / 8).max(GRANULARITY);
        let period = self.probe_timeout() * PERSISTENT;
        let mut lost = Vec::new();
        let mut before = None;
        // A span in which nothing was acknowledged.
        let mut start: Option<Duration> = None;
        let mut persistent = false;
        for (&number, sent) in self.sent.range(..largest) {
            if before != number.checked_sub(1) {
                start = None;
            }
            before = Some(number);
            if number + REORDERED > largest && sent.at + patience > now {
                let at = sent.at + patience;
                self.loss = Some(self.loss.map_or(at, |loss| loss.min(at)));
                start = None;
                continue;
            }
            lost.push(number);
            if sent.wants_ack() && by_ack {
                let start = *start.get_or_insert(sent.at);
                persistent |= sent.at - start > period;
            }
        }
        let mut newest = Duration::ZERO;
        let in_flight = self.in_flight;
        for number in lost {
            newest = self.take(number).map_or(newest, |sent| sent.at);
        }
        if let Some(window) = &mut self.window
            && self.in_flight != in_flight
        {
            window.on_loss(now, newest, persistent);
        }
    }

    fn probe_timeout(&self) -> Duration {
        self.smoothed + (4 * self.variation).max(GRANULARITY) + MAX_ACK_DELAY
    }

    /// When [`Self::timeout`] is due.
    pub(super) fn wake(&self) -> Option<Duration> {
        let probe = || {
            let backoff = 2u32.pow(self.probes.min(MOST_BACKOFF));
            self.last + self.probe_timeout() * backoff
        };
        self.loss.or_else(|| (self.in_flight > 0).then(probe))
    }

    /// Does what is due: looks for lost packets, or asks for probes.
    pub(super) fn timeout(&mut self, now: Duration) {
        if self.wake().is_none_or(|at| at > now) {
            return;
        }
        if self.loss.is_some() {
            self.detect(now, false);
        } else {
            self.probes += 1;
            self.to_probe += PROBES;
        }
    }
}
