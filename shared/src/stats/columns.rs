//! The columns of `--stats` as CSV: one table, in which every row leaves empty what its type has not.
//! Codebook sizes are separated by blanks.

/// Columns of an interval, in the order of [`Figures`](crate::meter::Figures).
const INTERVAL: [&str; 19] = [
    "unix_ms",
    "seconds",
    "frames",
    "skipped",
    "bytes",
    "fps",
    "kbps",
    "target_kbps",
    "estimate_kbps",
    "level",
    "codewords_least",
    "codewords_median",
    "codewords_most",
    "rtt_ms",
    "loss",
    "delay_p50_ms",
    "delay_p95_ms",
    "concealed",
    "decode_ms",
];
const FRAME_SENT: [&str; 17] = [
    "frame",
    "capture_unix_us",
    "coded_unix_us",
    "sent_unix_us",
    "level",
    "codewords",
    "budget",
    "limit",
    "reason",
    "estimate_kbps",
    "queue_ms",
    "bytes",
    "datagrams",
    "parity",
    "left",
    "encode_ms",
    "code_ms",
];
const SENDER: [&str; 13] = [
    "change",
    "unix_us",
    "peer",
    "reason",
    "connections",
    "frames_sent",
    "frames_skipped",
    "bytes",
    "seconds",
    "estimator",
    "provider",
    "codebook_digest",
    "codebook_shipped",
];
const FRAME_DECODED: [&str; 12] = [
    "frame",
    "arrived_unix_us",
    "shown_unix_us",
    "playout_wait_ms",
    "late",
    "superseded",
    "level",
    "codewords",
    "datagrams_received",
    "datagrams_expected",
    "concealed_tiles",
    "decode_ms",
];
const RECEIVER: [&str; 11] = [
    "frames_decoded",
    "frames_partial",
    "frames_lost",
    "frames_overrun",
    "frames_late",
    "frames_superseded",
    "bytes",
    "seconds",
    "provider",
    "codebook_digest",
    "codebook_shipped",
];

/// What the lines of a table are about, besides sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A frame each.
    Frames,
    /// An interval each.
    Intervals,
}

/// The columns of raq-send's table.
pub fn sender(rows: Rows) -> Vec<&'static str> {
    table(rows, &FRAME_SENT, &SENDER)
}

/// The columns of raq-recv's table.
pub fn receiver(rows: Rows) -> Vec<&'static str> {
    table(rows, &FRAME_DECODED, &RECEIVER)
}

fn table(rows: Rows, frame: &[&'static str], session: &[&'static str]) -> Vec<&'static str> {
    let first = match rows {
        Rows::Frames => frame,
        Rows::Intervals => &INTERVAL,
    };
    let mut columns = vec!["type"];
    for column in first.iter().chain(session) {
        if !columns.contains(column) {
            columns.push(column);
        }
    }
    columns
}
