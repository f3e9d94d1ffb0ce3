//! The times in which a flow's source is at work.

use crate::record::{FrameRow, RunRecord};

/// A source that gives nothing for longer is at rest, microseconds; two frames at low frame rates.
const REST: u64 = 500_000;

/// An uninterrupted stretch of one flow's captured frames. While a source rests, nothing can be
/// displayed, and nobody is to blame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span<'a> {
    /// Capture of the first frame, microseconds.
    pub start: u64,
    /// A frame's interval after the capture of the last one, or the run's end before that.
    pub end: u64,
    /// The frames, ascending; at least one.
    pub frames: &'a [FrameRow],
}

impl<'a> Span<'a> {
    /// The spans of all flows, flow after flow. `frames` ascend by flow and number.
    pub fn all(run: &RunRecord, frames: &'a [FrameRow]) -> Vec<Self> {
        let interval = (1e6 / run.fps) as u64;
        let rest = REST.max(2 * interval);
        let together = |a: &FrameRow, b: &FrameRow| {
            a.flow == b.flow && b.captured_us.saturating_sub(a.captured_us) <= rest
        };
        let span = |frames: &'a [FrameRow]| {
            let (first, last) = (frames.first()?, frames.last()?);
            Some(Self {
                start: first.captured_us,
                end: (last.captured_us + interval).min(run.duration_us),
                frames,
            })
        };
        frames.chunk_by(together).filter_map(span).collect()
    }

    /// Its length, microseconds.
    pub fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The flow.
    pub fn flow(&self) -> u32 {
        self.frames[0].flow
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn rests_and_flows_part_spans_but_not_lost_frames() {
        let (run, _) = example::run(10);
        let mut frames = example::frames(0, 0..250);
        frames.drain(100..150);
        frames.drain(20..25);
        frames.extend(example::frames(1, 50..60));
        let spans = Span::all(&run.record, &frames);
        let times: Vec<_> = spans.iter().map(|s| (s.flow(), s.start, s.end)).collect();
        let expected = [
            (0, 0, 4_000_000),
            (0, 6_000_000, 10_000_000),
            (1, 2_000_000, 2_400_000),
        ];
        assert_eq!(times, expected);
        assert_eq!(spans[0].frames.len(), 95);
        assert_eq!(spans[2].length(), 400_000);
        assert!(Span::all(&run.record, &[]).is_empty());
    }
}
