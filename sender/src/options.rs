//! The command line of raq-send.

mod effort;
mod source;
mod trust;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use raq_shared::cli::CommonArgs;
use raq_shared::exit::{EXIT_CODES, Exit, Failure};
use raq_shared::identity::Verb;
use raq_shared::units::{Bitrate, parse_bitrate, parse_duration};

use crate::bandwidth::EstimatorName;
use crate::capture::play::Limits;
use crate::fec::Fec;
pub use effort::Effort;
pub use source::SourceArgs;
pub use trust::{TicketArg, TrustArgs};

/// Sends live video over QUIC, every frame in as many bytes as the network carries.
///
/// Prints nothing on standard output but what is asked for; the log goes to standard error.
#[derive(Parser, Clone, Debug)]
#[command(name = "raq-send", version, after_help = EXIT_CODES, subcommand_negates_reqs = true,
    disable_help_subcommand = true)]
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
    /// How old a frame may be when it leaves: 20ms to 5s
    ///
    /// What is older is dropped. Two frame intervals are always given, and one that a slow machine coded
    /// late still has a frame's interval.
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
    /// How much work the choice may do for a frame: fast, brisk, medium, thorough, or auto: medium where there
    /// is time for it, otherwise less
    #[arg(long, value_name = "SPEED", default_value_t)]
    pub speed: Effort,

    /// What is sent.
    #[command(flatten)]
    pub source: SourceArgs,
    /// End after so much video: 30s, 2m or 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Input")]
    pub duration: Option<Duration>,
    /// End after so many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Input")]
    pub frames: Option<u32>,

    /// Which receiver is meant.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Flags of both programs.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do instead of sending.
    #[command(subcommand)]
    pub verb: Option<Verb>,
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
        if host.parse().is_ok_and(names_many) {
            return Err(format!(
                "{host} stands for many machines; give the receiver's own address, or localhost for this machine"
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// Whether an address is no single machine's: any, a group or everybody.
fn names_many(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Speed;

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
    fn a_peer_is_one_machine() {
        for many in [
            "0.0.0.0:1",
            "[::]:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "[ff02::1]:1",
        ] {
            let error = many.parse::<Peer>().unwrap_err();
            assert!(error.contains("many machines; give"), "{many}: {error}");
        }
    }

    #[test]
    fn a_peer_is_needed_to_send() {
        let failure = parse(&["--print-id"]).unwrap();
        assert_eq!(failure.peer().unwrap_err().exit, Exit::Usage);
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
        assert_eq!(
            (some.codewords, some.speed),
            (Some(300), Effort::Fixed(Speed::Fast))
        );
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
