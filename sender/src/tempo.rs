//! How much work the choice may do on this machine.

use std::time::Duration;

use crate::choice::Speed;

/// Ever less work.
const STEPS: [Speed; 3] = [Speed::Medium, Speed::Brisk, Speed::Fast];
/// With a mean above this part of a frame's time the next step is taken …
const BUSY: f32 = 0.85;
/// … and below this one the last is taken back: a step is worth a fifth to a quarter of the work.
const IDLE: f32 = 0.6;
/// Frames that are older than so many intervals have waited for others.
const OLD: u32 = 3;
/// How fast the mean follows.
const PACE: f32 = 0.125;
/// Frames after which a step shows in the mean.
const SETTLED: u32 = 16;
/// Frames that are waited before a step is taken back, and at most where that was too early.
const PATIENCE: u32 = 64;
const LONG_PATIENCE: u32 = 2048;

/// Follows how long frames take, so that on a slow machine the picture becomes a little coarser before the
/// frame rate falls: it falls only where the least work is too much.
#[derive(Debug, Clone)]
pub(crate) struct Tempo {
    interval: Duration,
    step: usize,
    /// Time per frame, in parts of the interval.
    mean: f32,
    /// Frames since the last step.
    settled: u32,
    patience: u32,
    /// Whether the last step was one back.
    relaxed: bool,
}

impl Tempo {
    /// For frames that come so far apart.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            step: 0,
            mean: 0.0,
            settled: 0,
            patience: PATIENCE,
            relaxed: false,
        }
    }

    /// What the next frame is chosen with.
    pub(crate) fn speed(&self) -> Speed {
        STEPS[self.step]
    }

    /// A frame took so long, and was so old when its choice began.
    pub(crate) fn took(&mut self, time: Duration, age: Duration) {
        // One that waited for a machine that stood still says nothing of the next.
        let mut part = time.div_duration_f32(self.interval).min(2.0);
        if age > OLD * self.interval {
            // Frames queue up before this one: there is no time to spare, whatever it took.
            part = part.max(1.0);
        }
        self.mean += PACE * (part - self.mean);
        self.settled = self.settled.saturating_add(1);
        if self.mean > BUSY && self.settled >= SETTLED && self.step + 1 < STEPS.len() {
            // Too early: it is tried again after a longer time.
            let early = self.relaxed && self.settled < self.patience;
            self.patience = match early {
                true => (2 * self.patience).min(LONG_PATIENCE),
                false => PATIENCE,
            };
            self.go(self.step + 1);
        } else if self.mean < IDLE && self.settled >= self.patience && self.step > 0 {
            self.go(self.step - 1);
        }
    }

    fn go(&mut self, step: usize) {
        self.relaxed = step < self.step;
        self.step = step;
        self.settled = 0;
        tracing::debug!(speed = %self.speed(), "the choice takes {:.0} % of a frame's time", 100.0 * self.mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    /// Frames of a machine on which `medium` takes so many milliseconds: how many were chosen with each speed.
    fn play(tempo: &mut Tempo, medium: f32, frames: u32) -> [u32; 3] {
        let mut counts = [0; 3];
        for _ in 0..frames {
            let part = match tempo.speed() {
                Speed::Fast => 0.68,
                Speed::Brisk => 0.84,
                _ => 1.0,
            };
            counts[tempo.step] += 1;
            tempo.took(Duration::from_secs_f32(medium * part / 1000.0), INTERVAL);
        }
        counts
    }

    #[test]
    fn a_quick_machine_does_all_the_work() {
        let mut tempo = Tempo::new(INTERVAL);
        assert_eq!(play(&mut tempo, 20.0, 500), [500, 0, 0]);
    }

    #[test]
    fn a_slow_machine_does_as_much_as_it_can() {
        let mut tempo = Tempo::new(INTERVAL);
        play(&mut tempo, 31.0, 100);
        assert_eq!(play(&mut tempo, 31.0, 1000), [0, 1000, 0]);
        play(&mut tempo, 45.0, 100);
        assert_eq!(play(&mut tempo, 45.0, 1000), [0, 0, 1000]);
        play(&mut tempo, 15.0, 300);
        assert_eq!(tempo.speed(), Speed::Medium);
    }

    #[test]
    fn one_slow_frame_changes_nothing() {
        let mut tempo = Tempo::new(INTERVAL);
        play(&mut tempo, 20.0, 100);
        tempo.took(Duration::from_secs(3), INTERVAL);
        assert_eq!(play(&mut tempo, 20.0, 100), [100, 0, 0]);
    }

    #[test]
    fn frames_that_queue_up_are_hurried() {
        let mut tempo = Tempo::new(INTERVAL);
        for _ in 0..100 {
            tempo.took(Duration::from_millis(20), 5 * INTERVAL);
        }
        assert_eq!(tempo.speed(), Speed::Fast);
    }

    #[test]
    fn it_does_not_swing() {
        // Brisk leaves time, medium is too much, by more than a step is thought to be worth.
        let mut tempo = Tempo::new(INTERVAL);
        let mut changes = 0;
        let mut before = tempo.speed();
        for _ in 0..9000 {
            let milliseconds = match tempo.speed() {
                Speed::Medium => 32,
                _ => 17,
            };
            tempo.took(Duration::from_millis(milliseconds), INTERVAL);
            changes += u32::from(tempo.speed() != before);
            before = tempo.speed();
        }
        assert!(changes < 20, "{changes} in five minutes");
    }
}
