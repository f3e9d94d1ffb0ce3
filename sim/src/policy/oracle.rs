//! The best that can be done on a link.

use std::time::Duration;

use raq_shared::units::Bitrate;

use super::{FeedbackTiming, Policy, SentDatagram, Setup, Transport, fixed::UNHEEDED};

/// The share of the link that is left free, for QUIC's own packets.
const MARGIN: f64 = 0.03;
/// The smallest frame is sent when it gets through in this time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Knows what the link will carry: each frame takes what leaves the queue before the next frame,
/// less what is still queued. Heeds no feedback, and knows nothing of cross traffic.
#[derive(Debug)]
pub struct Oracle {
    setup: Setup,
    /// Bytes in the link's queue …
    queued: u64,
    /// … at this time.
    at: Duration,
    estimate: Bitrate,
}

impl Oracle {
    /// For the link in `setup`, its queue empty.
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            queued: 0,
            at: setup.start,
            estimate: Bitrate::ZERO,
        }
    }

    fn drain(&mut self, now: Duration) {
        let carried = self.setup.capacity.bytes_between(self.at, now);
        self.queued = self.queued.saturating_sub(carried);
        self.at = self.at.max(now);
    }

    /// What a datagram sent now could take and be through in `time`, bytes.
    fn room(&self, time: Duration) -> u64 {
        let carries = self
            .setup
            .capacity
            .bytes_between(self.at, self.at.saturating_add(time));
        ((carries as f64 * (1.0 - MARGIN)) as u64).saturating_sub(self.queued)
    }
}

impl Policy for Oracle {
    fn feedback_timing(&self) -> FeedbackTiming {
        UNHEEDED
    }

    fn sent(&mut self, datagram: &SentDatagram) {
        self.drain(datagram.at);
        self.queued += u64::from(datagram.bytes);
    }

    fn permit(&mut self, now: Duration, _: &Transport) -> Option<Bitrate> {
        self.drain(now);
        let interval = self.setup.interval;
        let next = now.saturating_add(interval);
        self.estimate = self
            .setup
            .rate_of(self.setup.capacity.bytes_between(now, next));
        let smallest = self.setup.smallest_frame();
        let room = self.room(interval).min(self.setup.largest_frame());
        if room >= smallest {
            Some(self.setup.rate_of(room))
        } else {
            (self.room(PATIENCE.max(interval)) >= smallest).then(|| self.setup.rate_of(smallest))
        }
    }

    fn estimate(&self) -> Bitrate {
        self.estimate
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::closed_loop::{Loop, Phases, setup},
        *,
    };

    fn run(phases: &Phases, seconds: u64) -> super::super::closed_loop::Outcome {
        Loop::new(phases).run(&mut Oracle::new(&setup(phases)), seconds)
    }

    #[test]
    fn it_fills_the_link_without_a_queue() {
        let phases = vec![(0, 1000), (10, 2500), (20, 600)];
        let outcome = run(&phases, 30);
        assert_eq!(outcome.lost, 0);
        for (from, kilobits) in [(0, 1000.0), (10, 2500.0), (20, 600.0)] {
            let share = outcome.kilobits_per_second(from, from + 10) / kilobits;
            assert!((0.93..=1.0).contains(&share), "{share} from {from} s");
            // The last datagram of a frame leaves just before the next frame.
            let queue = outcome.queue_ms(1.0, from, from + 10);
            assert!(queue <= 34.0, "{queue} ms from {from} s");
        }
    }

    #[test]
    fn it_waits_for_the_end_of_an_outage() {
        let phases = vec![(0, 1000), (5, 0), (10, 1000)];
        let outcome = run(&phases, 20);
        assert_eq!(outcome.lost, 0);
        assert!(
            (145..=150).contains(&outcome.skipped),
            "{}",
            outcome.skipped
        );
        let queue = outcome.queue_ms(1.0, 0, 20);
        assert!(queue <= 101.0, "{queue} ms");
        assert!(outcome.kilobits_per_second(10, 11) > 900.0);
    }

    #[test]
    fn it_uses_no_more_than_the_media_can_and_links_slower_than_a_frame() {
        let outcome = run(&vec![(0, 20_000)], 10);
        let most = outcome.kilobits_per_second(0, 10);
        assert!((5900.0..=6001.0).contains(&most), "{most}");

        let phases = vec![(0, 100)];
        let outcome = run(&phases, 10);
        let least = outcome.kilobits_per_second(0, 10);
        assert!((70.0..=100.0).contains(&least), "{least}");
        assert!(outcome.queue_ms(1.0, 0, 10) <= 100.0);
    }

    #[test]
    fn it_sends_nothing_over_a_link_that_carries_nothing() {
        let outcome = run(&vec![(0, 0)], 2);
        assert_eq!(outcome.skipped, outcome.frames);
    }
}
