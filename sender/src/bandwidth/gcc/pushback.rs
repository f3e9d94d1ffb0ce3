//! Fewer and smaller frames while too much is in flight.

use std::{collections::VecDeque, time::Duration};

use raq_shared::units::Bitrate;

/// What may be in flight beyond a round trip (`QueueSize:350`).
const QUEUE: Duration = Duration::from_millis(350);
/// Feedback that the round trip is the least of.
const ROUND_TRIPS: usize = 32;
/// Least bytes in flight.
const LEAST_WINDOW: f64 = 3000.0;
/// Below this share nothing is done.
const LEAST_REDUCTION: f64 = 0.01;

/// libwebrtc's `CongestionWindowPushbackController` as it is set by default
/// (`QueueSize:350,MinBitrate:30000,DropFrame:true`), with what its `VideoStreamEncoder` makes of
/// it. The crate has the first half too, but sets the bytes in flight to the window every 25 ms.
#[derive(Debug)]
pub(super) struct Pushback {
    round_trips: VecDeque<Duration>,
    /// Bytes.
    window: Option<f64>,
    /// Share of the target that remains.
    share: f64,
    frames: u64,
}

impl Default for Pushback {
    fn default() -> Self {
        Self {
            round_trips: VecDeque::new(),
            window: None,
            share: 1.0,
            frames: 0,
        }
    }
}

impl Pushback {
    /// The longest round trip that a feedback tells of.
    pub(super) fn round_trip(&mut self, time: Duration, target: Bitrate) {
        self.round_trips.push_back(time);
        if self.round_trips.len() > ROUND_TRIPS {
            self.round_trips.pop_front();
        }
        self.resize(target);
    }

    /// Follows the target.
    pub(super) fn resize(&mut self, target: Bitrate) {
        if let Some(&least) = self.round_trips.iter().min() {
            let bytes = target.bits_per_second() as f64 / 8.0 * (least + QUEUE).as_secs_f64();
            let window = self.window.map_or(bytes, |last| f64::midpoint(last, bytes));
            self.window = Some(window.max(LEAST_WINDOW));
        }
    }

    /// To be told with every datagram sent, every feedback and every 25 ms.
    pub(super) fn in_flight(&mut self, bytes: u64) {
        let Some(window) = self.window else {
            return;
        };
        let full = bytes as f64 / window;
        self.share = if full > 1.5 {
            self.share * 0.9
        } else if full > 1.0 {
            self.share * 0.95
        } else if full < 0.1 {
            1.0
        } else {
            (self.share * 1.05).min(1.0)
        };
    }

    /// What the next frame is coded at, `None` to drop it; never less than `least`. At most every
    /// second frame is dropped.
    pub(super) fn frame(&mut self, target: Bitrate, least: Bitrate) -> Option<Bitrate> {
        let bits = target.bits_per_second();
        let room = bits.saturating_sub(least.bits_per_second());
        let reduction = ((bits as f64 * (1.0 - self.share)) as u64).min(room);
        if 1.0 - self.share <= LEAST_REDUCTION || reduction == 0 {
            return Some(target);
        }
        let interval = (bits / reduction).max(2);
        let number = self.frames;
        self.frames += 1;
        let reduced = Bitrate::from_bits_per_second(bits - bits / interval);
        (!number.is_multiple_of(interval)).then_some(reduced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Bitrate = Bitrate::from_kilobits_per_second(800);
    const LEAST: Bitrate = Bitrate::from_kilobits_per_second(150);

    #[test]
    fn it_halves_frames_while_too_much_is_in_flight_and_stops_after() {
        let mut pushback = Pushback::default();
        pushback.in_flight(1 << 40);
        assert_eq!(pushback.frame(TARGET, LEAST), Some(TARGET), "no window yet");
        // 50 + 350 ms at 100 bytes a millisecond.
        pushback.round_trip(Duration::from_millis(50), TARGET);
        for _ in 0..100 {
            pushback.in_flight(30_000);
        }
        assert_eq!(pushback.frame(TARGET, LEAST), Some(TARGET));
        for _ in 0..100 {
            pushback.in_flight(45_000);
        }
        let frames: Vec<_> = (0..10).map(|_| pushback.frame(TARGET, LEAST)).collect();
        assert_eq!(frames.iter().flatten().count(), 5);
        assert!(
            frames
                .iter()
                .flatten()
                .all(|rate| rate.kilobits_per_second() == 400.0)
        );
        pushback.in_flight(1000);
        assert_eq!(pushback.frame(TARGET, LEAST), Some(TARGET));
    }

    #[test]
    fn the_least_is_never_reduced() {
        let mut pushback = Pushback::default();
        pushback.round_trip(Duration::ZERO, LEAST);
        for _ in 0..1000 {
            pushback.in_flight(1 << 40);
        }
        assert_eq!(pushback.frame(LEAST, LEAST), Some(LEAST));
        assert_eq!(pushback.frame(Bitrate::ZERO, LEAST), Some(Bitrate::ZERO));
    }
}
