//! Signal delay: how old is what the viewer sees.

use crate::record::{FrameRow, RunRecord};

/// Capture and signal delay of every captured frame in microseconds, as Salsify defines it (Fouladi
/// et al., NSDI 2018, section 5): from the frame's capture until it or a later frame of its flow is
/// displayed, whichever is first. Where that never happens, until the end of the run. `frames`
/// ascend by flow and number; skipped ones count.
pub fn by_frame(run: &RunRecord, frames: &[FrameRow]) -> Vec<(u64, u64)> {
    let mut delays = Vec::with_capacity(frames.len());
    for flow in frames.chunk_by(|a, b| a.flow == b.flow) {
        let mut next: Option<u64> = None;
        for frame in flow.iter().rev() {
            next = match (frame.shown_us, next) {
                (Some(shown), Some(later)) => Some(later.min(shown)),
                (shown, later) => shown.or(later),
            };
            let seen = next.unwrap_or(run.duration_us);
            delays.push((frame.captured_us, seen.saturating_sub(frame.captured_us)));
        }
    }
    delays
}

/// The delays of [`by_frame`], ascending.
pub fn delays(run: &RunRecord, frames: &[FrameRow]) -> Vec<u64> {
    let frames = by_frame(run, frames);
    let mut delays: Vec<_> = frames.into_iter().map(|(_, delay)| delay).collect();
    delays.sort_unstable();
    delays
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_is_not_displayed_takes_the_next_display() {
        let (run, mut policy) = example::run(1);
        let frames = &mut policy.frames;
        frames[3].shown_us = None;
        frames[4].shown_us = None;
        frames[4].skipped = true;
        frames[24].shown_us = None;
        let delays = delays(&run.record, frames);
        assert_eq!(delays.len(), 25);
        // Frame 24 is 40 ms before the end; frames 4 and 3 wait for frame 5 at 230 ms.
        assert_eq!(delays[..22], [30_000; 22]);
        assert_eq!(delays[22..], [40_000, 70_000, 110_000]);
    }

    #[test]
    fn flows_do_not_help_each_other_and_a_later_frame_helps_the_earlier() {
        let (run, _) = example::run(1);
        let mut frames = example::frames(0, 0..1);
        frames[0].shown_us = None;
        frames.extend(example::frames(1, 0..2));
        frames[1].shown_us = Some(200_000);
        assert_eq!(delays(&run.record, &frames), [30_000, 70_000, 1_000_000]);
    }
}
