//! The JSON of AlphaRTC.

use serde::Deserialize;

use super::{FASTEST, LONGEST, Problem, TraceSupply};

#[derive(Deserialize)]
struct File {
    uplink: Uplink,
}

#[derive(Deserialize)]
struct Uplink {
    trace_pattern: Vec<Piece>,
}

/// Loss and jitter, which some files have, are the link's own business here.
#[derive(Deserialize)]
struct Piece {
    capacity: Kbps,
    duration: Millis,
}

#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Kbps(f64);

#[derive(Deserialize)]
#[serde(try_from = "f64")]
struct Millis(f64);

impl TryFrom<f64> for Kbps {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        match (0.0..=FASTEST * 1e3).contains(&value) {
            true => Ok(Self(value)),
            false => Err(format!("capacity {value} is no rate; give kbit/s from 0")),
        }
    }
}

impl TryFrom<f64> for Millis {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        match (0.001..=LONGEST * 1e3).contains(&value) {
            true => Ok(Self(value)),
            false => Err(format!("duration {value} is no time; give ms, more than 0")),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<TraceSupply, Problem> {
    let file: File = serde_json::from_str(text).map_err(|e| {
        Problem::at(
            e.line(),
            format_args!("{e}; write it as AlphaRTC's traces are"),
        )
    })?;
    let mut end = 0u64;
    let mut pieces = Vec::new();
    for piece in file.uplink.trace_pattern {
        pieces.push((end, (piece.capacity.0 * 1e3).round() as u64));
        end = end.saturating_add((piece.duration.0 * 1e6).round() as u64);
    }
    Ok(TraceSupply::Rates(pieces, end))
}
