//! The metrics: names with base units as Prometheus wants them, what they mean, where they come from.

use super::Totals;
use crate::meter::Figures;

/// What all names begin with, and an underscore.
pub(super) const PREFIX: &str = "raq";

/// A figure of the last interval.
pub(super) struct Gauge {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) get: fn(&Figures) -> Option<f64>,
}

/// A sum over everything.
pub(super) struct Total {
    /// Without `_total`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) get: fn(&Totals) -> u64,
}

/// Name and meaning.
pub(super) const SESSION: (&str, &str) = ("session", "Whether there is a session, 0 or 1");

pub(super) const TOTALS: [Total; 4] = [
    total("sessions", "Sessions begun", |it| it.sessions),
    total("frames", "Frames sent, or shown", |it| it.frames),
    total("skipped_frames", "Frames not sent, or not shown", |it| {
        it.skipped
    }),
    total("bytes", "Bytes of datagrams sent, or received", |it| {
        it.bytes
    }),
];

pub(super) const GAUGES: [Gauge; 17] = [
    gauge(
        "interval_end_timestamp_seconds",
        "End of the last interval",
        |it| Some(it.unix_ms as f64 / 1e3),
    ),
    gauge("interval_seconds", "Length of the last interval", |it| {
        Some(it.seconds)
    }),
    gauge("frames_per_second", "Frames sent, or shown", |it| {
        Some(it.fps)
    }),
    gauge("rate_bits_per_second", "What was sent, or received", |it| {
        Some(it.kbps * 1e3)
    }),
    gauge(
        "target_bits_per_second",
        "What frames might have taken",
        |it| it.target_kbps.map(|rate| rate * 1e3),
    ),
    gauge(
        "estimate_bits_per_second",
        "What the path is taken to carry",
        |it| it.estimate_kbps.map(|rate| rate * 1e3),
    ),
    gauge("level", "Quality level of the last frame, 0 to 96", |it| {
        it.level.map(f64::from)
    }),
    gauge(
        "codewords_least",
        "Least codebook size of the last frame's stages",
        |it| it.codewords_least.map(f64::from),
    ),
    gauge(
        "codewords_median",
        "Median codebook size of the last frame's stages",
        |it| it.codewords_median.map(f64::from),
    ),
    gauge(
        "codewords_most",
        "Largest codebook size of the last frame's stages",
        |it| it.codewords_most.map(f64::from),
    ),
    gauge("rtt_seconds", "Round trip of QUIC", |it| seconds(it.rtt_ms)),
    gauge("loss_ratio", "Share of datagrams lost", |it| it.loss),
    gauge(
        "delay_p50_seconds",
        "Delay, median: capture to departure, or above the least",
        |it| seconds(it.delay_p50_ms),
    ),
    gauge("delay_p95_seconds", "Delay, 95th percentile", |it| {
        seconds(it.delay_p95_ms)
    }),
    gauge("concealed_ratio", "Share of tiles never received", |it| {
        it.concealed
    }),
    gauge(
        "decode_seconds",
        "Time in the decoder network, mean",
        |it| seconds(it.decode_ms),
    ),
    gauge(
        "skipped_frames_per_second",
        "Frames not sent, or not shown",
        |it| Some(f64::from(it.skipped) / it.seconds),
    ),
];

const fn gauge(name: &'static str, help: &'static str, get: fn(&Figures) -> Option<f64>) -> Gauge {
    Gauge { name, help, get }
}

const fn total(name: &'static str, help: &'static str, get: fn(&Totals) -> u64) -> Total {
    Total { name, help, get }
}

fn seconds(millis: Option<f64>) -> Option<f64> {
    millis.map(|millis| millis / 1e3)
}

/// All names, as Prometheus shows them.
pub fn names() -> Vec<String> {
    let totals = TOTALS
        .iter()
        .map(|it| format!("{PREFIX}_{}_total", it.name));
    let gauges = GAUGES.iter().map(|it| it.name).chain([SESSION.0]);
    totals
        .chain(gauges.map(|name| format!("{PREFIX}_{name}")))
        .collect()
}
