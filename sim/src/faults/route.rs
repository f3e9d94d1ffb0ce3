//! One direction between the ends: modelled links, one at a time, and what they do to bytes.

use std::{collections::VecDeque, path::Path, time::Duration};

use bytes::Bytes;

use super::damage;
use crate::link::{Link, LinkConfig, Outcome, Packet};

/// Bytes of UDP, IP and QUIC around a datagram.
const AROUND: u32 = 60;
/// Datagrams of which one may come again.
const REMEMBERED: usize = 256;

/// What travels.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// The connection, by the number of its sessions.
    pub(super) connection: u32,
    /// A datagram.
    pub(super) bytes: Bytes,
}

/// Shares of datagrams that arrive as they should not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mischief {
    /// With wrong bits.
    pub(super) corrupt: f64,
    /// Cut short.
    pub(super) truncate: f64,
    /// Before an older one that comes again.
    pub(super) again: f64,
}

/// See the module.
pub(super) struct Route {
    /// The last one takes what is offered, the others deliver what they have.
    links: Vec<Link<Load>>,
    mischief: Mischief,
    chance: fastrand::Rng,
    arrived: VecDeque<Load>,
    old: VecDeque<Load>,
}

impl Route {
    /// Over one link.
    pub(super) fn new(config: &LinkConfig, seed: u64) -> Self {
        let mut route = Self {
            links: Vec::new(),
            mischief: Mischief::default(),
            chance: fastrand::Rng::with_seed(seed),
            arrived: VecDeque::new(),
            old: VecDeque::with_capacity(REMEMBERED),
        };
        route.change(config, Mischief::default());
        route
    }

    /// What is offered from now on goes over this link.
    pub(super) fn change(&mut self, config: &LinkConfig, mischief: Mischief) {
        let capacity = config.capacity(Path::new(".")).expect("a link that can be");
        self.links.retain(|link| link.wake().is_some());
        let seed = self.chance.u64(..);
        self.links.push(Link::new(config, capacity, seed));
        self.mischief = mischief;
    }

    /// The same with all that is under way lost.
    pub(super) fn rebind(&mut self, config: &LinkConfig, mischief: Mischief) {
        self.links.clear();
        self.change(config, mischief);
    }

    /// Carries a datagram.
    pub(super) fn offer(&mut self, now: Duration, load: Load) {
        let bytes = load.bytes.len() as u32 + AROUND;
        let packet = Packet {
            bytes,
            delay: None,
            payload: load,
        };
        if let Some(link) = self.links.last_mut() {
            link.offer(now, packet);
        }
    }

    /// What has arrived by `now`.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Load> {
        for at in 0..self.links.len() {
            while let Some(outcome) = self.links[at].poll(now) {
                if let Outcome::Delivered { packet, .. } = outcome {
                    self.arrive(packet.payload);
                }
            }
        }
        self.arrived.pop_front()
    }

    /// When something may arrive.
    pub(super) fn wake(&self) -> Option<Duration> {
        self.links.iter().filter_map(Link::wake).min()
    }

    fn arrive(&mut self, mut load: Load) {
        let Mischief {
            corrupt,
            truncate,
            again,
        } = self.mischief;
        if again > 0.0 {
            if self.chance.f64() < again && !self.old.is_empty() {
                let which = self.chance.usize(..self.old.len());
                self.arrived.extend(self.old.get(which).cloned());
            }
            if self.old.len() == REMEMBERED {
                self.old.pop_front();
            }
            self.old.push_back(load.clone());
        }
        if self.chance.f64() < corrupt {
            load.bytes = damage::corrupt(&load.bytes, &mut self.chance);
        }
        if self.chance.f64() < truncate {
            load.bytes = damage::truncate(&load.bytes, &mut self.chance);
        }
        self.arrived.push_back(load);
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::units::Bitrate;

    use super::*;
    use crate::link::{Rate, Time};

    fn config() -> LinkConfig {
        LinkConfig {
            rate: Some(Rate(Bitrate::from_kilobits_per_second(1000))),
            delay: Time(Duration::from_millis(20)),
            ..LinkConfig::default()
        }
    }

    fn load(byte: u8) -> Load {
        Load {
            connection: 1,
            bytes: vec![byte; 40].into(),
        }
    }

    fn arrived(route: &mut Route, millis: u64) -> Vec<Vec<u8>> {
        let now = Duration::from_millis(millis);
        std::iter::from_fn(|| route.poll(now))
            .map(|load| load.bytes.to_vec())
            .collect()
    }

    #[test]
    fn what_is_under_way_survives_a_change_and_not_a_rebinding() {
        let mut route = Route::new(&config(), 1);
        route.offer(Duration::ZERO, load(1));
        route.change(&config(), Mischief::default());
        route.offer(Duration::ZERO, load(2));
        assert_eq!(arrived(&mut route, 30), [[1; 40], [2; 40]]);
        route.offer(Duration::from_millis(30), load(3));
        route.rebind(&config(), Mischief::default());
        assert_eq!(route.wake(), None);
        assert!(arrived(&mut route, 90).is_empty());
    }

    #[test]
    fn bytes_arrive_as_the_mischief_says() {
        let run = |mischief| {
            let mut route = Route::new(&config(), 1);
            route.change(&config(), mischief);
            route.offer(Duration::ZERO, load(1));
            route.offer(Duration::ZERO, load(2));
            arrived(&mut route, 100)
        };
        let none = Mischief::default();
        let again = run(Mischief { again: 1.0, ..none });
        assert_eq!(again, [[1; 40], [1; 40], [2; 40]]);
        let corrupt = run(Mischief {
            corrupt: 1.0,
            ..none
        });
        assert!(corrupt[0].len() == 40 && corrupt[0] != [1; 40]);
        let cut = run(Mischief {
            truncate: 1.0,
            ..none
        });
        assert!(cut[0].len() < 40 && cut[1].len() < 40);
    }
}
