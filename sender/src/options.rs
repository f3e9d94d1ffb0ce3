//! The command line of raq-send.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use raq_shared::cli::CommonArgs;
use raq_shared::exit::{EXIT_CODES, Exit, Failure};
use raq_shared::frame::FrameSize;
use raq_shared::units::{Bitrate, parse_bitrate, parse_duration};
use raq_shared::video::FrameRate;

use crate::bandwidth::EstimatorName;
#[cfg(feature = "camera")]
use crate::capture::camera::{Camera, CameraPath};
use crate::capture::clip::Clip;
use crate::capture::pattern::{Kind, Pattern};
use crate::capture::play::{Limits, Source};
use crate::choice::Speed;
use crate::fec::Fec;

/// Sends live video over QUIC, every frame in as many bytes as the network carries.
///
/// Prints nothing on standard output but what is asked for; the log goes to standard error.
#[derive(Parser, Clone, Debug)]
#[command(name = "raq-send", version, after_help = EXIT_CODES)]
pub struct Options {
    /// Where raq-recv listens; an IPv6 address stands in brackets
    #[arg(long, value_name = "HOST:PORT")]
    pub peer: Option<Peer>,
    /// Use at most so many codewords in every stage [default: as many as pay]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub codewords: Option<u16>,
    /// Send no more than this, whatever the network carries: 300k, 2M or 150000 bits a second
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub max_rate: Option<Bitrate>,
    /// Take the network to carry at least this, even where it seems to carry less
    #[arg(long, value_name = "RATE", value_parser = parse_bitrate)]
    pub min_rate: Option<Bitrate>,
    /// How old a frame may be when it leaves; what is older is dropped: 20ms to 5s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_latency)]
    pub latency: Duration,
    /// Let parity make up for lost datagrams where the network carries more than frames take, beyond
    /// --max-rate as well: auto or off
    #[arg(long, value_name = "WHEN", default_value_t)]
    pub fec: Fec,
    /// Try again whenever the connection is lost; it is the default
    #[arg(long, overrides_with = "no_reconnect")]
    pub reconnect: bool,
    /// End when the connection is lost
    #[arg(long, overrides_with = "reconnect")]
    pub no_reconnect: bool,
    /// Who says what the network carries: burst, raq's own, or gcc, libwebrtc's, for comparison, without
    /// padding probes, which raq never sends
    #[arg(long, value_name = "NAME", default_value_t)]
    pub estimator: EstimatorName,
    /// How much work the choice may do for a frame: fast, medium or thorough
    #[arg(long, value_name = "SPEED", default_value_t)]
    pub speed: Speed,

    /// Send from a camera: its number, or its device such as /dev/video0
    #[cfg(feature = "camera")]
    #[arg(
        long,
        value_name = "N|/dev/videoN",
        group = "source",
        help_heading = "Input"
    )]
    pub camera: Option<CameraPath>,
    /// List cameras and what they give, and end
    #[cfg(feature = "camera")]
    #[arg(long, help_heading = "Input")]
    pub list_cameras: bool,
    /// Send a y4m file, or a y4m stream on standard input (-), at its frame rate
    #[arg(
        long,
        value_name = "FILE.y4m|-",
        group = "source",
        help_heading = "Input"
    )]
    pub input: Option<PathBuf>,
    /// Send a test pattern: motion, bars or noise [default without a name: motion]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "motion",
        group = "source", help_heading = "Input")]
    pub test_pattern: Option<Kind>,
    /// Size of camera and test pattern
    #[arg(
        long,
        value_name = "WxH",
        default_value = "640x360",
        conflicts_with = "input",
        help_heading = "Input"
    )]
    pub size: Size,
    /// Frames per second of camera and test pattern: 30, 29.97 or 30000/1001
    #[arg(
        long,
        value_name = "N",
        default_value = "30",
        conflicts_with = "input",
        help_heading = "Input"
    )]
    pub fps: FrameRate,
    /// End after so much video: 30s, 2m or 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Input")]
    pub duration: Option<Duration>,
    /// End after so many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Input")]
    pub frames: Option<u32>,

    /// Flags of both programs.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Options {
    /// Where to send to.
    ///
    /// # Errors
    /// [`Failure`] where it was not said.
    pub fn peer(&self) -> Result<&Peer, Failure> {
        self.peer
            .as_ref()
            .ok_or_else(|| usage("say where raq-recv listens: --peer HOST:PORT"))
    }

    /// Whether a lost connection is made again.
    pub fn reconnects(&self) -> bool {
        !self.no_reconnect
    }

    /// Opens what is to be sent.
    ///
    /// # Errors
    /// [`Failure`] where nothing was named, or it cannot be opened.
    pub fn open_source(&self) -> Result<Source, Failure> {
        #[cfg(feature = "camera")]
        if let Some(path) = &self.camera {
            return Camera::open(path, self.size.0, self.fps).map(Source::Camera);
        }
        if let Some(path) = &self.input {
            return Clip::open(path).map(|clip| Source::Clip(Box::new(clip)));
        }
        if let Some(kind) = self.test_pattern {
            return Ok(Source::Pattern(Pattern::new(kind, self.size.0, self.fps)));
        }
        let camera = if cfg!(feature = "camera") {
            "--camera N, "
        } else {
            ""
        };
        Err(usage(format_args!(
            "say what to send: {camera}--input FILE.y4m or --test-pattern"
        )))
    }

    /// Looks whether the rates that were given go together.
    ///
    /// # Errors
    /// [`Failure`] where they do not.
    pub fn check_rates(&self) -> Result<(), Failure> {
        match (self.min_rate, self.max_rate) {
            (_, Some(most)) if most < LEAST_RATE => Err(usage(format_args!(
                "--max-rate {most} carries no picture; give {LEAST_RATE} or more"
            ))),
            (Some(least), Some(most)) if least > most => Err(usage(format_args!(
                "--min-rate {least} is above --max-rate {most}; lower the one or raise the other"
            ))),
            _ => Ok(()),
        }
    }

    /// When to end.
    pub fn limits(&self) -> Limits {
        Limits {
            frames: self.frames.unwrap_or(u32::MAX),
            duration: self.duration.unwrap_or(Duration::MAX),
        }
    }
}

/// What the least frames, as few as there may be, take on the path.
const LEAST_RATE: Bitrate = Bitrate::from_kilobits_per_second(12);
/// How old a frame may be, at least and at most.
const LATENCIES: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(5);

fn parse_latency(text: &str) -> Result<Duration, String> {
    let latency = parse_duration(text)?;
    if LATENCIES.contains(&latency) {
        Ok(latency)
    } else {
        Err("give 20ms to 5s".into())
    }
}

fn usage(message: impl fmt::Display) -> Failure {
    Failure::new(Exit::Usage, message)
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port, from 1.
    pub port: u16,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!("{text:?} is no peer; give HOST:PORT, an IPv6 address as [2001:db8::1]:PORT")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port
            .parse()
            .ok()
            .filter(|&port: &u16| port > 0)
            .ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(inner)) => {
                // A zone such as fe80::1%eth0 is left to the resolver.
                let address = inner.split('%').next().unwrap_or(inner);
                address.parse::<Ipv6Addr>().map_err(|_| wrong())?;
                inner
            }
            Some(None) => return Err(wrong()),
            None if host.is_empty() || host.contains(':') => return Err(wrong()),
            None => host,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// The size of a frame, `WxH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub FrameSize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["raq-send"].iter().chain(args))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        let help = Options::command().render_help().to_string();
        assert!(help.starts_with("Sends live video"), "{help}");
        assert!(help.contains("130  interrupted twice"));
    }

    #[test]
    fn peers_are_names_or_addresses_with_a_port() {
        for text in [
            "localhost:4433",
            "192.0.2.1:1",
            "[2001:db8::1]:4433",
            "[fe80::1%eth0]:9",
        ] {
            assert_eq!(text.parse::<Peer>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "localhost",
            "localhost:",
            ":1",
            "::1:4433",
            "[::1]",
            "[x]:1",
            "a:0",
            "a:65536",
            "[::1:2",
        ] {
            let error = bad.parse::<Peer>().unwrap_err();
            assert!(error.contains("HOST:PORT"), "{bad}");
        }
    }

    #[test]
    fn there_is_one_source() {
        let motion = parse(&["--test-pattern", "--peer", "a:1"]).unwrap();
        assert_eq!(motion.test_pattern, Some(Kind::Motion));
        let bars = parse(&["--peer", "a:1", "--test-pattern", "bars"]).unwrap();
        assert_eq!(bars.test_pattern, Some(Kind::Bars));
        assert!(parse(&["--test-pattern", "dots"]).is_err());
        assert!(parse(&["--test-pattern", "--input", "x.y4m"]).is_err());
        let none = parse(&["--peer", "a:1"]).unwrap();
        let failure = none.open_source().err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("--test-pattern"));
        assert_eq!(
            parse(&["--print-id"]).unwrap().peer().unwrap_err().exit,
            Exit::Usage
        );
    }

    #[test]
    fn a_file_brings_its_own_size_and_rate() {
        assert!(parse(&["--input", "x.y4m"]).is_ok());
        assert!(parse(&["--input", "x.y4m", "--size", "1x1"]).is_err());
        assert!(parse(&["--input", "x.y4m", "--fps", "5"]).is_err());
        let pattern = parse(&["--test-pattern", "--size", "17x31", "--fps", "29.97"]).unwrap();
        assert_eq!(pattern.size.0.to_string(), "17x31");
        for bad in ["0x1", "1", "axb", "99999x1"] {
            assert!(parse(&["--test-pattern", "--size", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_word_on_reconnecting_counts() {
        let reconnects = |args: &[&str]| parse(args).unwrap().reconnects();
        assert!(reconnects(&[]) && reconnects(&["--reconnect"]));
        assert!(!reconnects(&["--no-reconnect"]));
        assert!(!reconnects(&["--reconnect", "--no-reconnect"]));
        assert!(reconnects(&["--no-reconnect", "--reconnect"]));
    }

    #[test]
    fn limits_are_checked() {
        let limits = parse(&["--frames", "5", "--duration", "1.5s"])
            .unwrap()
            .limits();
        assert_eq!(
            (limits.frames, limits.duration),
            (5, Duration::from_millis(1500))
        );
        assert!(parse(&["--duration", "0"]).is_err());
        assert!(parse(&["--frames", "0"]).is_err());
        assert!(parse(&["--codewords", "4097"]).is_err());
        let some = parse(&["--codewords", "300", "--max-rate", "2M", "--speed", "fast"]).unwrap();
        assert_eq!((some.codewords, some.speed), (Some(300), Speed::Fast));
        assert_eq!(some.max_rate, Some(Bitrate::from_kilobits_per_second(2000)));
        assert!(parse(&["--max-rate", "much"]).is_err());
        assert_eq!(
            (some.latency, some.fec),
            (Duration::from_millis(100), Fec::Off)
        );
        assert_eq!(parse(&["--fec", "auto"]).unwrap().fec, Fec::Auto);
        for (latency, fits) in [("19ms", false), ("20ms", true), ("5s", true), ("6s", false)] {
            assert_eq!(parse(&["--latency", latency]).is_ok(), fits, "{latency}");
        }
        assert!(parse(&["--speed", "slow"]).is_err());
    }

    #[test]
    fn rates_that_cannot_be_kept_are_refused() {
        let check = |args: &[&str]| parse(args).unwrap().check_rates();
        let failure = check(&["--max-rate", "11k"]).unwrap_err();
        assert!(
            failure.message.contains("give 12 kbit/s or more"),
            "{failure}"
        );
        assert!(check(&["--max-rate", "12k"]).is_ok());
        assert!(check(&["--max-rate", "20k", "--min-rate", "30k"]).is_err());
    }

    #[test]
    fn an_estimator_may_be_named() {
        let estimator = |args: &[&str]| parse(args).map(|options| options.estimator);
        assert_eq!(estimator(&[]).unwrap(), EstimatorName::Burst);
        let gcc = estimator(&["--estimator", "gcc"]).unwrap();
        assert_eq!(gcc, EstimatorName::Gcc);
        let error = estimator(&["--estimator", "bbr"]).unwrap_err().to_string();
        assert!(error.contains("burst or gcc"), "{error}");
    }
}
