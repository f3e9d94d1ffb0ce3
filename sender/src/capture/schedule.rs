//! When the frames of a file or test pattern are due.

use std::time::Duration;

use raq_shared::video::FrameRate;

/// A frame later than this is skipped: beyond it, delay only grows.
pub const TOLERANCE: Duration = Duration::from_millis(500);

/// The times of frames 0, 1, 2 … at a constant rate.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    rate: FrameRate,
    /// When frame 0 was or would have been due.
    start: Duration,
}

impl Schedule {
    /// Frame 0 is due at `start`.
    pub fn new(rate: FrameRate, start: Duration) -> Self {
        Self { rate, start }
    }

    /// When frame `number` is due.
    pub fn due(&self, number: u32) -> Duration {
        self.start + self.rate.time_of(number.into())
    }

    /// Whether frame `number` is too late at `now` to be worth sending. Only that one is
    /// skipped, so that a machine that cannot keep up skips evenly.
    pub fn is_late(&self, number: u32, now: Duration) -> bool {
        now > self.due(number) + TOLERANCE
    }

    /// Notes that reading or skipping frame `number` took from `began` to `ended`. What the source
    /// itself is late (a pipe whose writer is slow), the schedule waits for: the time after the
    /// frame was due and this program wanted it. What this program is late, it does not wait for.
    pub fn read(&mut self, number: u32, began: Duration, ended: Duration) {
        let wanted = self.due(number).max(began);
        let waited = ended.saturating_sub(began);
        // Reading takes some time in any case; a source that waits takes longer than its interval.
        if began <= self.due(number) || waited > self.rate.time_of(1) {
            self.start += ended.saturating_sub(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn schedule() -> Schedule {
        Schedule::new(FrameRate::new(10, 1).unwrap(), at(1000))
    }

    #[test]
    fn frames_are_due_at_the_rate() {
        assert_eq!(schedule().due(0), at(1000));
        assert_eq!(schedule().due(25), at(3500));
    }

    #[test]
    fn a_machine_that_cannot_keep_up_skips_evenly() {
        let schedule = schedule();
        // Every frame sent takes 150 ms instead of the 100 there are.
        let mut now = at(1000);
        let mut sent = Vec::new();
        for number in 0..100 {
            now = now.max(schedule.due(number));
            if !schedule.is_late(number, now) {
                now += at(150);
                sent.push(number);
            }
            assert!(
                now < schedule.due(number) + TOLERANCE + at(200),
                "delay is bounded"
            );
        }
        assert!((66..=74).contains(&sent.len()), "{}", sent.len());
        assert!(
            sent[..10].iter().copied().eq(0..10),
            "none skipped at first"
        );
        assert!(
            sent.windows(2).all(|pair| pair[1] - pair[0] <= 2),
            "{sent:?}"
        );
    }

    #[test]
    fn a_slow_source_moves_the_schedule() {
        let mut schedule = schedule();
        schedule.read(1, at(1050), at(1700));
        assert_eq!(schedule.due(2), at(1800));
        // Reading that began late or ended early moves nothing.
        schedule.read(2, at(1900), at(1950));
        schedule.read(3, at(1800), at(1850));
        assert_eq!(schedule.due(3), at(1900));
    }

    #[test]
    fn a_source_that_stalls_while_frames_are_late_is_waited_for() {
        let mut schedule = schedule();
        // Nothing comes before the first frame, which this program wanted a little after its time.
        schedule.read(0, at(1001), at(4000));
        assert!(!schedule.is_late(1, at(4001)));
        // Frames that are skipped at the pace of their writer are the writer's delay, too.
        let mut now = at(9000);
        let mut skipped = 0;
        let mut number = 1;
        while schedule.is_late(number, now) {
            schedule.read(number, now, now + at(120));
            now += at(120);
            number += 1;
            skipped += 1;
            assert!(skipped < 1000, "it catches up");
        }
    }
}
