//! A part of a run, as if it were one.

use std::time::Duration;

use super::{DatagramRow, FrameRow, LinkRow, PolicyRun, Run};

impl Run {
    /// What was captured and offered from `from` on and before `to`, with times since `from`.
    /// Bins of the link belong to the part in which they begin.
    #[must_use]
    pub fn between(&self, from: Duration, to: Duration) -> Self {
        let (from, to) = (from.as_micros() as u64, to.as_micros() as u64);
        let within = |time: u64| (from..to).contains(&time);
        let since = |time: u64| time.saturating_sub(from);
        let mut part = self.clone();
        part.record.duration_us = to.saturating_sub(from).max(1);
        part.link.retain(|row| within(row.t_us));
        for LinkRow { t_us, .. } in &mut part.link {
            *t_us = since(*t_us);
        }
        for PolicyRun {
            frames,
            datagrams,
            pictures,
            ..
        } in &mut part.policies
        {
            frames.retain(|row| within(row.captured_us));
            datagrams.retain(|row| within(row.offered_us));
            pictures.clear();
            for row in frames {
                let FrameRow {
                    captured_us,
                    sent_us,
                    closed_us,
                    shown_us,
                    ..
                } = row;
                *captured_us = since(*captured_us);
                for time in [sent_us, closed_us, shown_us].into_iter().flatten() {
                    *time = since(*time);
                }
            }
            for row in datagrams {
                let DatagramRow {
                    offered_us,
                    left_us,
                    arrived_us,
                    ..
                } = row;
                *offered_us = since(*offered_us);
                for time in [left_us, arrived_us].into_iter().flatten() {
                    *time = since(*time);
                }
            }
        }
        part
    }
}
