//! Who decides how much is sent: raq's own estimate, and others to hold it beside.
//!
//! | name | decides by |
//! |---|---|
//! | `raq` | how far the path spreads frames, as the product does |
//! | `raq+gcc` | libwebrtc's congestion control within the product, without probes |
//! | `gcc` | libwebrtc's congestion control: delay gradients, losses, probes |
//! | `salsify` | time between arriving datagrams, and what is in flight (NSDI'18) |
//! | `oracle` | knowing what the link carries |
//! | `fixed:KBPS` | nothing |
//!
//! A [`Policy`] sits at the sender. It holds no socket, clock or thread: it is told what was sent
//! and what the receiver says has arrived, and asked before every frame. Times are since the start
//! of the scenario.

mod fixed;
mod gcc;
mod name;
mod oracle;
mod raq;
mod salsify;
mod setup;

#[cfg(test)]
mod closed_loop;

use std::time::Duration;

use raq_send::bandwidth::EstimatorName;
use raq_shared::units::Bitrate;

pub use fixed::Fixed;
pub use gcc::Gcc;
pub use name::{PolicyName, distinct};
pub use oracle::Oracle;
pub use raq::Raq;
pub use salsify::Salsify;
pub use setup::{Carries, Setup};

/// A datagram handed to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentDatagram {
    /// Counts a flow's datagrams, padding included, from the first on without gaps.
    pub sequence: u64,
    /// Its size on the link, with QUIC's, UDP's and IP's headers.
    pub bytes: u32,
    /// When it was handed over.
    pub at: Duration,
    /// Whether it carries nothing and was asked for by [`Policy::padding`].
    pub padding: bool,
}

/// What the receiving side tells: made and sent there, heard by the policy later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// When it was made.
    pub made: Duration,
    /// Sequence and arrival time of every datagram that came since the last one was made, in order
    /// of arrival.
    pub arrivals: Vec<(u64, Duration)>,
}

/// When the receiving side makes [`Feedback`]; never for no arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackTiming {
    /// Never: the product's own reports tell it.
    Never,
    /// For each datagram as it arrives.
    EveryDatagram,
    /// For what arrived in each such time.
    Every(Duration),
}

/// What QUIC itself knows, given before every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    /// Congestion window, bytes.
    pub window: u64,
    /// Smoothed round-trip time.
    pub round_trip: Duration,
    /// Shortest round-trip time.
    pub shortest: Duration,
    /// Bytes handed over and not yet sent.
    pub queued: usize,
}

/// Decides how much a sender sends and when.
pub trait Policy: std::fmt::Debug {
    /// How often it wants to hear from the receiver.
    fn feedback_timing(&self) -> FeedbackTiming;

    /// A datagram was handed to the network; called in order of sequence.
    fn sent(&mut self, _datagram: &SentDatagram) {}

    /// Feedback has reached the sender.
    fn feedback(&mut self, _now: Duration, _feedback: &Feedback) {}

    /// When [`tick`](Self::tick) is due, if ever.
    fn wake(&self) -> Option<Duration> {
        None
    }

    /// Time has come to [`wake`](Self::wake). [`padding`](Self::padding) is asked afterwards.
    fn tick(&mut self, _now: Duration) {}

    /// What a frame due now may take, as the rate that the session divides into frames; `None` to
    /// skip the frame. Asked once for each frame.
    fn permit(&mut self, now: Duration, transport: &Transport) -> Option<Bitrate>;

    /// The estimator by which the session itself decides on frames, as in the product; `None` where a
    /// frame may take exactly its share of the permitted rate.
    fn estimator(&self) -> Option<EstimatorName> {
        None
    }

    /// How fast datagrams leave; `None` for at once.
    fn pace(&self) -> Option<Bitrate> {
        None
    }

    /// Bytes on the link of padding to send now as one datagram, if any; asked until `None`.
    fn padding(&mut self, _now: Duration) -> Option<u32> {
        None
    }

    /// What it takes the path to carry, for the records.
    fn estimate(&self) -> Bitrate;
}
