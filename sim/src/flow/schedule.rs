//! When a flow captures frames.

use std::time::Duration;

use raq_shared::video::FrameRate;

use crate::scenario::FlowConfig;

/// Frames of a flow: numbered by their time from its start, so that a pause leaves numbers out.
#[derive(Debug)]
pub struct Schedule {
    rate: FrameRate,
    flow: FlowConfig,
    first: Duration,
    end: Duration,
    next: u64,
}

impl Schedule {
    /// Of a flow whose scenario ends at `end`; its first frame comes `phase` after its start.
    pub fn new(rate: FrameRate, flow: &FlowConfig, phase: Duration, end: Duration) -> Self {
        let stop = flow.stop.map_or(end, |stop| stop.0.min(end));
        let mut schedule = Self {
            rate,
            flow: flow.clone(),
            first: flow.start.0 + phase,
            end: stop,
            next: 0,
        };
        schedule.pass_pauses();
        schedule
    }

    /// Number and time of the next frame.
    pub fn next(&self) -> Option<(u32, Duration)> {
        let at = self.first + self.rate.time_of(self.next);
        (at < self.end).then_some((self.next as u32, at))
    }

    /// Takes the next frame.
    pub fn advance(&mut self) {
        self.next += 1;
        self.pass_pauses();
    }

    fn pass_pauses(&mut self) {
        while let Some((_, at)) = self.next()
            && self.flow.paused(at)
        {
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Pause, Time};

    #[test]
    fn frames_come_at_their_rate_but_in_pauses() {
        let seconds = |s: f64| Time(Duration::from_secs_f64(s));
        let flow = FlowConfig {
            start: seconds(1.0),
            stop: Some(seconds(4.0)),
            pause: vec![Pause {
                at: seconds(2.0),
                length: seconds(1.0),
            }],
            ..FlowConfig::default()
        };
        let rate = FrameRate::new(10, 1).unwrap();
        let phase = Duration::from_millis(7);
        let mut schedule = Schedule::new(rate, &flow, phase, Duration::from_secs(9));
        let mut frames = Vec::new();
        while let Some((number, at)) = schedule.next() {
            assert_eq!(at, Duration::from_millis(1007 + 100 * u64::from(number)));
            frames.push(number);
            schedule.advance();
        }
        assert!(frames.into_iter().eq((0..10).chain(20..30)));
    }
}
