//! The flags about watching.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::exit::{Exit, Failure};
use crate::paths::same_file;
use crate::stats::StatsFormat;
use crate::stats::columns::Rows;
use crate::units::parse_duration;

/// How long an interval is where nothing is said.
const INTERVAL: Duration = Duration::from_secs(1);
/// The shortest and the longest one.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(600);

/// Flags about watching a program.
#[derive(Args, Clone, Debug)]
pub struct ObserveArgs {
    /// Write a line per frame, and a summary at the end; - is standard output; may be given again
    ///
    /// A file that ends in .csv gets comma-separated values, any other one JSON lines, unless
    /// --stats-format says otherwise.
    #[arg(long, value_name = "FILE|-", help_heading = "Observation")]
    pub stats: Vec<PathBuf>,
    /// How --stats is written: json or csv [default: by the name]
    #[arg(
        long,
        value_name = "FORMAT",
        hide_possible_values = true,
        help_heading = "Observation"
    )]
    pub stats_format: Option<StatsFormat>,
    /// Give --stats a line per interval in the place of frames: 100ms to 10m
    ///
    /// The status line and --metrics tell of the same interval, of 1s where this is not given.
    #[arg(long, value_name = "TIME", value_parser = interval, help_heading = "Observation")]
    pub stats_interval: Option<Duration>,
    /// Serve figures for Prometheus over HTTP, at /metrics; on this machine alone where only a port is
    /// given
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "PORT|ADDR:PORT", value_parser = metrics_address,
        help_heading = "Observation")]
    pub metrics: Option<SocketAddr>,
    /// Write what QUIC does, packet by packet, into this folder: a qlog file per connection
    #[cfg(feature = "qlog")]
    #[arg(long, value_name = "DIR", help_heading = "Observation")]
    pub qlog: Option<PathBuf>,
    /// How the log is written: text, or json, an object per line
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = "Observation"
    )]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object per line.
    Json,
}

impl ObserveArgs {
    /// What lines of `--stats` are about.
    pub fn rows(&self) -> Rows {
        match self.stats_interval {
            Some(_) => Rows::Intervals,
            None => Rows::Frames,
        }
    }

    /// How long figures are summed up.
    pub fn interval(&self) -> Duration {
        self.stats_interval.unwrap_or(INTERVAL)
    }

    /// The places of `--stats` and their formats.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Path, StatsFormat)> {
        let format = |path| self.stats_format.unwrap_or_else(|| StatsFormat::of(path));
        self.stats
            .iter()
            .map(move |path| (path.as_path(), format(path)))
    }

    /// Looks whether every place of `--stats` is one of its own. `taken` are flags and what they name; - is
    /// standard output.
    ///
    /// # Errors
    /// [`Failure`] where one is not.
    pub fn check(&self, taken: &[(&str, &Path)]) -> Result<(), Failure> {
        let wrong = |text: String| Err(Failure::new(Exit::Usage, text));
        for (index, path) in self.stats.iter().enumerate() {
            let name = path.display();
            if self.stats[..index].iter().any(|it| same_file(it, path)) {
                return wrong(format!("--stats {name} is given twice; give it once"));
            }
            if let Some((flag, _)) = taken.iter().find(|(_, it)| same_file(it, path)) {
                return wrong(format!(
                    "--stats {name} is also {flag}; give one of them another file"
                ));
            }
        }
        Ok(())
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    match INTERVALS.contains(&time) {
        true => Ok(time),
        false => Err("give 100ms to 10m".to_owned()),
    }
}

/// A port of this machine alone, or an address; port 0 is any free one.
#[cfg_attr(not(feature = "metrics"), allow(dead_code))]
fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse()
        .map_err(|_| format!("{text:?} is no address; give a PORT, ADDR:PORT or [IPV6]:PORT"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        observe: ObserveArgs,
    }

    fn parse(args: &[&str]) -> Result<ObserveArgs, clap::Error> {
        let all = ["program"].iter().chain(args);
        Program::try_parse_from(all).map(|program| program.observe)
    }

    #[test]
    fn formats_follow_names_unless_they_are_given() {
        let formats = |args: &[&str]| {
            let args = parse(args).unwrap();
            args.places().map(|(_, format)| format).collect::<Vec<_>>()
        };
        use StatsFormat::{Csv, Json};
        assert_eq!(formats(&[]), []);
        let three = ["--stats", "a", "--stats", "b.csv", "--stats", "-"];
        assert_eq!(formats(&three), [Json, Csv, Json]);
        let csv = ["--stats", "a", "--stats-format", "csv"];
        assert_eq!(formats(&csv), [Csv]);
        assert!(parse(&["--stats-format", "xml"]).is_err());
    }

    #[test]
    fn intervals_have_bounds() {
        let interval = |text| parse(&["--stats-interval", text]);
        for good in ["100ms", "1", "10m"] {
            assert_eq!(interval(good).unwrap().rows(), Rows::Intervals, "{good}");
        }
        for bad in ["99ms", "11m", "0", "-1s", "soon"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
        let default = parse(&[]).unwrap();
        assert_eq!(
            (default.rows(), default.interval()),
            (Rows::Frames, INTERVAL)
        );
    }

    #[test]
    fn every_place_is_one_of_its_own() {
        let check = |args: &[&str], taken: &str| {
            let args = parse(args).unwrap();
            args.check(&[("--output", Path::new(taken))])
        };
        assert!(check(&["--stats", "-", "--stats", "a"], "b").is_ok());
        assert!(check(&["--stats", "a"], "-").is_ok());
        for (stats, output) in [("-", "-"), ("a", "a"), ("a", "./a"), ("../a", ".././a")] {
            let taken = check(&["--stats", stats], output).unwrap_err();
            assert_eq!(taken.exit, Exit::Usage);
            assert!(taken.message.contains("also --output"), "{taken}");
        }
        let twice = check(&["--stats", "a", "--stats", "./a"], "b").unwrap_err();
        assert!(twice.message.contains("twice"), "{twice}");
    }

    #[test]
    fn a_port_alone_is_of_this_machine() {
        assert_eq!(
            metrics_address("9464").unwrap().to_string(),
            "127.0.0.1:9464"
        );
        assert_eq!(metrics_address("[::]:1").unwrap().to_string(), "[::]:1");
        for bad in ["", "x", "70000", "localhost:1", ":9464"] {
            assert!(metrics_address(bad).unwrap_err().contains("PORT"), "{bad}");
        }
    }
}
