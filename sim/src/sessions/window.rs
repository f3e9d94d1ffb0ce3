//! The sender's congestion window: CUBIC until there is an estimate, then what follows from that.

use std::time::Duration;

use raq_shared::{quic::window::safety_window, units::Bitrate};

use crate::cubic::Cubic;

/// As [`raq_shared::quic::window`] has it.
#[derive(Debug)]
pub(super) struct Window {
    cubic: Cubic,
    estimate: Option<Bitrate>,
    mtu: u16,
}

impl Window {
    /// Without an estimate, for packets of up to `mtu` bytes.
    pub(super) fn new(cubic: Cubic, mtu: u16) -> Self {
        Self {
            cubic,
            estimate: None,
            mtu,
        }
    }

    /// The estimate after a report.
    pub(super) fn estimated(&mut self, estimate: Bitrate) {
        self.estimate = Some(estimate);
    }

    /// See [`Cubic::on_ack`].
    pub(super) fn on_ack(
        &mut self,
        now: Duration,
        sent: Duration,
        bytes: u64,
        idle: bool,
        round_trip: Duration,
    ) {
        self.cubic.on_ack(now, sent, bytes, idle, round_trip);
    }

    /// A packet sent at `sent` was found lost; whether so many were that the path must be learnt anew.
    pub(super) fn on_loss(&mut self, now: Duration, sent: Duration, persistent: bool) {
        self.cubic.on_loss(now, sent);
        if persistent {
            self.cubic.on_persistent_congestion();
            self.estimate = self.estimate.map(|_| Bitrate::ZERO);
        }
    }

    /// Bytes that may be in flight where the shortest round trip took `shortest`.
    pub(super) fn bytes(&self, shortest: Duration) -> u64 {
        match self.estimate {
            Some(estimate) => safety_window(estimate, shortest, self.mtu),
            None => self.cubic.window(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_takes_over_and_only_persistent_losses_close_it() {
        let (now, shortest) = (Duration::from_secs(1), Duration::from_millis(40));
        let mut window = Window::new(Cubic::new(12_000, 1200), 1200);
        assert_eq!(window.bytes(shortest), 12_000);
        window.on_loss(now, now, false);
        assert_eq!(window.bytes(shortest), 8400);
        window.estimated(Bitrate::from_kilobits_per_second(1000));
        window.on_loss(now, now, false);
        assert_eq!(window.bytes(shortest), 35_000);
        window.on_loss(now, now, true);
        assert_eq!(window.bytes(shortest), 16 * 1200);
        window.estimated(Bitrate::from_kilobits_per_second(2000));
        assert_eq!(window.bytes(shortest), 70_000);
    }
}
