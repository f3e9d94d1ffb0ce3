//! The records of `--stats FILE`: one JSON object or one row of CSV per line, a summary last.
//!
//! Times of day are microseconds since 1970 (Unix time), durations milliseconds.

pub mod columns;
#[cfg(feature = "cli")]
mod file;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::meter::Figures;

#[cfg(feature = "cli")]
pub use file::{StatsFile, StatsFormat};

/// The value of every line's `schema`.
pub const SCHEMA: &str = "raq-stats/1";

/// One line: `{"schema":"raq-stats/1","type":"frame",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line<R> {
    /// [`SCHEMA`].
    pub schema: String,
    /// The rest of the line.
    #[serde(flatten)]
    pub record: R,
}

impl<R> Line<R> {
    /// `record` under the present schema.
    pub fn new(record: R) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            record,
        }
    }
}

/// A line of raq-send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SenderRecord {
    /// A connection was made or lost. Frame numbers begin again with each.
    Connection(ConnectionRecord),
    /// A frame was sent.
    Frame(FrameSent),
    /// A frame was not.
    Skipped(FrameSkipped),
    /// An interval is over: with `--stats-interval` in the place of frames.
    Interval(Figures),
    /// The program ends.
    Summary(SenderSummary),
}

/// A line of raq-recv.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReceiverRecord {
    /// A frame was decoded.
    Frame(FrameDecoded),
    /// An interval is over: with `--stats-interval` in the place of frames.
    Interval(Figures),
    /// The session is over.
    Summary(ReceiverSummary),
}

/// A connection that was made or lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// Which of the two.
    pub change: ConnectionChange,
    /// When.
    pub unix_us: u64,
    /// The receiver's address.
    pub peer: String,
    /// Why it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionChange {
    /// It was made.
    Made,
    /// It was lost, or refused by the receiver.
    Lost,
}

/// A frame as the sender saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameSent {
    /// Frame number.
    pub frame: u32,
    /// When it was captured (for a file: when it was due).
    pub capture_unix_us: u64,
    /// When it was coded: from then on its datagrams leave one by one, as the path carries them.
    pub coded_unix_us: u64,
    /// When its last datagram was handed to QUIC, or dropped.
    pub sent_unix_us: u64,
    /// Quality level, 0 to 96.
    pub level: u8,
    /// Codebook size K̃ of every stage.
    pub codewords: Vec<u16>,
    /// Bytes that it might have taken.
    pub budget: u64,
    /// Why no more: its share of the `rate`, the `room` that what is under way leaves, the user's
    /// `max-rate`, or the `picture`, which needs no more.
    pub limit: String,
    /// What the path was taken to carry, kbit/s.
    pub estimate_kbps: f64,
    /// Time in the path's queue, as far as was known.
    pub queue_ms: f64,
    /// Bytes of its datagrams that left, headers included.
    pub bytes: u64,
    /// Number of its datagrams, those of parity included.
    pub datagrams: u8,
    /// Those of parity.
    pub parity: u8,
    /// Those of them that left; the others became too old.
    pub left: u8,
    /// Time in the encoder network.
    pub encode_ms: f64,
    /// Time in choosing operations and coding them.
    pub code_ms: f64,
}

/// A frame that was not sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameSkipped {
    /// Frame number.
    pub frame: u32,
    /// When it was captured.
    pub capture_unix_us: u64,
    /// Why: no `room` beside what is under way, a `rate` too low for all frames, `silence` of the
    /// receiver, or a `backlog` of frames that it has not decoded.
    pub reason: String,
    /// What the path was taken to carry, kbit/s.
    pub estimate_kbps: f64,
    /// Time in the path's queue, as far as was known.
    pub queue_ms: f64,
}

/// The sender's last line, over all connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SenderSummary {
    /// Connections made.
    pub connections: u32,
    /// Frames sent.
    pub frames_sent: u32,
    /// Frames of the source that were not sent: too late, or nothing could be sent.
    pub frames_skipped: u32,
    /// Bytes of all datagrams, headers included.
    pub bytes: u64,
    /// From the first frame's capture to the end.
    pub seconds: f64,
    /// Who said what the network carried, `burst` or `gcc`.
    pub estimator: String,
    /// What ran the encoder, `cpu` or `cuda:N`.
    pub provider: String,
    /// Digest of the codebooks used, hexadecimal.
    pub codebook_digest: String,
    /// Whether a receiver had to be sent the codebooks.
    pub codebook_shipped: bool,
}

/// A frame as the receiver saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameDecoded {
    /// Frame number.
    pub frame: u32,
    /// When nothing more of it was waited for.
    pub arrived_unix_us: u64,
    /// When it came onto the screen, or gave way to a newer one; without a window when it was
    /// decoded.
    pub shown_unix_us: u64,
    /// How long it waited for that, so that frames follow each other evenly.
    pub playout_wait_ms: f64,
    /// Whether it was ready over 5 ms after its time.
    pub late: bool,
    /// Whether it was not shown because a newer one was due.
    pub superseded: bool,
    /// Quality level, 0 to 96.
    pub level: u8,
    /// Codebook size K̃ of every stage.
    pub codewords: Vec<u16>,
    /// Datagrams that arrived.
    pub datagrams_received: u8,
    /// Datagrams it was sent in.
    pub datagrams_expected: u8,
    /// Tiles that were never received and show their neighbours.
    pub concealed_tiles: u32,
    /// Time in the decoder network.
    pub decode_ms: f64,
}

/// The receiver's last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiverSummary {
    /// Frames decoded, partial ones included.
    pub frames_decoded: u32,
    /// Frames decoded with datagrams missing.
    pub frames_partial: u32,
    /// Frames of which nothing could be shown.
    pub frames_lost: u32,
    /// Frames left out because the decoder was behind.
    pub frames_overrun: u32,
    /// Frames ready over 5 ms after their time.
    pub frames_late: u32,
    /// Frames decoded and not shown because a newer one was due.
    pub frames_superseded: u32,
    /// Bytes of all datagrams that arrived, headers included.
    pub bytes: u64,
    /// From the first datagram to the end.
    pub seconds: f64,
    /// What ran the decoder, `cpu` or `cuda:N`.
    pub provider: String,
    /// Digest of the codebooks used, hexadecimal.
    pub codebook_digest: String,
    /// Whether the codebooks had to be received.
    pub codebook_shipped: bool,
}

/// A time in milliseconds, to the microsecond.
pub fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

/// K̃ of the stages that a model has, of a list with 0 for the others.
pub fn used(codewords: &[u16]) -> Vec<u16> {
    let used = codewords.iter().copied();
    used.take_while(|&codewords| codewords > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn summary() -> SenderSummary {
        SenderSummary {
            connections: 1,
            frames_sent: 1,
            frames_skipped: 2,
            bytes: 3,
            seconds: 0.5,
            estimator: "burst".into(),
            provider: "cpu".into(),
            codebook_digest: "00".into(),
            codebook_shipped: false,
        }
    }

    #[test]
    fn lines_are_flat_and_named() {
        let line = Line::new(SenderRecord::Summary(summary()));
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(r#"{"schema":"raq-stats/1","type":"summary","connections":1,"#));
        assert_eq!(
            serde_json::from_str::<Line<SenderRecord>>(&text).unwrap(),
            line
        );
    }
}
