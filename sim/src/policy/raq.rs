//! What the product does.

use std::time::Duration;

use raq_send::estimate::{Estimator, Window};
use raq_shared::units::Bitrate;

use super::{FeedbackTiming, Policy, Setup, Transport, fixed::UNHEEDED};

/// raq's own estimate, from QUIC's congestion control.
#[derive(Debug)]
pub struct Raq {
    setup: Setup,
    estimator: Estimator,
    estimate: Bitrate,
}

impl Raq {
    /// As raq-send starts.
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            estimator: Estimator::default(),
            estimate: Bitrate::ZERO,
        }
    }
}

impl Policy for Raq {
    fn feedback_timing(&self) -> FeedbackTiming {
        UNHEEDED
    }

    fn permit(&mut self, now: Duration, transport: &Transport) -> Option<Bitrate> {
        let window = Window {
            bytes: transport.window,
            round_trip: transport.round_trip,
            shortest: transport.shortest,
        };
        self.estimate = self.estimator.update(now, window);
        Some(self.setup.capped(self.estimate))
    }

    fn leaves_shares(&self) -> bool {
        true
    }

    fn estimate(&self) -> Bitrate {
        self.estimate
    }
}

#[cfg(test)]
mod tests {
    use super::{super::closed_loop::setup, *};

    #[test]
    fn it_follows_the_window_up_to_what_the_media_can_use() {
        let mut raq = Raq::new(&setup(&vec![(0, 1000)]));
        let mut permit = |seconds, window| {
            let round_trip = Duration::from_millis(50);
            let transport = Transport {
                window,
                round_trip,
                shortest: round_trip,
                queued: 0,
            };
            let rate = raq
                .permit(Duration::from_secs(seconds), &transport)
                .unwrap();
            (
                rate.kilobits_per_second(),
                raq.estimate().kilobits_per_second(),
            )
        };
        assert_eq!(permit(0, 12_000), (2400.0, 2400.0));
        assert_eq!(permit(1, 6000), (1200.0, 1200.0));
        assert_eq!(permit(10, 60_000), (6000.0, 12_000.0));
    }
}
