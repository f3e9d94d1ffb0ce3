//! A script: a set of faults, and what becomes of them when.

use std::time::Duration;

use raq_shared::units::Bitrate;

use super::{
    fault::{Fault, Faults},
    route::Mischief,
};
use crate::link::{LinkConfig, Outage, QueueSize, Rate, Time};

/// Share of datagrams that get lost, in bursts of three.
const LOSS: f64 = 0.2;
/// Share of datagrams that arrive late, twice, once more after others, wrong, or cut.
const REORDERED: f64 = 0.3;
const TWICE: f64 = 0.2;
const AGAIN: f64 = 0.1;
const CORRUPT: f64 = 0.05;
const CUT: f64 = 0.05;
/// An outage takes this share of the time of faults, from a quarter of it on.
const OUTAGE: f64 = 0.4;
/// The longest leap of a clock.
const LEAP: Duration = Duration::from_secs(60);

/// Which faults happen, what decides their chances, and for how long there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// The faults.
    pub faults: Faults,
    /// Decides whatever is up to chance.
    pub seed: u64,
    /// Seconds with faults.
    pub seconds: u32,
}

/// Something that happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The links are this path from now on; what was under way is lost.
    Rebind(Way),
    /// The sender's clock leaps ahead.
    SenderLeaps(Duration),
    /// The receiver's does.
    ReceiverLeaps(Duration),
    /// Times of both clocks are told so much earlier from now on.
    LeapBack(Duration),
    /// New sessions take the place of both.
    Restart,
}

/// A path between the ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The one that they begin with.
    First,
    /// Another one: slower, and further.
    Second,
}

impl Script {
    /// Chance, the same for the same script.
    pub(super) fn chance(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed << 16 | u64::from(self.faults.number()))
    }

    /// How to repeat it.
    pub fn command(&self) -> String {
        let Self {
            faults,
            seed,
            seconds,
        } = self;
        format!("raq-sim faults --only {faults} --seed {seed} --seconds {seconds}")
    }

    /// How long there are faults.
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// What happens, since the faults began.
    pub(super) fn events(&self, chance: &mut fastrand::Rng) -> Vec<(Duration, Event)> {
        let length = self.length();
        let mut events = Vec::new();
        let mut at = |from: f64, to: f64, chance: &mut fastrand::Rng, event| {
            let share = from + (to - from) * chance.f64();
            events.push((length.mul_f64(share), event));
        };
        let leap = |chance: &mut fastrand::Rng| {
            // As often short as long.
            LEAP.mul_f64((-8.0 * chance.f64()).exp2())
        };
        if self.faults.has(Fault::Rebinding) {
            at(0.1, 0.4, chance, Event::Rebind(Way::Second));
            at(0.6, 0.9, chance, Event::Rebind(Way::First));
        }
        if self.faults.has(Fault::Clock) {
            let (mine, theirs, back) = (leap(chance), leap(chance), leap(chance));
            at(0.0, 1.0, chance, Event::SenderLeaps(mine));
            at(0.0, 1.0, chance, Event::ReceiverLeaps(theirs));
            at(0.0, 1.0, chance, Event::LeapBack(back));
        }
        if self.faults.has(Fault::Restart) {
            at(0.2, 0.8, chance, Event::Restart);
        }
        events.sort_by_key(|&(at, _)| at);
        events
    }

    /// When nothing passes, since the faults began.
    pub(super) fn outage(&self) -> Option<(Duration, Duration)> {
        let length = self.length();
        let outage = (length.mul_f64(0.25), length.mul_f64(0.25 + OUTAGE));
        self.faults.has(Fault::Outage).then_some(outage)
    }

    /// The link while there are faults, which began at `began`.
    pub(super) fn link(&self, way: Way, began: Duration) -> LinkConfig {
        let has = |fault, share| if self.faults.has(fault) { share } else { 0.0 };
        let outages = self.outage().map(|(from, to)| Outage {
            at: Time(began + from),
            length: Time(to - from),
        });
        LinkConfig {
            loss: has(Fault::Loss, LOSS),
            burst: if self.faults.has(Fault::Loss) {
                3.0
            } else {
                1.0
            },
            reorder: has(Fault::Reordering, REORDERED),
            duplicate: has(Fault::Duplication, TWICE),
            outages: outages.into_iter().collect(),
            ..healthy(way)
        }
    }

    /// What happens to bytes while there are faults.
    pub(super) fn mischief(&self) -> Mischief {
        let has = |fault, share| if self.faults.has(fault) { share } else { 0.0 };
        Mischief {
            corrupt: has(Fault::Corruption, CORRUPT),
            truncate: has(Fault::Truncation, CUT),
            again: has(Fault::Duplication, AGAIN),
        }
    }
}

/// The link without faults.
pub(super) fn healthy(way: Way) -> LinkConfig {
    let (kilobits, delay) = match way {
        Way::First => (400, 20),
        Way::Second => (200, 90),
    };
    LinkConfig {
        rate: Some(Rate(Bitrate::from_kilobits_per_second(kilobits))),
        delay: Time(Duration::from_millis(delay)),
        jitter: Time(Duration::from_millis(5)),
        queue: QueueSize::Time(Duration::from_millis(200)),
        ..LinkConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(faults: Faults) -> Script {
        Script {
            faults,
            seed: 4,
            seconds: 10,
        }
    }

    #[test]
    fn without_faults_nothing_happens() {
        let none = script(Faults::default());
        assert!(none.events(&mut none.chance()).is_empty());
        assert_eq!(none.link(Way::First, Duration::ZERO), healthy(Way::First));
        assert_eq!(none.mischief(), Mischief::default());
    }

    #[test]
    fn every_link_can_be_and_events_fall_into_the_time_of_faults() {
        for faults in Faults::every() {
            let script = script(faults);
            for way in [Way::First, Way::Second] {
                script.link(way, Duration::from_secs(3)).check().unwrap();
            }
            let events = script.events(&mut script.chance());
            assert!(events.is_sorted_by_key(|&(at, _)| at));
            assert!(events.iter().all(|&(at, _)| at <= script.length()));
            assert_eq!(
                events,
                script.events(&mut script.chance()),
                "it can be repeated"
            );
            let restarts = events.iter().filter(|(_, event)| *event == Event::Restart);
            assert_eq!(restarts.count(), usize::from(faults.has(Fault::Restart)));
        }
    }

    #[test]
    fn the_command_says_all() {
        let pair = Faults::default().with(Fault::Loss).with(Fault::Clock);
        let command = "raq-sim faults --only loss,clock --seed 4 --seconds 10";
        assert_eq!(script(pair).command(), command);
    }
}
