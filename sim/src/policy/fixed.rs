//! The same rate whatever happens.

use std::time::Duration;

use raq_shared::units::Bitrate;

use super::{FeedbackTiming, Policy, Transport};

/// How often policies hear of arrivals that they make nothing of.
pub(super) const UNHEEDED: FeedbackTiming = FeedbackTiming::Every(Duration::from_millis(50));

/// Sends every frame at one rate.
#[derive(Debug)]
pub struct Fixed(Bitrate);

impl Fixed {
    /// At `rate`, headers included.
    pub fn new(rate: Bitrate) -> Self {
        Self(rate)
    }
}

impl Policy for Fixed {
    fn feedback_timing(&self) -> FeedbackTiming {
        UNHEEDED
    }

    fn permit(&mut self, _: Duration, _: &Transport) -> Option<Bitrate> {
        Some(self.0)
    }

    fn estimate(&self) -> Bitrate {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{super::closed_loop::Loop, *};

    #[test]
    fn it_sends_its_rate_through_an_outage() {
        let phases = vec![(0, 2000), (5, 0), (10, 2000)];
        let mut fixed = Fixed::new(Bitrate::from_kilobits_per_second(800));
        let outcome = Loop::new(&phases).run(&mut fixed, 20);
        assert_eq!(outcome.skipped, 0);
        let headers = 0.01 * 800.0;
        for from in [0, 12] {
            let left = outcome.kilobits_per_second(from, from + 5);
            assert!((left - 800.0).abs() < headers, "{left} from {from} s");
        }
        assert_eq!(outcome.kilobits_per_second(6, 10), 0.0);
    }
}
