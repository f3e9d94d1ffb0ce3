//! What the records say about a policy, each figure defined once.
//!
//! Every figure is of one policy's run and of all its flows together, unless it says otherwise. A
//! figure that does not apply is none. Own traffic is everything but cross traffic.

pub mod estimator;
pub mod fairness;
pub mod gaps;
pub mod losses;
pub mod percentile;
pub mod quality;
pub mod queue;
pub mod ramp_up;
pub mod shown;
pub mod signal;
pub mod span;
pub mod supply;
pub mod traffic;

#[cfg(test)]
pub(crate) mod example;

pub use self::{
    estimator::Estimator, gaps::Gaps, losses::Losses, quality::Quality, shown::Shown, span::Span,
    supply::Supply, traffic::Traffic,
};

/// Microseconds in a second.
pub const SECOND: u64 = 1_000_000;

/// `part` of `whole`; none of nothing.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// The rate of so many bytes in so many microseconds, kbit/s; none in no time.
fn kbps(bytes: u64, us: u64) -> Option<f64> {
    share(8000.0 * bytes as f64, us as f64)
}
