//! How well a policy knows the link.

use super::{SECOND, Supply, percentile::percentile, share, supply::BIN_US};
use crate::record::{FrameRow, RunRecord};

/// The policy's estimate at each frame against the link. True is the mean capacity in the second
/// around the frame, divided equally among the flows at work; cross traffic takes nothing of it.
/// Above the source's limit both count as the limit, since nothing depends on them there. Frames in
/// seconds without any capacity are left out of the errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimator {
    /// Median of |estimate − true| / true.
    pub error_p50: Option<f64>,
    /// 95th percentile of it.
    pub error_p95: Option<f64>,
    /// Share of the frames, and thereby of time, with an estimate above the truth.
    pub above_share: Option<f64>,
}

impl Estimator {
    /// Of all flows' frames that have an estimate.
    pub fn of(run: &RunRecord, frames: &[FrameRow], supply: &Supply) -> Self {
        let limit = run.max_kbps.unwrap_or(f64::INFINITY);
        let pairs = frames.iter().filter_map(|frame| {
            let bins = supply.around(frame.captured_us);
            let seconds = (bins.len() as u64 * BIN_US) as f64 / SECOND as f64;
            let flows = f64::from(supply.flows(frame.captured_us));
            let truth = supply.capacity(bins) as f64 * 8.0 / 1000.0 / seconds / flows;
            Some((frame.estimate_kbps?.min(limit), truth.min(limit)))
        });
        let pairs: Vec<_> = pairs.filter(|(_, truth)| truth.is_finite()).collect();
        let known = pairs.iter().filter(|(_, truth)| *truth > 0.0);
        let mut errors: Vec<_> = known
            .map(|(guess, truth)| (guess - truth).abs() / truth)
            .collect();
        errors.sort_unstable_by(f64::total_cmp);
        let above = pairs.iter().filter(|(guess, truth)| guess > truth).count();
        Self {
            error_p50: percentile(&errors, 50.0),
            error_p95: percentile(&errors, 95.0),
            above_share: share(above as f64, pairs.len() as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Span, example};
    use super::*;

    #[test]
    fn errors_are_relative_to_the_fair_share() {
        let (mut run, mut policy) = example::run(4);
        for (frame, kbps) in policy
            .frames
            .iter_mut()
            .zip([900.0, 1000.0, 1200.0, 1500.0])
        {
            frame.estimate_kbps = Some(kbps);
        }
        let of = |run: &crate::record::Run, frames: &[FrameRow]| {
            let supply = Supply::new(run, &Span::all(&run.record, frames));
            Estimator::of(&run.record, frames, &supply)
        };
        let alone = of(&run, &policy.frames);
        assert!((alone.error_p50.unwrap() - 0.1).abs() < 1e-9, "{alone:?}");
        assert!((alone.error_p95.unwrap() - 0.5).abs() < 1e-9, "{alone:?}");
        assert_eq!(alone.above_share, Some(0.5));

        run.record.max_kbps = Some(950.0);
        let limited = of(&run, &policy.frames);
        assert_eq!(
            (limited.error_p50, limited.above_share),
            (Some(0.0), Some(0.0))
        );
        run.record.max_kbps = None;

        policy.frames.extend(example::frames(1, 0..100));
        let shared = of(&run, &policy.frames);
        assert!((shared.error_p95.unwrap() - 2.0).abs() < 1e-9, "{shared:?}");
        assert_eq!(shared.above_share, Some(1.0));
    }

    #[test]
    fn a_link_that_is_away_has_no_relative_error() {
        let (mut run, mut policy) = example::run(4);
        run.link.clear();
        policy.frames[0].estimate_kbps = Some(10.0);
        let supply = Supply::new(&run, &Span::all(&run.record, &policy.frames));
        let estimator = Estimator::of(&run.record, &policy.frames, &supply);
        assert_eq!(
            (estimator.error_p50, estimator.above_share),
            (None, Some(1.0))
        );
    }
}
