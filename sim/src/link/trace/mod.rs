//! Recordings of what a link could carry, in the forms that are about.

mod alphartc;
mod cooked;
mod csv;
mod iso8601;
mod mahimahi;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use raq_shared::{
    paths::{DATA_VARIABLE, outside_data},
    text_file,
};

/// Larger files are not traces of a link.
const LARGEST_FILE: u64 = 256 << 20;
/// Longer than any trace, in seconds.
const LONGEST: f64 = 30.0 * 24.0 * 3600.0;
/// Faster than any link, in Mbit/s.
const FASTEST: f64 = 1e6;

/// What a link could carry over a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    form: Form,
    pub(super) supply: TraceSupply,
}

/// How a trace file is written, recognised by what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON of AlphaRTC and OpenNetLab: `uplink.trace_pattern`, a list of `capacity` in kbit/s and
    /// `duration` in ms.
    AlphaRtc,
    /// Two columns as of Pensieve, seconds and Mbit/s. A rate holds until the next line's time, the
    /// last one for as long as the one before it.
    Cooked,
    /// Columns with a header, among them `time` (ISO 8601) and `throughput_mbps`. A rate holds as
    /// in [`Self::Cooked`].
    Csv,
    /// One whole number a line: a millisecond in which the link carries 1500 bytes
    /// (mm-link(1) of mahimahi).
    Mahimahi,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TraceSupply {
    /// (Beginning in nanoseconds, bits per second), and the length in nanoseconds.
    Rates(Vec<(u64, u64)>, u64),
    /// Milliseconds.
    Opportunities(Arc<[u32]>),
}

/// Why a trace cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), Line(*line))]
pub struct TraceError {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// What is wrong with a text, and in which line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    line: Option<usize>,
    what: String,
}

impl Problem {
    fn at(line: usize, what: impl fmt::Display) -> Self {
        Self {
            line: Some(line),
            what: what.to_string(),
        }
    }

    fn whole(what: &str) -> Self {
        Self {
            line: None,
            what: what.to_owned(),
        }
    }
}

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    /// [`TraceError`] where the file cannot be read, is in none of the forms, says something
    /// impossible, or never carries anything.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let error = |line, problem| TraceError {
            path: path.to_owned(),
            line,
            problem,
        };
        let unreadable = |e: std::io::Error| {
            let cure = match path.starts_with(outside_data()) {
                true => format!("set {DATA_VARIABLE} to the folder that has traces/"),
                false => "name a file that can be read".to_owned(),
            };
            error(None, format!("cannot read it: {e}; {cure}"))
        };
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > LARGEST_FILE {
            return Err(error(
                None,
                format!("{length} bytes are too many for a trace; cut it"),
            ));
        }
        let text = text_file::read(path, LARGEST_FILE).map_err(unreadable)?;
        Self::parse(&text).map_err(|problem| error(problem.line, problem.what))
    }

    /// Where a trace lies: `$RAQ_DATA/…` in the folder of outside data, another path in `base`
    /// unless it is absolute.
    pub fn locate(name: &str, base: &Path) -> PathBuf {
        let rest = name
            .strip_prefix('$')
            .and_then(|name| name.strip_prefix(DATA_VARIABLE));
        match rest.and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => outside_data().join(rest),
            None => base.join(name),
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let Some((line, first)) = lines(text).next() else {
            return Err(Problem::whole(
                "nothing is in it; give a trace with at least one line",
            ));
        };
        let form = if first.starts_with('{') {
            Form::AlphaRtc
        } else if first.contains(',') {
            Form::Csv
        } else {
            match first.split_whitespace().count() {
                1 => Form::Mahimahi,
                2 => Form::Cooked,
                _ => {
                    return Err(Problem::at(
                        line,
                        "no form of trace begins like this; give mahimahi milliseconds, two \
                         columns of seconds and Mbit/s, CSV with time and throughput_mbps, or \
                         AlphaRTC's JSON",
                    ));
                }
            }
        };
        let supply = match form {
            Form::AlphaRtc => alphartc::parse(text)?,
            Form::Cooked => held(&cooked::parse(text)?),
            Form::Csv => held(&csv::parse(text)?),
            Form::Mahimahi => TraceSupply::Opportunities(mahimahi::parse(text)?.into()),
        };
        let carries = match &supply {
            TraceSupply::Rates(pieces, length) => {
                let ends = pieces.iter().skip(1).map(|piece| piece.0).chain([*length]);
                ends.zip(pieces)
                    .any(|(end, piece)| end > piece.0 && piece.1 > 0)
            }
            TraceSupply::Opportunities(times) => times.last().is_some_and(|&last| last > 0),
        };
        if carries {
            Ok(Self { form, supply })
        } else {
            Err(Problem::whole(
                "it never carries anything; give a trace with some capacity",
            ))
        }
    }

    /// How the file is written.
    pub fn form(&self) -> Form {
        self.form
    }

    /// How long it is; then it begins anew.
    pub fn duration(&self) -> Duration {
        match &self.supply {
            TraceSupply::Rates(_, length) => Duration::from_nanos(*length),
            TraceSupply::Opportunities(times) => {
                Duration::from_millis(times.last().copied().unwrap_or(0).into())
            }
        }
    }
}

/// The lines that are not blank, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .map(|(number, line)| (number + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// A rate from a moment on.
#[derive(Debug, Clone, Copy)]
struct Sample {
    seconds: f64,
    mbps: f64,
}

/// Checks a time, which must not be before `last`, and a rate.
fn sample(line: usize, last: Option<Sample>, seconds: f64, mbps: f64) -> Result<Sample, Problem> {
    let earliest = last.map_or(0.0, |last| last.seconds);
    if !(earliest..=earliest + LONGEST).contains(&seconds) {
        return Err(Problem::at(
            line,
            format_args!("time {seconds} s does not follow {earliest} s; sort the lines by time"),
        ));
    }
    if !(0.0..=FASTEST).contains(&mbps) {
        return Err(Problem::at(
            line,
            format_args!("{mbps} Mbit/s is no rate; give 0 to {FASTEST} Mbit/s"),
        ));
    }
    Ok(Sample { seconds, mbps })
}

/// Each rate holds until the next; the last for as long as the one before it, a single one for a
/// second.
fn held(samples: &[Sample]) -> TraceSupply {
    let first = samples.first().map_or(0.0, |first| first.seconds);
    let mut pieces: Vec<(u64, u64)> = Vec::with_capacity(samples.len());
    for sample in samples {
        let start = ((sample.seconds - first) * 1e9).round() as u64;
        // Of several rates at one time the last holds.
        pieces.pop_if(|piece| piece.0 == start);
        pieces.push((start, (sample.mbps * 1e6).round() as u64));
    }
    let length = match pieces[..] {
        [.., before, last] => last.0 + (last.0 - before.0),
        _ => 1_000_000_000,
    };
    TraceSupply::Rates(pieces, length)
}

#[cfg(test)]
mod tests;
