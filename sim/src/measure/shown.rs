//! What share of the frames was displayed, in time and with what was due.

use super::share;
use crate::record::{FrameRow, RunRecord};

/// Shares of frames and updates. Frames whose deadline lies behind the run's end are left out: of
/// them nothing is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Frames displayed by their playout deadline, of the captured ones.
    pub shown_share: Option<f64>,
    /// Frames displayed with at least one update applied, or with none due, of the sent ones.
    pub rendered_share: Option<f64>,
    /// Updates applied, of those due; none without tiles.
    pub fresh_tile_share: Option<f64>,
    /// Frames that were not sent, of the captured ones.
    pub skipped_share: Option<f64>,
}

impl Shown {
    /// Of all flows' frames.
    pub fn of(run: &RunRecord, frames: &[FrameRow]) -> Self {
        let deadline = |frame: &FrameRow| frame.captured_us + run.playout_us;
        let judged = || frames.iter().filter(|f| deadline(f) <= run.duration_us);
        let count = |test: &dyn Fn(&FrameRow) -> bool| judged().filter(|f| test(f)).count() as f64;
        let captured = count(&|_| true);
        let sent = count(&|f| !f.skipped);
        let in_time = |f: &FrameRow| f.shown_us.is_some_and(|shown| shown <= deadline(f));
        let rendered = |f: &FrameRow| {
            let due = f.updates_due.unwrap_or(0);
            f.shown_us.is_some() && (due == 0 || f.updates_applied.unwrap_or(0) > 0)
        };
        let sum = |updates: fn(&FrameRow) -> Option<u32>| {
            judged().filter_map(updates).map(f64::from).sum::<f64>()
        };
        Self {
            shown_share: share(count(&in_time), captured),
            rendered_share: share(count(&|f| !f.skipped && rendered(f)), sent),
            fresh_tile_share: share(sum(|f| f.updates_applied), sum(|f| f.updates_due)),
            skipped_share: share(captured - sent, captured),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn each_share_has_its_own_whole() {
        let (run, mut policy) = example::run(1);
        // Deadlines of frames 0 to 22 are within the run.
        let frames = &mut policy.frames;
        frames[0].shown_us = Some(100_001);
        frames[1].shown_us = None;
        frames[1].skipped = true;
        for (number, due, applied) in [(2, 10, 10), (3, 10, 1), (4, 10, 0), (5, 0, 0), (24, 9, 0)] {
            frames[number].updates_due = Some(due);
            frames[number].updates_applied = Some(applied);
        }
        let shown = Shown::of(&run.record, frames);
        assert_eq!(shown.shown_share, Some(21.0 / 23.0));
        assert_eq!(shown.rendered_share, Some(21.0 / 22.0));
        assert_eq!(shown.fresh_tile_share, Some(11.0 / 30.0));
        assert_eq!(shown.skipped_share, Some(1.0 / 23.0));
    }

    #[test]
    fn what_does_not_apply_is_none() {
        let (run, policy) = example::run(1);
        let ideal = Shown::of(&run.record, &policy.frames);
        assert_eq!(ideal.rendered_share, Some(1.0));
        assert_eq!(ideal.fresh_tile_share, None);
        assert_eq!(Shown::of(&run.record, &[]).shown_share, None);
    }
}
