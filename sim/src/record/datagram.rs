//! What became of a datagram.

use serde::{Deserialize, Serialize};

/// A row of `datagrams.csv`: one datagram on its way through one direction of the link. Where the
/// link duplicates, the copy is a row of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatagramRow {
    /// Media flow, from 0; for cross traffic the number of its source, from 0.
    pub flow: u32,
    /// Which way.
    pub direction: Direction,
    /// What for.
    pub kind: Kind,
    /// Frame that it is a part of.
    pub frame: Option<u64>,
    /// Its number within the frame, from 0.
    pub index: Option<u32>,
    /// Its size on the link, with UDP and IP headers.
    pub bytes: u32,
    /// When it was handed to the link, microseconds.
    pub offered_us: u64,
    /// When it had left the queue, wholly sent; microseconds.
    pub left_us: Option<u64>,
    /// When it arrived at the other end, microseconds.
    pub arrived_us: Option<u64>,
    /// Why it never arrives; empty where it did, or is still on its way at the end of the run.
    pub lost: Option<Loss>,
}

/// A direction of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// That of the media, sender to receiver.
    Down,
    /// That of the feedback.
    Up,
}

/// What a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A part of a frame.
    Media,
    /// What the receiver tells the sender.
    Feedback,
    /// QUIC's own: acknowledgements, handshakes, the control stream.
    Quic,
    /// Sent to measure the link.
    Padding,
    /// Other people's traffic through the same link.
    Cross,
}

/// Why a datagram was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// The queue was full, or its discipline dropped it.
    Queue,
    /// The link loses at random, behind the queue.
    Random,
    /// The link was away.
    Outage,
}

impl DatagramRow {
    /// Sent by the flows that are measured, not by cross traffic.
    pub fn is_own(&self) -> bool {
        self.kind != Kind::Cross
    }

    /// Time between offering and having left the queue, microseconds; it includes the time that
    /// sending the datagram itself takes. None where it never left.
    pub fn queued_us(&self) -> Option<u64> {
        self.left_us
            .map(|left| left.saturating_sub(self.offered_us))
    }
}
