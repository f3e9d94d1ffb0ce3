//! The sending end of a TCP flow, as far as a queue notices.

use std::{collections::BTreeMap, time::Duration};

use super::PACKET;
use crate::cubic::Cubic;

/// A packet is lost when one sent so many later is acknowledged (RFC 9002, section 6.1.1).
const REORDERING: u64 = 3;
/// RFC 6928.
const INITIAL_WINDOW: u64 = 10 * PACKET as u64;
/// Round trip before the first is measured, and the least time-out (as Linux has it).
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(333);
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
const MOST_DOUBLINGS: u32 = 6;

/// Sends full packets as CUBIC's window lets it, and again those that are lost. Every packet is
/// acknowledged on its own.
#[derive(Debug)]
pub(super) struct Tcp {
    window: Cubic,
    /// Packets sent and neither acknowledged nor lost: when.
    in_flight: BTreeMap<u64, Duration>,
    /// Number of the next packet.
    next: u64,
    /// Packets still to be sent.
    left: u64,
    /// Smoothed round trip and its variation (RFC 6298).
    round_trip: Option<(Duration, Duration)>,
    /// When something was last sent first or acknowledged, and time-outs since.
    heard: Duration,
    timeouts: u32,
}

impl Tcp {
    pub(super) fn new() -> Self {
        Self {
            window: Cubic::new(INITIAL_WINDOW, PACKET as u16),
            in_flight: BTreeMap::new(),
            next: 0,
            left: 0,
            round_trip: None,
            heard: Duration::ZERO,
            timeouts: 0,
        }
    }

    /// Begins a new connection with so many packets to send.
    pub(super) fn begin(&mut self, now: Duration, packets: u64) {
        // Numbers go on, so that late acknowledgements mean nothing.
        *self = Self {
            next: self.next,
            left: packets,
            heard: now,
            ..Self::new()
        };
    }

    /// Sends no more.
    pub(super) fn end(&mut self) {
        self.left = 0;
        self.in_flight.clear();
    }

    /// Whether everything was sent and acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.in_flight.is_empty()
    }

    /// The number of the next packet, if one may be sent now.
    pub(super) fn send(&mut self, now: Duration) -> Option<u64> {
        let in_flight = self.in_flight.len() as u64 * u64::from(PACKET);
        if self.left == 0 || in_flight + u64::from(PACKET) > self.window.window() {
            return None;
        }
        if self.in_flight.is_empty() {
            self.heard = now;
        }
        let number = self.next;
        self.next += 1;
        self.left -= 1;
        self.in_flight.insert(number, now);
        Some(number)
    }

    /// An acknowledgement came.
    pub(super) fn ack(&mut self, now: Duration, number: u64) {
        let Some(sent) = self.in_flight.remove(&number) else {
            return;
        };
        self.heard = now;
        self.timeouts = 0;
        self.measure(now - sent);
        let bytes = PACKET.into();
        self.window
            .on_ack(now, sent, bytes, self.left == 0, self.smoothed());
        while let Some(entry) = self.in_flight.first_entry()
            && entry.key() + REORDERING <= number
        {
            let sent = entry.remove();
            self.left = self.left.saturating_add(1);
            self.window.on_loss(now, sent);
        }
    }

    /// When everything in flight is taken for lost if nothing is heard.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.in_flight.is_empty() {
            return None;
        }
        let (round_trip, variation) = self
            .round_trip
            .unwrap_or((INITIAL_ROUND_TRIP, INITIAL_ROUND_TRIP / 2));
        let timeout = (round_trip + 4 * variation).max(LEAST_TIMEOUT);
        Some(self.heard + timeout * (1 << self.timeouts.min(MOST_DOUBLINGS)))
    }

    /// The deadline has passed.
    pub(super) fn time_out(&mut self, now: Duration) {
        self.timeouts += 1;
        self.heard = now;
        self.left = self.left.saturating_add(self.in_flight.len() as u64);
        for (_, sent) in std::mem::take(&mut self.in_flight) {
            self.window.on_loss(now, sent);
        }
        self.window.on_persistent_congestion();
    }

    fn measure(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => (
                (smoothed * 7 + sample) / 8,
                (variation * 3 + smoothed.abs_diff(sample)) / 4,
            ),
        });
    }

    fn smoothed(&self) -> Duration {
        self.round_trip
            .map_or(INITIAL_ROUND_TRIP, |measured| measured.0)
    }
}
