//! libwebrtc's congestion control, through the crate goog_cc.
//!
//! The crate decides on a target rate, a pacing rate and probe clusters from what was sent and what
//! arrived (Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC",
//! MMSys 2016; libwebrtc of December 2024). What surrounds it in libwebrtc is in
//! [`raq_send::bandwidth::gcc::control`], and here the pacer's probes ([`prober`]). Set as libwebrtc
//! sets it for video: feedback every 50 ms, decisions every 25 ms, 300 kbit/s to begin with. A real
//! encoder misses the size it is asked for: so do frames here, by [`Setup::size_noise`].

mod prober;

use std::{fmt, time::Duration};

use goog_cc::transport::{ProbeClusterConfig, SentPacket};
use raq_send::bandwidth::gcc::{
    control::Control,
    controller::{Config, PROCESS},
    units::{self, timestamp},
};
use raq_shared::units::Bitrate;

use self::prober::Prober;
use super::{
    Feedback, FeedbackTiming, Policy, SentDatagram, Setup, Transport, setup::STARTING_RATE,
};

const FEEDBACK: Duration = Duration::from_millis(50);
/// The least that media is coded at unless something else is asked for.
const LEAST_RATE: Bitrate = Bitrate::from_kilobits_per_second(150);
/// With more in the pacer no frame is encoded (libwebrtc's `kMaxExpectedQueueLength`).
const LONGEST_QUEUE: Duration = Duration::from_secs(2);
/// Bytes in the pacer that are no datagram but what a frame was smaller than it might be.
const NO_DATAGRAM: u64 = 200;

/// WebRTC's sender.
pub struct Gcc {
    setup: Setup,
    least: Bitrate,
    control: Control,
    prober: Prober,
    noise: fastrand::Rng,
    next_process: Duration,
    /// Bytes of media that the pacer holds, as far as known.
    waiting: u64,
}

impl fmt::Debug for Gcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gcc")
            .field("target", &self.control.target())
            .field("pace", &self.control.pace())
            .field("prober", &self.prober)
            .finish_non_exhaustive()
    }
}

impl Gcc {
    /// Before anything is known of the link.
    pub fn new(setup: &Setup) -> Self {
        let least = setup.capped(setup.least_rate.unwrap_or(LEAST_RATE));
        let (control, probes) = Control::new(&Config {
            at: setup.start,
            start: setup.capped(STARTING_RATE.max(least)),
            least,
            most: setup.max_rate,
            pacing: setup.pacing,
            probes: true,
        });
        let mut gcc = Self {
            setup: setup.clone(),
            least,
            control,
            prober: Prober::default(),
            noise: fastrand::Rng::with_seed(setup.seed),
            next_process: setup.start,
            waiting: 0,
        };
        gcc.probe(setup.start, &probes);
        gcc
    }

    fn probe(&mut self, now: Duration, probes: &[ProbeClusterConfig]) {
        for cluster in probes {
            self.prober.add(now, cluster);
        }
    }

    fn media_waits(&self) -> bool {
        self.waiting >= NO_DATAGRAM
    }
}

impl Policy for Gcc {
    fn feedback_timing(&self) -> FeedbackTiming {
        FeedbackTiming::Every(FEEDBACK)
    }

    fn sent(&mut self, datagram: &SentDatagram) {
        if !datagram.padding {
            self.waiting = self.waiting.saturating_sub(datagram.bytes.into());
        }
        let packet = SentPacket {
            send_time: timestamp(datagram.at),
            size: units::size(datagram.bytes.into()),
            pacing_info: self.prober.sent(datagram.at, datagram.bytes),
            sequence_number: i64::try_from(datagram.sequence).unwrap_or(i64::MAX),
            ..Default::default()
        };
        let probes = self.control.sent(datagram.sequence, packet);
        self.probe(datagram.at, &probes);
    }

    fn feedback(&mut self, now: Duration, feedback: &Feedback) {
        let probes = self.control.heard(now, &feedback.arrivals);
        self.probe(now, &probes);
    }

    fn wake(&self) -> Option<Duration> {
        let padding = self.prober.due(self.media_waits());
        Some(padding.map_or(self.next_process, |due| due.min(self.next_process)))
    }

    fn tick(&mut self, now: Duration) {
        if now < self.next_process {
            return;
        }
        while self.next_process <= now {
            self.next_process += PROCESS;
        }
        let probes = self.control.process(now, Some(self.waiting));
        self.probe(now, &probes);
    }

    fn permit(&mut self, now: Duration, transport: &Transport) -> Option<Bitrate> {
        self.waiting = transport.queued as u64;
        let holds =
            self.control.pace().bits_per_second() as f64 / 8.0 * LONGEST_QUEUE.as_secs_f64();
        if self.waiting as f64 > holds {
            return None;
        }
        let target = if self.setup.drops_frames {
            self.control.frame(self.least)?
        } else {
            self.control.target()
        };
        let miss = self.setup.size_noise * (2.0 * self.noise.f64() - 1.0);
        let rate = target.scaled(1.0 + miss);
        self.waiting += self.setup.bytes_per_frame(rate);
        self.prober.frame(now);
        Some(rate)
    }

    fn pace(&self) -> Option<Bitrate> {
        Some(self.prober.rate().unwrap_or_else(|| self.control.pace()))
    }

    fn padding(&mut self, now: Duration) -> Option<u32> {
        self.prober.padding(now, self.media_waits())
    }

    fn estimate(&self) -> Bitrate {
        self.control.target()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::closed_loop::{Loop, Outcome, Phases, setup},
        *,
    };

    fn run(phases: &Phases, seconds: u64, seed: u64) -> Outcome {
        let mut setup = setup(phases);
        setup.seed = seed;
        Loop::new(phases).run(&mut Gcc::new(&setup), seconds)
    }

    #[test]
    fn it_finds_the_rate_of_the_link_and_follows_it_down() {
        let outcome = run(&vec![(0, 1000), (40, 500)], 80, 1);
        let found = outcome.kilobits_per_second(20, 40);
        assert!((700.0..=1000.0).contains(&found), "{found}");
        let followed = outcome.kilobits_per_second(50, 80);
        assert!((350.0..=500.0).contains(&followed), "{followed}");
        let queue = outcome.queue_ms(0.5, 50, 80);
        assert!(queue < 100.0, "{queue} ms");
        assert!(outcome.padding > 0, "it probes");
    }

    #[test]
    fn it_comes_back_after_an_outage() {
        let outcome = run(&vec![(0, 1000), (20, 0), (25, 1000)], 60, 1);
        let share = outcome.kilobits_per_second(45, 60) / 1000.0;
        assert!((0.6..=1.0).contains(&share), "{share}");
        assert!(outcome.skipped > 10, "{}", outcome.skipped);
    }

    #[test]
    fn it_drops_frames_only_if_it_may() {
        let phases = vec![(0, 1000), (10, 100)];
        let run = |drops_frames| {
            let setup = Setup {
                drops_frames,
                ..setup(&phases)
            };
            Loop::new(&phases).run(&mut Gcc::new(&setup), 15)
        };
        let (dropping, sending) = (run(true), run(false));
        assert_eq!(sending.skipped, 0);
        assert!(dropping.skipped > 0);
        assert!(
            dropping.lost < sending.lost,
            "{} {}",
            dropping.lost,
            sending.lost
        );
    }

    #[test]
    fn it_starts_as_a_flow_starts_and_uses_no_more_than_the_media_can() {
        let outcome = run(&vec![(0, 50_000)], 30, 1);
        let most = outcome.kilobits_per_second(20, 30);
        assert!((5000.0..=6100.0).contains(&most), "{most}");
    }

    #[test]
    fn the_seed_decides() {
        let phases = vec![(0, 1000), (10, 400)];
        let estimates = |seed| run(&phases, 20, seed).estimates;
        assert_eq!(estimates(1), estimates(1));
        assert_ne!(estimates(1), estimates(2));
    }
}
