//! The command line of raq-recv.

use std::io::{self, IsTerminal};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use raq_shared::cli::CommonArgs;
use raq_shared::exit::{EXIT_CODES, Exit, Failure};
use raq_shared::units::parse_duration_or_zero;

use crate::playout::MAX_LATENCY;

pub use crate::present::Target;

/// What `--output` may be, for messages.
const CHOICES: &str = "give --output window, FILE.y4m, - (standard output) or null";

/// Receives live video over QUIC, whatever part of it arrives.
///
/// Prints nothing but media (or JSON) on standard output; the log goes to standard error.
#[derive(Parser, Clone, Debug)]
#[command(name = "raq-recv", version, after_help = EXIT_CODES)]
pub struct Options {
    /// Where to listen: a port on all addresses, or one address; port 0 takes any free one
    #[arg(long, value_name = "PORT|ADDR:PORT",
        required_unless_present_any = ["print_model", "print_id", "print_config"])]
    pub listen: Option<Listen>,
    /// Where frames go: window, FILE.y4m, - or null [default: window if there is a display]
    ///
    /// A y4m stream has a constant rate: missing frames repeat the one before. Where the connection
    /// is lost, it goes on when the sender is back, with up to 30 s of repetitions in between; when
    /// a sender has ended, raq-recv ends. Another format than the first is refused.
    #[arg(long, value_name = "window|FILE.y4m|-|null", help_heading = "Output")]
    pub output: Option<OutputArg>,
    /// Wait up to so long to even out jitter; 0ms shows frames as soon as they are decoded
    ///
    /// On a steady network nothing waits, whatever is given. Only a window waits; files have a
    /// clock of their own.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = latency,
        help_heading = "Output")]
    pub latency: Duration,
    /// Replace the file if it exists
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// End after one session, also after one that was refused or lost
    #[arg(long)]
    pub once: bool,
    /// Largest frame that is taken
    #[arg(long, value_name = "WxH", default_value = "4096x2304")]
    pub max_size: MaxSize,
    /// Flags of both programs.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Where frames go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A window on the display.
    Window,
    /// A y4m stream.
    Stream(Target),
    /// Nowhere; frames are decoded all the same.
    Null,
}

impl Options {
    /// A window that nobody asked for and that does not open is a missing choice.
    pub(crate) fn blame(&self, failure: Failure) -> Failure {
        match self.output {
            None => Failure::new(Exit::Usage, failure),
            Some(_) => failure,
        }
    }

    /// The output, checked against what the system has.
    ///
    /// # Errors
    /// [`Failure`] where there is no display for the default, or where video would go to a
    /// terminal.
    pub fn output(&self) -> Result<Output, Failure> {
        let display = std::env::var_os("DISPLAY").is_some_and(|value| !value.is_empty());
        let usage = |message: String| Err(Failure::new(Exit::Usage, message));
        let output = match &self.output {
            None if !cfg!(feature = "window") => {
                return usage(format!(
                    "this raq-recv was built without a window; {CHOICES}"
                ));
            }
            None if !display => {
                return usage(format!(
                    "there is no display to open a window on; {CHOICES}"
                ));
            }
            None | Some(OutputArg::Window) => Output::Window,
            Some(OutputArg::Null) => Output::Null,
            Some(OutputArg::Stdout) if io::stdout().is_terminal() => {
                return usage(format!(
                    "standard output is a terminal, pipe the video into a program; {CHOICES}"
                ));
            }
            Some(OutputArg::Stdout) => Output::Stream(Target::Stdout),
            Some(OutputArg::File(path)) => {
                let (path, overwrite) = (path.clone(), self.overwrite);
                Output::Stream(Target::File { path, overwrite })
            }
        };
        if self.overwrite && !matches!(output, Output::Stream(Target::File { .. })) {
            return usage("--overwrite needs --output FILE.y4m".to_owned());
        }
        Ok(output)
    }
}

/// `--output` as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputArg {
    /// `window`
    Window,
    /// `-`
    Stdout,
    /// `null`
    Null,
    /// A name that ends in `.y4m`.
    File(PathBuf),
}

impl FromStr for OutputArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "window" => Ok(Self::Window),
            "-" => Ok(Self::Stdout),
            "null" => Ok(Self::Null),
            name if Path::new(name).extension().is_some_and(|end| end == "y4m") => {
                Ok(Self::File(name.into()))
            }
            _ => Err(CHOICES.to_owned()),
        }
    }
}

fn latency(text: &str) -> Result<Duration, String> {
    match parse_duration_or_zero(text)? {
        time if time > MAX_LATENCY => Err(format!("{text:?} is too long; give 1s or less")),
        time => Ok(time),
    }
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// This port on all addresses, IPv6 and IPv4.
    All(u16),
    /// One address.
    One(SocketAddr),
}

impl Listen {
    /// The address to bind; for all addresses that of IPv6, which takes IPv4 along.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::All(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
            Self::One(address) => address,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(port) = text.parse() {
            return Ok(Self::All(port));
        }
        text.parse().map(Self::One).map_err(|_| {
            format!("{text:?} is no place to listen; give a PORT, ADDR:PORT or [IPV6]:PORT")
        })
    }
}

/// The largest frame that is taken, luma pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxSize {
    /// Widest.
    pub width: u32,
    /// Highest.
    pub height: u32,
}

impl FromStr for MaxSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| text.parse().ok().filter(|side| (1..=16384).contains(side));
        text.split_once('x')
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| format!("{text:?} is no size; give WIDTHxHEIGHT, each from 1 to 16384"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["raq-recv"].iter().chain(args))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        let help = Options::command().render_help().to_string();
        assert!(help.starts_with("Receives live video"), "{help}");
        assert!(help.contains("130  interrupted twice"));
    }

    #[test]
    fn listens_on_a_port_or_an_address() {
        let listen = |text| parse(&["--listen", text]).map(|o| o.listen.unwrap().address());
        assert_eq!(listen("4433").unwrap().to_string(), "[::]:4433");
        assert_eq!(
            listen("127.0.0.1:4433").unwrap().to_string(),
            "127.0.0.1:4433"
        );
        assert_eq!(listen("[::1]:4433").unwrap().to_string(), "[::1]:4433");
        for bad in ["", "70000", "localhost", ":4433", "1.2.3.4"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
        assert!(parse(&[]).is_err());
        assert!(parse(&["--print-id"]).is_ok());
        assert!(parse(&["--print-id", "--print-model"]).is_err());
    }

    #[test]
    fn outputs_are_told_apart() {
        let output = |text| parse(&["--listen", "1", "--output", text]).map(|o| o.output.unwrap());
        assert_eq!(output("window").unwrap(), OutputArg::Window);
        assert_eq!(output("-").unwrap(), OutputArg::Stdout);
        assert_eq!(
            output("a/b.y4m").unwrap(),
            OutputArg::File("a/b.y4m".into())
        );
        for typo in ["windw", "out.mp4", ""] {
            assert!(output(typo).is_err(), "{typo}");
        }
        let misplaced = parse(&["--listen", "1", "--output", "null", "--overwrite"]).unwrap();
        assert_eq!(misplaced.output().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_latency_may_be_nothing_and_no_more_than_a_second() {
        let latency = |text| parse(&["--listen", "1", "--latency", text]).map(|o| o.latency);
        assert_eq!(latency("0ms").unwrap(), Duration::ZERO);
        assert_eq!(latency("1s").unwrap(), MAX_LATENCY);
        assert!(latency("1001ms").is_err() && latency("-5ms").is_err());
        let default = parse(&["--listen", "1"]).unwrap().latency;
        assert_eq!(default, Duration::from_millis(100));
    }

    #[test]
    fn sizes_have_two_sides() {
        assert_eq!(
            "640x360".parse(),
            Ok(MaxSize {
                width: 640,
                height: 360
            })
        );
        for bad in ["", "640", "0x1", "1x20000", "axb", "1x2x3", "-1x2"] {
            assert!(bad.parse::<MaxSize>().is_err(), "{bad}");
        }
    }
}
