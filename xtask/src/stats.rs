//! Reading what the programs say: their `--stats` files and the address that raq-recv prints.

use std::{fs, net::SocketAddr, path::Path, time::SystemTime};

use anyhow::{Context as _, Result};
use raq_shared::stats::{
    FrameDecoded, FrameSent, FrameSkipped, Line, ReceiverRecord, ReceiverSummary, SenderRecord,
    SenderSummary,
};
use serde::de::DeserializeOwned;

/// The address in raq-recv's line "listening on ADDRESS".
pub fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    rest.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace())
        .next()?
        .parse()
        .ok()
}

/// Now, as the programs count it: microseconds since 1970.
#[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

/// The frames of raq-send's `--stats` file, and its summary.
///
/// # Errors
/// Where the file cannot be read, or a line of it, or the summary is missing.
pub fn sender(path: &Path) -> Result<(Vec<FrameSent>, SenderSummary)> {
    let (mut frames, mut summary) = (Vec::new(), None);
    for record in records(path)? {
        match record {
            SenderRecord::Connection(_) | SenderRecord::Skipped(_) | SenderRecord::Interval(_) => {}
            SenderRecord::Frame(frame) => frames.push(frame),
            SenderRecord::Summary(last) => summary = Some(last),
        }
    }
    Ok((
        frames,
        summary.context("raq-send's statistics have no summary")?,
    ))
}

/// The frames of raq-send's `--stats` file that were not sent.
///
/// # Errors
/// Where the file cannot be read, or a line of it.
pub fn skipped(path: &Path) -> Result<Vec<FrameSkipped>> {
    let records = records(path)?.into_iter();
    let skipped = records.filter_map(|record| match record {
        SenderRecord::Skipped(frame) => Some(frame),
        _ => None,
    });
    Ok(skipped.collect())
}

/// The frames of raq-recv's `--stats` file, and its summary.
///
/// # Errors
/// As [`sender`].
pub fn receiver(path: &Path) -> Result<(Vec<FrameDecoded>, ReceiverSummary)> {
    let (mut frames, mut summary) = (Vec::new(), None);
    for record in records(path)? {
        match record {
            ReceiverRecord::Interval(_) => {}
            ReceiverRecord::Frame(frame) => frames.push(frame),
            ReceiverRecord::Summary(last) => summary = Some(last),
        }
    }
    Ok((
        frames,
        summary.context("raq-recv's statistics have no summary")?,
    ))
}

fn records<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>> {
    let name = || format!("statistics {}", path.display());
    let text = fs::read_to_string(path).with_context(name)?;
    text.lines()
        .map(|line| record(line).with_context(name))
        .collect()
}

/// The record that a line holds.
///
/// # Errors
/// Where it holds none.
pub fn record<R: DeserializeOwned>(line: &str) -> Result<R> {
    Ok(serde_json::from_str::<Line<R>>(line)?.record)
}

/// Records for tests.
#[cfg(test)]
pub(crate) mod sample {
    use super::{FrameDecoded, FrameSent};

    /// Frame `frame`, sent, captured then.
    pub(crate) fn sent(frame: u32, capture_unix_us: u64) -> FrameSent {
        FrameSent {
            frame,
            capture_unix_us,
            coded_unix_us: capture_unix_us,
            sent_unix_us: 0,
            level: 50,
            codewords: vec![2],
            budget: 0,
            limit: String::new(),
            estimate_kbps: 0.0,
            queue_ms: 0.0,
            bytes: 0,
            datagrams: 1,
            left: 1,
            parity: 0,
            encode_ms: 0.0,
            code_ms: 0.0,
        }
    }

    /// Frame `frame`, shown then.
    pub(crate) fn decoded(frame: u32, shown_unix_us: u64) -> FrameDecoded {
        FrameDecoded {
            frame,
            arrived_unix_us: shown_unix_us,
            shown_unix_us,
            playout_wait_ms: 0.0,
            late: false,
            superseded: false,
            level: 50,
            codewords: vec![2],
            datagrams_received: 1,
            datagrams_expected: 1,
            concealed_tiles: 0,
            decode_ms: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_its_line() {
        for line in [
            "INFO listening on 127.0.0.1:4433",
            "listening on 127.0.0.1:4433; end with ctrl-C",
            "2026-11-21T10:00:00Z  INFO raq_recv: listening on 127.0.0.1:4433, key raq1abc",
        ] {
            assert_eq!(listening(line).map(|a| a.port()), Some(4433), "{line}");
        }
        assert_eq!(listening("listening on all ports"), None);
        assert_eq!(listening("[::1]:4433"), None);
    }
}
