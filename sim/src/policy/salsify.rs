//! Salsify's estimator, with frames of exactly the size that fits.
//!
//! Fouladi et al., "Salsify: Low-Latency Network Video Through Tighter Integration Between a Video
//! Codec and a Transport Protocol", NSDI 2018, section 4.2, and the authors' sender and receiver
//! (excamera/alfalfa). The receiver averages the time between arriving fragments; the sender tells
//! how long it paused before each, so that pauses do not look like a slow link. A frame may take
//! what gets through in 100 ms at that pace, less what is in flight; if that is too little, it is
//! skipped, but not more than four in a row.
//!
//! What differs: Salsify counts fragments of an MTU, while raq's datagrams are of all sizes, so
//! their sizes are averaged as the times between them are, and their quotient is the pace in bytes.
//! Salsify's average begins with 0, which stands for an endless link; here it begins with the first
//! time seen. The averages are kept at the sender, from the same arrivals, so that feedback that is
//! lost takes its arrivals with it. A frame has exactly the size that fits, where Salsify's codec
//! had two to choose from, and leaves at once, where the authors' sender keeps 0.5 to 2 ms between
//! fragments.

use std::{collections::VecDeque, time::Duration};

use raq_shared::units::Bitrate;

use super::{Feedback, FeedbackTiming, Policy, SentDatagram, Setup, Transport, setup};

/// Weight of a new fragment in the averages.
const WEIGHT: f64 = 0.1;
/// In this time everything in flight is to get through.
const MOST_DELAY: f64 = 0.1;
/// The authors' averages are whole microseconds, 0 counts as 1.
const SHORTEST_GAP: f64 = 1e-6;
/// After so many frames skipped in a row the smallest is sent whatever is in flight.
const MOST_SKIPPED: u32 = 4;

/// A datagram that nothing was heard of.
#[derive(Debug)]
struct InFlight {
    sequence: u64,
    bytes: u32,
    /// Since the datagram before it was sent.
    pause: Duration,
}

/// Of arriving datagrams.
#[derive(Debug)]
struct Means {
    /// Seconds from one to the next beyond the pause between them.
    gap: f64,
    bytes: f64,
}

/// Salsify's sender, with its receiver's average.
#[derive(Debug)]
pub struct Salsify {
    setup: Setup,
    in_flight: VecDeque<InFlight>,
    /// Their bytes.
    bytes_in_flight: u64,
    last_sent: Option<Duration>,
    last_arrival: Option<Duration>,
    means: Option<Means>,
    /// Frames, since the last one that was not.
    skipped: u32,
}

impl Salsify {
    /// Before anything is known of the link.
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            last_sent: None,
            last_arrival: None,
            means: None,
            skipped: 0,
        }
    }

    /// Takes a datagram and those sent before it out of flight: either they are lost or, if they
    /// come later, of no more interest. `None` for one that was out of it already.
    fn acknowledge(&mut self, sequence: u64) -> Option<InFlight> {
        let mut acknowledged = None;
        while let Some(first) = self.in_flight.front()
            && first.sequence <= sequence
        {
            self.bytes_in_flight -= u64::from(first.bytes);
            acknowledged = self.in_flight.pop_front();
        }
        acknowledged.filter(|last| last.sequence == sequence)
    }

    fn arrived(&mut self, datagram: &InFlight, at: Duration) {
        let Some(last) = self.last_arrival.replace(at) else {
            return;
        };
        let gap = at.saturating_sub(last).saturating_sub(datagram.pause);
        let gap = gap.as_secs_f64();
        let bytes = f64::from(datagram.bytes);
        let means = self.means.get_or_insert(Means { gap, bytes });
        means.gap += WEIGHT * (gap - means.gap);
        means.bytes += WEIGHT * (bytes - means.bytes);
    }

    /// Bytes per second at which datagrams get through.
    fn pace(&self) -> Option<f64> {
        let means = self.means.as_ref()?;
        Some(means.bytes / means.gap.max(SHORTEST_GAP))
    }
}

impl Policy for Salsify {
    fn feedback_timing(&self) -> FeedbackTiming {
        FeedbackTiming::EveryDatagram
    }

    fn sent(&mut self, datagram: &SentDatagram) {
        let last = self.last_sent.replace(datagram.at);
        self.in_flight.push_back(InFlight {
            sequence: datagram.sequence,
            bytes: datagram.bytes,
            pause: last.map_or(Duration::ZERO, |last| datagram.at.saturating_sub(last)),
        });
        self.bytes_in_flight += u64::from(datagram.bytes);
    }

    fn feedback(&mut self, _: Duration, feedback: &Feedback) {
        for &(sequence, at) in &feedback.arrivals {
            if let Some(datagram) = self.acknowledge(sequence) {
                self.arrived(&datagram, at);
            }
        }
    }

    fn permit(&mut self, _: Duration, _: &Transport) -> Option<Bitrate> {
        let smallest = self.setup.smallest_frame();
        let bytes = match self.pace() {
            Some(pace) => ((pace * MOST_DELAY) as u64).saturating_sub(self.bytes_in_flight),
            None => self.setup.bytes_per_frame(setup::STARTING_RATE),
        };
        if bytes < smallest && self.skipped < MOST_SKIPPED {
            self.skipped += 1;
            return None;
        }
        self.skipped = 0;
        let bytes = bytes.clamp(smallest, self.setup.largest_frame());
        Some(self.setup.rate_of(bytes))
    }

    fn estimate(&self) -> Bitrate {
        let pace = self.pace().map(|pace| pace * 8.0);
        pace.map_or(setup::STARTING_RATE, |bits| {
            Bitrate::from_bits_per_second(bits as u64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::closed_loop::{Loop, Outcome, Phases, setup},
        *,
    };

    fn run(phases: &Phases, seconds: u64) -> Outcome {
        Loop::new(phases).run(&mut Salsify::new(&setup(phases)), seconds)
    }

    #[test]
    fn it_fills_the_link_and_keeps_its_delay() {
        for kilobits in [500, 1000, 3000] {
            let outcome = run(&vec![(0, kilobits)], 30);
            let share = outcome.kilobits_per_second(5, 30) / kilobits as f64;
            assert!((0.7..1.01).contains(&share), "{share} of {kilobits}");
            let queue = outcome.queue_ms(0.95, 5, 30);
            assert!((10.0..=110.0).contains(&queue), "{queue} ms at {kilobits}");
            assert_eq!(outcome.lost, 0, "at {kilobits}");
        }
    }

    #[test]
    fn it_follows_the_link_down_and_up() {
        let outcome = run(&vec![(0, 2000), (10, 500), (20, 2000)], 30);
        for (from, to, kilobits) in [(5, 10, 2000.0), (11, 20, 500.0), (21, 30, 2000.0)] {
            let share = outcome.kilobits_per_second(from, to) / kilobits;
            assert!((0.7..1.01).contains(&share), "{share} from {from} s");
            let queue = outcome.queue_ms(0.95, from, to);
            assert!(queue <= 120.0, "{queue} ms from {from} s");
        }
    }

    #[test]
    fn it_comes_back_after_an_outage() {
        let outcome = run(&vec![(0, 1000), (10, 0), (15, 1000)], 30);
        // Four frames of five are skipped.
        assert!((100..200).contains(&outcome.skipped), "{}", outcome.skipped);
        let share = outcome.kilobits_per_second(16, 30) / 1000.0;
        assert!((0.7..1.01).contains(&share), "{share}");
    }

    fn datagram(sequence: u64, millis: u64) -> SentDatagram {
        let at = Duration::from_millis(millis);
        SentDatagram {
            sequence,
            bytes: 1000,
            at,
            padding: false,
        }
    }

    fn feedback(arrivals: &[(u64, u64)]) -> Feedback {
        let made = Duration::ZERO;
        let arrivals = arrivals
            .iter()
            .map(|&(n, ms)| (n, Duration::from_millis(ms)));
        Feedback {
            made,
            arrivals: arrivals.collect(),
        }
    }

    #[test]
    fn pauses_do_not_look_like_a_slow_link() {
        let mut salsify = Salsify::new(&setup(&vec![(0, 1000)]));
        for sequence in 0..100 {
            // Two at a time, 8 ms each, 50 ms apart.
            let (frame, second) = (sequence / 2, sequence % 2);
            salsify.sent(&datagram(sequence, frame * 50));
            let arrival = frame * 50 + 20 + second * 8;
            salsify.feedback(Duration::ZERO, &feedback(&[(sequence, arrival)]));
        }
        // The first of a frame comes 42 ms after the last, 8 ms less than the pause: 0 beside 8.
        let pace = salsify.estimate().kilobits_per_second();
        assert!((1500.0..2500.0).contains(&pace), "{pace}");
    }

    #[test]
    fn losses_and_repetitions_leave_nothing_in_flight() {
        let mut salsify = Salsify::new(&setup(&vec![(0, 1000)]));
        for sequence in 0..10 {
            salsify.sent(&datagram(sequence, sequence));
        }
        let heard = feedback(&[(0, 20), (3, 30), (2, 31), (3, 32), (77, 33)]);
        salsify.feedback(Duration::ZERO, &heard);
        assert_eq!(
            salsify.bytes_in_flight, 0,
            "all before an unknown one are out of flight"
        );
        salsify.sent(&datagram(100, 100));
        assert_eq!(salsify.bytes_in_flight, 1000);
        salsify.feedback(Duration::ZERO, &feedback(&[(100, 120)]));
        assert_eq!(salsify.bytes_in_flight, 0);
    }
}
