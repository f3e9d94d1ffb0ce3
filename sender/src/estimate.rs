//! A simple estimate of what the path carries, from QUIC's congestion control.

use std::time::Duration;

use raq_shared::units::Bitrate;

/// Round trips shorter than this say nothing about the rate of the path.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);
/// A round trip this much longer than the shortest one means that a queue has built up.
const QUEUE: Duration = Duration::from_millis(10);
/// Share of cwnd / rtt taken while there is a queue …
const WITH_QUEUE: f64 = 0.75;
/// … and in proportion less, so that it drains fast, once it is longer than this.
const LONG_QUEUE: Duration = Duration::from_millis(30);
/// Share taken without one: above 1, since a window that is never filled never grows.
const WITHOUT_QUEUE: f64 = 1.25;
/// Below this the estimate rises at once: it could not find its way back from nearly nothing.
const FLOOR: Bitrate = Bitrate::from_kilobits_per_second(16);
/// The estimate at most doubles in this time.
const DOUBLING: Duration = Duration::from_secs(1);

/// What QUIC says about the path.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Congestion window, bytes.
    pub bytes: u64,
    /// Smoothed round-trip time.
    pub round_trip: Duration,
    /// Shortest round-trip time.
    pub shortest: Duration,
}

/// Follows the window: down at once, up slowly.
#[derive(Debug, Default)]
pub struct Estimator {
    last: Option<(Duration, Bitrate)>,
}

impl Estimator {
    /// The estimate at `now`.
    pub fn update(&mut self, now: Duration, window: Window) -> Bitrate {
        let round_trip = window.round_trip.max(SHORTEST_ROUND_TRIP);
        let share = if round_trip <= window.shortest + QUEUE.max(window.shortest / 4) {
            WITHOUT_QUEUE
        } else {
            let bearable = window.shortest + LONG_QUEUE.max(window.shortest / 2);
            WITH_QUEUE * bearable.div_duration_f64(round_trip).min(1.0)
        };
        let target = Bitrate::from_bytes_over(window.bytes, round_trip).scaled(share);
        let estimate = match self.last {
            Some((then, last)) => {
                let time = now.saturating_sub(then).as_secs_f64();
                let reach = last.scaled((time / DOUBLING.as_secs_f64()).exp2());
                target.min(reach.max(FLOOR))
            }
            None => target,
        };
        self.last = Some((now, estimate));
        estimate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: u64, round_trip: u64, shortest: u64) -> Window {
        let millis = Duration::from_millis;
        Window {
            bytes,
            round_trip: millis(round_trip),
            shortest: millis(shortest),
        }
    }

    #[test]
    fn it_is_window_over_round_trip_and_less_with_a_queue() {
        let at = Duration::from_secs(1);
        let kilobits = |window| Estimator::default().update(at, window).bits_per_second() / 1000;
        assert_eq!(kilobits(window(12_000, 50, 50)), 2400);
        assert_eq!(kilobits(window(12_000, 80, 50)), 900);
        assert_eq!(kilobits(window(12_000, 160, 50)), 225);
        assert_eq!(kilobits(window(12_000, 0, 0)), 120_000);
    }

    #[test]
    fn it_comes_back_from_nearly_nothing() {
        let mut estimator = Estimator::default();
        let mut last = Bitrate::ZERO;
        for frame in 0..1000 {
            let now = Duration::from_millis(frame);
            let faded = (10..20).contains(&frame);
            last = estimator.update(now, window(if faded { 2 } else { 12_000 }, 50, 50));
            if faded {
                assert!(last.bits_per_second() < 1000, "{last}");
            }
        }
        // A second later it has doubled once from the floor.
        assert!(last.bits_per_second() > 30_000, "{last}");
    }

    #[test]
    fn it_falls_at_once_and_rises_slowly() {
        let mut estimator = Estimator::default();
        let mut at = |seconds, bytes| {
            let now = Duration::from_secs_f64(seconds);
            estimator
                .update(now, window(bytes, 50, 50))
                .kilobits_per_second()
        };
        assert_eq!(at(0.0, 12_000), 2400.0);
        assert_eq!(at(0.1, 3_000), 600.0);
        assert!(at(0.1, 12_000) < 601.0);
        let later = at(1.1, 12_000);
        assert!((1199.0..1201.0).contains(&later), "{later}");
        assert_eq!(at(4.0, 12_000), 2400.0);
    }
}
