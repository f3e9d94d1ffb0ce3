//! What the product does.

use std::time::Duration;

use raq_send::bandwidth::EstimatorName;
use raq_shared::units::Bitrate;

use super::{FeedbackTiming, Policy, Transport};

/// raq's own session decides: it has an estimator, this one, shares and a pacer of its own.
#[derive(Debug)]
pub struct Raq(pub EstimatorName);

impl Policy for Raq {
    fn feedback_timing(&self) -> FeedbackTiming {
        FeedbackTiming::Never
    }

    fn permit(&mut self, _: Duration, _: &Transport) -> Option<Bitrate> {
        None
    }

    fn estimator(&self) -> Option<EstimatorName> {
        Some(self.0)
    }

    fn estimate(&self) -> Bitrate {
        Bitrate::ZERO
    }
}
