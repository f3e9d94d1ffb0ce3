//! When the frames of a file or test pattern are due.

use std::time::Duration;

use raq_shared::video::FrameRate;

/// A machine that keeps up may be so late now and then: nothing is left out for it.
pub const TOLERANCE: Duration = Duration::from_millis(500);
/// One that stays late for so long, by more than two frames, does not keep up either: what it is late it
/// would be late for good.
const LINGER: Duration = Duration::from_secs(1);
/// One that was later is hurried for so long after the last frame that was left out: beyond the
/// tolerance a queue would only add its delay to every frame.
const HURRY: Duration = Duration::from_secs(10);

/// The times of frames 0, 1, 2 … at a constant rate.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    rate: FrameRate,
    /// When frame 0 was or would have been due.
    start: Duration,
    /// Until when only the newest frame counts.
    hurried: Duration,
    /// Since when every frame was more than two intervals late.
    late: Option<Duration>,
}

impl Schedule {
    /// Frame 0 is due at `start`.
    pub fn new(rate: FrameRate, start: Duration) -> Self {
        Self {
            rate,
            start,
            hurried: Duration::ZERO,
            late: None,
        }
    }

    /// When frame `number` is due.
    pub fn due(&self, number: u32) -> Duration {
        self.start + self.rate.time_of(number.into())
    }

    /// Whether frame `number` is too late at `now` to be worth sending: by the tolerance, or by a
    /// frame's interval where the machine cannot keep up.
    pub fn is_late(&self, number: u32, now: Duration) -> bool {
        let lingers = self.late.is_some_and(|since| now > since + LINGER);
        let most = match lingers || self.is_hurried(now) {
            true => self.rate.time_of(1),
            false => TOLERANCE,
        };
        now > self.due(number) + most
    }

    /// Whether the machine does not keep up, so that only the newest frame counts.
    pub fn is_hurried(&self, now: Duration) -> bool {
        now < self.hurried
    }

    /// Notes that a frame was left out at `now`; whether that is new.
    pub fn left_out(&mut self, now: Duration) -> bool {
        let is_new = !self.is_hurried(now);
        self.hurried = now + HURRY;
        is_new
    }

    /// Notes that reading or skipping frame `number` took from `began` to `ended`. What the source
    /// itself is late (a pipe whose writer is slow), the schedule waits for: the time after the
    /// frame was due and this program wanted it. What this program is late, it does not wait for.
    pub fn read(&mut self, number: u32, began: Duration, ended: Duration) {
        self.late = match began > self.due(number) + self.rate.time_of(2) {
            true => self.late.or(Some(began)),
            false => None,
        };
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

    /// What a machine does that takes `cost` for every frame: the delays of the frames that it sends.
    fn played(schedule: &mut Schedule, now: &mut Duration, cost: Duration) -> Vec<Duration> {
        let mut delays = Vec::new();
        for number in 0..200 {
            *now = (*now).max(schedule.due(number));
            if schedule.is_late(number, *now) {
                schedule.left_out(*now);
                continue;
            }
            *now += cost;
            delays.push(*now - schedule.due(number));
        }
        delays
    }

    #[test]
    fn a_machine_that_cannot_keep_up_leaves_frames_out_and_is_not_late() {
        let (mut schedule, mut now) = (schedule(), at(1000));
        // Every frame takes 150 ms instead of the 100 there are.
        let delays = played(&mut schedule, &mut now, at(150));
        assert!((130..=145).contains(&delays.len()), "{}", delays.len());
        let slow = delays.iter().rposition(|&delay| delay > TOLERANCE);
        let (first, rest) = delays.split_at(slow.unwrap() + 1);
        assert!(first.len() < 13, "it is noticed late: {first:?}");
        assert!(rest.iter().all(|&delay| delay <= at(250)), "{rest:?}");
    }

    #[test]
    fn a_machine_that_is_late_now_and_then_leaves_nothing_out() {
        let (mut schedule, mut now) = (schedule(), at(1400));
        assert_eq!(played(&mut schedule, &mut now, at(20)).len(), 200);
        // Once it did not keep up; after that it does.
        assert!(schedule.left_out(now) && !schedule.left_out(now));
        let still = now + HURRY - at(1);
        assert!(schedule.is_hurried(still) && !schedule.is_hurried(still + at(1)));
    }

    #[test]
    fn what_a_machine_is_late_does_not_stay() {
        // Once it was 450 ms late, and since then it takes exactly the time there is.
        let (mut schedule, mut now) = (schedule(), at(1450));
        let mut delays = Vec::new();
        for number in 0..100 {
            now = now.max(schedule.due(number));
            let began = now;
            if schedule.is_late(number, now) {
                schedule.left_out(now);
            } else {
                now += at(100);
                delays.push(now - schedule.due(number));
            }
            schedule.read(number, began, began);
        }
        assert!(delays.len() >= 94, "{}", delays.len());
        assert!(
            delays[14..].iter().all(|&delay| delay <= at(200)),
            "{delays:?}"
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
            schedule.left_out(now);
            schedule.read(number, now, now + at(120));
            now += at(120);
            number += 1;
            skipped += 1;
            assert!(skipped < 1000, "it catches up");
        }
    }
}
