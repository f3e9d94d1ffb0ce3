//! A sender, a drop-tail queue and a receiver, for tests of policies.

use std::{collections::VecDeque, time::Duration};

use raq_send::frame_coder::Allowance;
use raq_shared::units::Bitrate;

use super::{Carries, Feedback, FeedbackTiming, Policy, SentDatagram, Setup, Transport};

/// QUIC's, UDP's and IP's headers.
const HEADERS: u64 = 64;
pub(super) const INTERVAL: Duration = Duration::from_nanos(33_333_333);

/// kbit/s of a link from a time in seconds on, in order, the first from 0.
pub(super) type Phases = Vec<(u64, u64)>;

/// When each phase of a link ends, and bytes per nanosecond in it.
fn ends(phases: &Phases) -> impl Iterator<Item = (Duration, f64)> {
    let ends = phases
        .iter()
        .skip(1)
        .map(|phase| Duration::from_secs(phase.0));
    let rates = phases.iter().map(|phase| phase.1 as f64 / 8e6);
    ends.chain([Duration::MAX]).zip(rates)
}

/// When `bytes` are through that a link starts on at `from`.
fn through(phases: &Phases, mut from: Duration, bytes: u32) -> Duration {
    let mut bytes = f64::from(bytes);
    for (end, rate) in ends(phases) {
        let time = end.saturating_sub(from).as_nanos() as f64;
        if bytes <= time * rate {
            return from + Duration::from_nanos((bytes / rate) as u64);
        }
        bytes -= time * rate;
        from = from.max(end);
    }
    Duration::MAX
}

pub(super) fn carries(phases: Phases) -> Carries {
    Carries::new(move |from, to| {
        let mut from = from;
        let mut bytes = 0.0;
        for (end, rate) in ends(&phases) {
            bytes += end.min(to).saturating_sub(from).as_nanos() as f64 * rate;
            from = from.max(end.min(to));
        }
        bytes as u64
    })
}

/// 30 frames a second of 150 kbit/s to 6 Mbit/s.
pub(super) fn setup(phases: &Phases) -> Setup {
    Setup {
        start: Duration::ZERO,
        interval: INTERVAL,
        max_rate: Some(Bitrate::from_kilobits_per_second(6000)),
        least_rate: Some(Bitrate::from_kilobits_per_second(150)),
        size_noise: 0.25,
        seed: 1,
        drops_frames: true,
        pacing: 2.5,
        capacity: carries(phases.clone()),
    }
}

/// A datagram that has left the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) at: Duration,
    pub(super) queued: Duration,
    pub(super) bytes: u32,
}

/// What became of the datagrams of a run.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) left: Vec<Left>,
    pub(super) frames: usize,
    pub(super) skipped: usize,
    pub(super) lost: usize,
    /// Bytes of padding sent.
    pub(super) padding: u64,
    /// After every frame.
    pub(super) estimates: Vec<(Duration, Bitrate)>,
}

impl Outcome {
    fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &Left> {
        let seconds = Duration::from_secs(from)..Duration::from_secs(to);
        self.left
            .iter()
            .filter(move |left| seconds.contains(&left.at))
    }

    /// What left the queue in a time, in seconds, in kbit/s.
    pub(super) fn kilobits_per_second(&self, from: u64, to: u64) -> f64 {
        let bytes: u64 = self
            .between(from, to)
            .map(|left| u64::from(left.bytes))
            .sum();
        bytes as f64 / 125.0 / (to - from) as f64
    }

    /// The time in the queue that a share of the datagrams did not exceed, in ms.
    pub(super) fn queue_ms(&self, share: f64, from: u64, to: u64) -> f64 {
        let mut times: Vec<_> = self.between(from, to).map(|left| left.queued).collect();
        times.sort();
        let last = times.len().saturating_sub(1) as f64;
        times
            .get((last * share) as usize)
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// A link one way, an undisturbed one back, and what travels.
pub(super) struct Loop {
    /// When datagrams are through, given when the link starts on them and their bytes.
    pub(super) through: Box<dyn FnMut(Duration, u32) -> Duration>,
    /// Each way.
    pub(super) delay: Duration,
    /// Whether one more datagram has room behind so many bytes, so many datagrams and so long.
    pub(super) room: Box<dyn FnMut(u64, usize, Duration) -> bool>,
}

impl Loop {
    /// 25 ms each way, a queue of 300 ms.
    pub(super) fn new(phases: &Phases) -> Self {
        let phases = phases.clone();
        Self {
            through: Box::new(move |from, bytes| through(&phases, from, bytes)),
            delay: Duration::from_millis(25),
            room: Box::new(|bytes, _, _| bytes < 37_500),
        }
    }

    pub(super) fn run(mut self, policy: &mut dyn Policy, seconds: u64) -> Outcome {
        let mut outcome = Outcome::default();
        let mut now = Duration::ZERO;
        let mut next_frame = now;
        let mut waiting: VecDeque<u32> = VecDeque::new();
        let mut next_send = now;
        let mut sequence = 0;
        let mut queue: VecDeque<(Duration, u32)> = VecDeque::new();
        let mut busy = now;
        let mut travelling: VecDeque<(Duration, u64)> = VecDeque::new();
        let mut arrivals = Vec::new();
        let mut next_made = now;
        let mut heard: VecDeque<(Duration, Feedback)> = VecDeque::new();
        let timing = policy.feedback_timing();
        while now < Duration::from_secs(seconds) {
            while travelling.front().is_some_and(|first| first.0 <= now) {
                let (at, sequence) = travelling.pop_front().unwrap();
                arrivals.push((sequence, at));
                if timing == FeedbackTiming::EveryDatagram {
                    heard.push_back((now + self.delay, feedback(now, &mut arrivals)));
                }
            }
            if let FeedbackTiming::Every(time) = timing
                && next_made <= now
            {
                next_made += time;
                if !arrivals.is_empty() {
                    heard.push_back((now + self.delay, feedback(now, &mut arrivals)));
                }
            }
            while heard.front().is_some_and(|first| first.0 <= now) {
                policy.feedback(now, &heard.pop_front().unwrap().1);
            }
            if policy.wake().is_some_and(|wake| wake <= now) {
                policy.tick(now);
            }
            if next_frame <= now {
                next_frame += INTERVAL;
                outcome.frames += 1;
                let transport = Transport {
                    window: 12_000,
                    round_trip: 2 * self.delay,
                    shortest: 2 * self.delay,
                    queued: waiting.iter().map(|&bytes| bytes as usize).sum(),
                };
                match policy.permit(now, &transport) {
                    Some(rate) => waiting.extend(datagrams(rate)),
                    None => outcome.skipped += 1,
                }
                outcome.estimates.push((now, policy.estimate()));
            }
            loop {
                let due = policy.pace().is_none() || next_send <= now;
                let (bytes, padding) = match policy.padding(now) {
                    Some(bytes) => (bytes, true),
                    None if !due => break,
                    None => match waiting.pop_front() {
                        Some(bytes) => (bytes, false),
                        None => break,
                    },
                };
                if let Some(pace) = policy.pace().filter(|_| !padding) {
                    let time = f64::from(bytes) * 8.0 / pace.bits_per_second() as f64;
                    next_send = next_send.max(now) + Duration::from_secs_f64(time);
                }
                outcome.padding += if padding { bytes.into() } else { 0 };
                let at = now;
                policy.sent(&SentDatagram {
                    sequence,
                    bytes,
                    at,
                    padding,
                });
                while queue.front().is_some_and(|first| first.0 <= now) {
                    queue.pop_front();
                }
                let queued = queue.iter().map(|&(_, bytes)| u64::from(bytes)).sum();
                if (self.room)(queued, queue.len(), busy.saturating_sub(now)) {
                    busy = (self.through)(busy.max(now), bytes);
                    queue.push_back((busy, bytes));
                    travelling.push_back((busy.saturating_add(self.delay), sequence));
                    let queued = busy - now;
                    outcome.left.push(Left {
                        at: busy,
                        queued,
                        bytes,
                    });
                } else {
                    outcome.lost += 1;
                }
                sequence += 1;
            }
            let send = (!waiting.is_empty()).then_some(next_send);
            let first = [
                travelling.front().map(|first| first.0),
                heard.front().map(|first| first.0),
                matches!(timing, FeedbackTiming::Every(_)).then_some(next_made),
                policy.wake(),
                send,
            ];
            let next = first.into_iter().flatten().fold(next_frame, Duration::min);
            assert!(
                next > now || policy.wake() == Some(now),
                "{policy:?} stands still at {now:?}"
            );
            now = next;
        }
        outcome
    }
}

fn feedback(made: Duration, arrivals: &mut Vec<(u64, Duration)>) -> Feedback {
    let arrivals = std::mem::take(arrivals);
    Feedback { made, arrivals }
}

/// Sizes on the link of the datagrams of a frame at `rate`, split as raq does.
fn datagrams(rate: Bitrate) -> Vec<u32> {
    let bytes = (rate.bits_per_second() as f64 / 8.0 * INTERVAL.as_secs_f64()) as u64;
    let count = u64::from(Allowance::of(bytes as usize, None).count);
    let body = bytes.saturating_sub(count * HEADERS);
    let size = |index| HEADERS + body / count + u64::from(index < body % count);
    (0..count).map(|index| size(index) as u32).collect()
}

#[test]
fn the_loop_delays_and_loses_as_its_link_does() {
    let rate = Bitrate::from_kilobits_per_second(1500);
    let mut fixed = super::Fixed::new(rate);
    let outcome = Loop::new(&vec![(0, 1000)]).run(&mut fixed, 20);
    let left = outcome.kilobits_per_second(5, 20);
    assert!((995.0..1005.0).contains(&left), "{left}");
    let queue = outcome.queue_ms(0.5, 5, 20);
    assert!((285.0..320.0).contains(&queue), "{queue}");
    let sent = outcome.left.len() + outcome.lost;
    let lost = outcome.lost as f64 / sent as f64;
    assert!((0.31..0.34).contains(&lost), "{lost}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
    /// Every comparator stands whatever a link does, and thinks something of it. raq's own loop is
    /// tested where it is.
    #[test]
    fn no_policy_fails_on_any_link(
        rates in proptest::collection::vec(proptest::prop_oneof![0..50u64, 50..20_000u64], 1..6),
        delay in 0..400u64,
        loss in 0.0..1.0f64,
        seed in 0..100u64,
        name in 0..4usize,
    ) {
        let phases: Phases = (0..).step_by(2).zip(rates).collect();
        let mut setup = setup(&phases);
        setup.seed = seed;
        setup.drops_frames = seed % 2 == 0;
        let name: super::PolicyName =
            ["gcc", "salsify", "oracle", "fixed:700"][name].parse().unwrap();
        let mut policy = name.build(&setup);
        let mut link = Loop::new(&phases);
        link.delay = Duration::from_millis(delay);
        let mut random = fastrand::Rng::with_seed(seed);
        link.room = Box::new(move |_, count, _| count < 64 && random.f64() >= loss);
        let outcome = link.run(&mut *policy, 12);
        proptest::prop_assert_eq!(outcome.frames, 361);
        proptest::prop_assert!(outcome.skipped < 361 || name == super::PolicyName::Oracle);
    }
}
