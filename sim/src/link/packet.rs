//! What travels over a link, and what becomes of it.

use std::time::Duration;

/// Something to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<T> {
    /// Its size on the link in bytes, UDP and IP headers included.
    pub bytes: u32,
    /// The one-way delay of its flow, in place of the link's.
    pub delay: Option<Duration>,
    /// What it carries.
    pub payload: T,
}

/// Why a packet was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The queue was full during an outage.
    Outage,
    /// The queue was full, CoDel thought it too long, or it was more than the policer's rate.
    Queue,
    /// By chance, behind the queue: it used capacity.
    Random,
}

impl Cause {
    /// The word for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Queue => "queue",
            Self::Random => "random",
        }
    }
}

/// What became of a packet. All times are since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It arrived. A duplicate is a second such outcome.
    Delivered {
        /// What was offered.
        packet: Packet<T>,
        /// When.
        offered: Duration,
        /// When it had left the queue, wholly sent: `left - offered` is its queueing delay.
        left: Duration,
        /// When it reached the far end.
        arrived: Duration,
    },
    /// It did not.
    Lost {
        /// What was offered.
        packet: Packet<T>,
        /// When.
        offered: Duration,
        /// When it was lost.
        at: Duration,
        /// Why.
        cause: Cause,
    },
}

impl<T> Outcome<T> {
    /// When it was decided: the arrival or the loss.
    pub fn at(&self) -> Duration {
        match *self {
            Self::Delivered { arrived, .. } => arrived,
            Self::Lost { at, .. } => at,
        }
    }
}
