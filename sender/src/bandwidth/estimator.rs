//! Who says what the path carries: raq's own estimator, or libwebrtc's to hold it beside.

use std::time::Duration;

use raq_shared::units::Bitrate;

use super::gcc::Gcc;
use super::losses::Losses;
use super::{Arrival, Bandwidth, Datagram, EstimatorName};
use crate::rate::Standing;

/// One of the two; the methods are [`Bandwidth`]'s.
#[derive(Debug)]
pub enum Estimator {
    /// [`EstimatorName::Burst`].
    Burst(Box<Bandwidth>),
    /// [`EstimatorName::Gcc`].
    Gcc(Box<Gcc>),
}

impl Estimator {
    /// Before anything is known of the path, at `now`, which is never taken to carry less than `least`,
    /// and where no more than `most` is ever sent.
    pub fn new(name: EstimatorName, now: Duration, [least, most]: [Option<Bitrate>; 2]) -> Self {
        match name {
            EstimatorName::Burst => Self::Burst(Box::new(Bandwidth::with_least(least))),
            EstimatorName::Gcc => Self::Gcc(Box::new(Gcc::new(now, [least, most]))),
        }
    }

    /// A datagram leaves.
    pub fn sent(&mut self, datagram: Datagram) {
        match self {
            Self::Burst(it) => it.sent(datagram),
            Self::Gcc(it) => it.sent(datagram),
        }
    }

    /// See [`Bandwidth::heard`].
    pub fn heard(
        &mut self,
        now: Duration,
        arrivals: impl Iterator<Item = Arrival>,
        passed: Duration,
    ) -> bool {
        match self {
            Self::Burst(it) => it.heard(now, arrivals, passed),
            Self::Gcc(it) => it.heard(now, arrivals, passed),
        }
    }

    /// What there is to know before a frame, where they come every `interval` and `backlog` frames wait
    /// for the receiver's decoder; to be asked once for every frame.
    pub fn standing(&mut self, now: Duration, interval: Duration, backlog: u8) -> Standing {
        match self {
            Self::Burst(it) => Standing {
                silence: it.silence(now),
                rate: it.rate(),
                room: it.room(interval),
                backlog,
            },
            Self::Gcc(it) => {
                let (rate, room) = match it.frame() {
                    Some(rate) => (rate, i64::MAX),
                    None => (it.estimate(), 0),
                };
                Standing {
                    silence: it.silence(now),
                    rate,
                    room,
                    backlog,
                }
            }
        }
    }

    /// Does what is due at `now`. Whether something small is to be sent, for an answer.
    pub fn beat(&mut self, now: Duration) -> bool {
        match self {
            Self::Burst(it) => it.beat(now),
            Self::Gcc(it) => it.beat(now),
        }
    }

    /// When [`beat`](Self::beat) is to be asked.
    pub fn wake(&self) -> Option<Duration> {
        match self {
            Self::Burst(it) => it.wake(),
            Self::Gcc(it) => Some(it.wake()),
        }
    }

    /// What the path carries.
    pub fn estimate(&self) -> Bitrate {
        match self {
            Self::Burst(it) => it.estimate(),
            Self::Gcc(it) => it.estimate(),
        }
    }

    /// How fast datagrams leave.
    pub fn pace(&self) -> Bitrate {
        match self {
            Self::Burst(it) => it.pace(),
            Self::Gcc(it) => it.pace(),
        }
    }

    /// Whether somebody else fills the queue, as far as the estimator knows of such.
    pub fn has_rival(&self) -> bool {
        match self {
            Self::Burst(it) => it.has_rival(),
            Self::Gcc(_) => false,
        }
    }

    /// The least round trip of late.
    pub fn round_trip(&self) -> Duration {
        match self {
            Self::Burst(it) => it.round_trip(),
            Self::Gcc(it) => it.round_trip(),
        }
    }

    /// Time that the newest arrival spent in the queue.
    pub fn queue(&self) -> Duration {
        match self {
            Self::Burst(it) => it.queue(),
            Self::Gcc(it) => it.queue(),
        }
    }

    /// Losses of late.
    pub fn losses(&self) -> &Losses {
        match self {
            Self::Burst(it) => it.losses(),
            Self::Gcc(it) => it.losses(),
        }
    }

    /// See [`Bandwidth::datagrams`]; with libwebrtc's, no more than the frame's size asks for.
    pub fn datagrams(&mut self, bytes: usize, anyway: u8) -> u8 {
        match self {
            Self::Burst(it) => it.datagrams(bytes, anyway),
            Self::Gcc(_) => anyway,
        }
    }
}
