//! A congestion window that only guards against the worst; the sender's own estimate decides how much
//! is sent.
//!
//! QUIC's usual windows shrink with every loss, though radio links lose packets without being full,
//! and grow only while they are full, which live video seldom fills. This one follows the sender's
//! estimate with room to spare. As long as there is none, as in the handshake and while codebooks
//! are shipped, CUBIC decides.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::Connection;
use quinn::congestion::{Controller, ControllerFactory, CubicConfig};
use quinn_proto::RttEstimator;

use crate::units::Bitrate;

/// How often what the estimate lets be in flight fits into the window.
const ROOM: u32 = 2;
/// What may queue up on the path at the estimate, beside what its shortest round trip holds.
const QUEUE: Duration = Duration::from_millis(100);
/// The window is never smaller than so many packets: what is sent during an outage of half a minute, so
/// that the answer to it comes as soon as the path is back.
const LEAST: u64 = 16;
/// There is no estimate yet.
const UNKNOWN: u64 = u64::MAX;

/// Bytes that may be in flight at this estimate of the path's rate, where the shortest round trip
/// took `shortest` and packets have up to `mtu` bytes: 2 · estimate · (shortest + 100 ms), at least
/// sixteen packets.
pub fn safety_window(estimate: Bitrate, shortest: Duration, mtu: u16) -> u64 {
    let time = ROOM * (shortest + QUEUE);
    let bits = u128::from(estimate.bits_per_second()) * time.as_micros() / 1_000_000;
    let bytes = u64::try_from(bits / 8).unwrap_or(u64::MAX);
    bytes.max(LEAST * u64::from(mtu))
}

/// A connection's estimate, as its [`SafetyWindowConfig`] heeds it.
#[derive(Debug, Clone)]
pub struct SafetyWindow(Arc<AtomicU64>);

impl SafetyWindow {
    /// That of a connection whose settings ask for it.
    pub fn of(connection: &Connection) -> Option<Self> {
        let controller = connection.congestion_state().into_any();
        let guard: Box<Guard> = controller.downcast().ok()?;
        Some(guard.estimate)
    }

    /// A report of the receiver has led to this estimate.
    pub fn set(&self, estimate: Bitrate) {
        let bits = estimate.bits_per_second().min(UNKNOWN - 1);
        self.0.store(bits, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Bitrate> {
        let bits = self.0.load(Ordering::Relaxed);
        (bits != UNKNOWN).then(|| Bitrate::from_bits_per_second(bits))
    }
}

/// Gives each connection such a window.
#[derive(Debug, Clone, Copy, Default)]
pub struct SafetyWindowConfig;

impl ControllerFactory for SafetyWindowConfig {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Guard {
            estimate: SafetyWindow(Arc::new(AtomicU64::new(UNKNOWN))),
            cubic: Arc::new(CubicConfig::default()).build(now, current_mtu),
            shortest: Duration::ZERO,
            mtu: current_mtu,
        })
    }
}

struct Guard {
    estimate: SafetyWindow,
    /// Decides as long as there is no estimate.
    cubic: Box<dyn Controller>,
    /// The shortest round trip.
    shortest: Duration,
    mtu: u16,
}

impl Controller for Guard {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.shortest = rtt.min();
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.cubic
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.cubic
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        if is_persistent_congestion && self.estimate.get().is_some() {
            self.estimate.set(Bitrate::ZERO);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu;
        self.cubic.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        match self.estimate.get() {
            Some(estimate) => safety_window(estimate, self.shortest, self.mtu),
            None => self.cubic.window(),
        }
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            estimate: self.estimate.clone(),
            cubic: self.cubic.clone_box(),
            ..*self
        })
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u16 = 1200;

    fn rate(kilobits: u64) -> Bitrate {
        Bitrate::from_kilobits_per_second(kilobits)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "quinn's times have no other origin"
    )]
    fn guard() -> (Box<dyn Controller>, SafetyWindow, Instant) {
        let now = Instant::now();
        let guard = Arc::new(SafetyWindowConfig).build(now, MTU);
        let other: Box<Guard> = guard.clone_box().into_any().downcast().unwrap();
        (guard, other.estimate, now)
    }

    #[test]
    fn the_window_is_two_times_what_the_estimate_lets_be_in_flight() {
        // 1 Mbit/s for 2 · 140 ms.
        assert_eq!(safety_window(rate(1000), millis(40), MTU), 35_000);
        assert_eq!(safety_window(rate(100), millis(40), MTU), 16 * 1200);
        assert_eq!(safety_window(Bitrate::ZERO, millis(40), 1450), 16 * 1450);
        let all = safety_window(Bitrate::MAX, Duration::from_secs(1_000_000), MTU);
        assert_eq!(all, u64::MAX);
    }

    #[test]
    fn cubic_decides_until_there_is_an_estimate() {
        let (mut guard, estimate, now) = guard();
        let first = guard.window();
        assert_eq!(first, guard.initial_window());
        guard.on_congestion_event(now + millis(10), now, false, 1200);
        assert!(guard.window() < first, "a loss counts");
        estimate.set(rate(1000));
        // Nothing is known of the round trip.
        assert_eq!(guard.window(), 25_000);
    }

    #[test]
    fn losses_count_for_nothing_but_persistent_ones_close_it_until_the_next_report() {
        let (mut guard, estimate, now) = guard();
        estimate.set(rate(1000));
        for loss in 1..100 {
            guard.on_congestion_event(now + millis(loss), now + millis(loss), false, 1200);
        }
        assert_eq!(guard.window(), 25_000);
        guard.on_congestion_event(now + millis(200), now + millis(150), true, 1200);
        assert_eq!(guard.window(), 16 * 1200);
        guard.on_mtu_update(1450);
        assert_eq!(guard.window(), 16 * 1450);
        estimate.set(rate(2000));
        assert_eq!(guard.window(), 50_000);
    }

    #[test]
    fn the_estimate_is_a_connections_own() {
        let (one, estimate, _) = guard();
        let (other, _, _) = guard();
        estimate.set(Bitrate::MAX);
        assert!(one.window() > 1 << 40);
        assert_eq!(other.window(), other.initial_window());
    }
}
