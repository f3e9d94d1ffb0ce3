//! quinn's pacer.

use std::time::Duration;

/// What the bucket holds, as the window's share of this time.
const BURST: Duration = Duration::from_millis(2);
/// And in packets, at least and at most.
const PACKETS: std::ops::RangeInclusive<u64> = 10..=256;
/// How much faster than a window per round trip it fills.
const FASTER: f64 = 1.25;

/// A bucket of bytes that fills as time goes by.
#[derive(Debug)]
pub(super) struct Pacer {
    packet: u64,
    capacity: u64,
    bytes: u64,
    window: u64,
    /// When it was filled.
    at: Duration,
}

impl Pacer {
    /// A full one, for packets of so many bytes.
    pub(super) fn new(packet: u32) -> Self {
        let packet = u64::from(packet);
        let capacity = packet * PACKETS.start();
        Self {
            packet,
            capacity,
            bytes: capacity,
            window: 0,
            at: Duration::ZERO,
        }
    }

    /// When to ask again, if there is not enough for a packet now.
    pub(super) fn wait(
        &mut self,
        now: Duration,
        window: u64,
        round_trip: Duration,
    ) -> Option<Duration> {
        let round_trip = round_trip.max(Duration::from_nanos(1));
        if window != self.window {
            let share = u128::from(window) * BURST.as_nanos() / round_trip.as_nanos();
            let (least, most) = (*PACKETS.start(), *PACKETS.end());
            self.capacity = (share as u64).clamp(least * self.packet, most * self.packet);
            self.bytes = self.bytes.min(self.capacity);
            self.window = window;
        }
        if self.bytes >= self.packet {
            return None;
        }
        let passed = now.saturating_sub(self.at).as_secs_f64() / round_trip.as_secs_f64();
        let more = FASTER * window as f64 * passed;
        self.bytes = self.bytes.saturating_add(more as u64).min(self.capacity);
        self.at = now;
        if self.bytes >= self.packet {
            return None;
        }
        // It waits until the bucket is full.
        let missing = (self.capacity - self.bytes) as f64;
        let takes = round_trip.as_secs_f64() * missing / (FASTER * window.max(1) as f64);
        Some(now + Duration::from_secs_f64(takes))
    }

    /// A packet of so many bytes went.
    pub(super) fn spend(&mut self, bytes: u32) {
        self.bytes = self.bytes.saturating_sub(u64::from(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_packets_go_at_once_and_ten_more_when_there_is_room_for_all() {
        let mut pacer = Pacer::new(1200);
        let round_trip = Duration::from_millis(100);
        let mut sent = Vec::new();
        let mut now = Duration::from_secs(1);
        while sent.len() < 30 {
            match pacer.wait(now, 24_000, round_trip) {
                None => {
                    pacer.spend(1200);
                    sent.push(now.as_millis() - 1000);
                }
                // Timers are no finer.
                Some(at) => now = at + Duration::from_micros(1),
            }
        }
        // 12 kB take 40 ms at 1.25 windows per round trip; the first refill is of the time before.
        assert_eq!(sent[..20], [0; 20]);
        assert_eq!(sent[20..], [40; 10]);
    }
}
