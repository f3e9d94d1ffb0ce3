//! Scripts of steps: what a path does, and what the estimator must say of it, and when.

mod ceilings;
mod clocks;
mod lossy;
mod outages;
mod rates;
mod rivals;
mod sources;

use std::time::Duration;

use raq_shared::units::Bitrate;

use super::Bandwidth;
use super::estimator::Estimator;
use crate::stand::{Fate, Link, Run, Sample, Stand, Step, check, ms};

/// Whether the estimate is within this share of a rate in kbit/s.
fn within(share: f64, rate: f64) -> impl Fn(&Sample) -> bool {
    move |sample| (sample.estimate / rate - 1.0).abs() <= share
}

/// Whether fewer ms wait before the link.
fn queue_below(millis: u64) -> impl Fn(&Sample) -> bool {
    move |sample| sample.queue < ms(millis)
}

/// What came through between two times in s, in kbit/s.
fn kilobits(run: &Run, from: f64, to: f64, of: fn(&Sample) -> u64) -> f64 {
    let at = |time: f64| {
        let time = Duration::from_secs_f64(time);
        let sample = run.samples.iter().find(|sample| sample.now >= time);
        of(sample.unwrap_or(&run.samples[run.samples.len() - 1]))
    };
    (at(to) - at(from)) as f64 / 125.0 / (to - from)
}

impl Estimator {
    /// Things that are remembered of the path.
    pub(crate) fn remembered(&self) -> usize {
        match self {
            Self::Burst(it) => it.remembered(),
            Self::Gcc(_) => 0,
        }
    }
}

impl Bandwidth {
    fn remembered(&self) -> usize {
        self.ledger.len() + self.delay.len() + self.delivered.len()
    }
}
