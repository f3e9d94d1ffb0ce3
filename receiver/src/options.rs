//! The command line of raq-recv.

mod invite;
mod output;
mod web_address;

use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use clap::Parser;
use raq_shared::cli::CommonArgs;
use raq_shared::exit::EXIT_CODES;
use raq_shared::identity::Verb;
use raq_shared::model::{ModelOptions, Precision};

pub use self::invite::InviteArgs;
pub use self::output::{Output, OutputArg, OutputArgs};
pub use self::web_address::WebAddress;
pub use crate::present::Target;

/// Receives live video over QUIC, whatever part of it arrives.
///
/// Prints nothing but media (or JSON) on standard output; the log goes to standard error.
#[derive(Parser, Clone, Debug)]
#[command(name = "raq-recv", version, after_help = EXIT_CODES, subcommand_negates_reqs = true,
    disable_help_subcommand = true)]
pub struct Options {
    /// Where to listen: a port on all addresses, or one address; port 0 takes any free one
    #[arg(long, value_name = "PORT|ADDR:PORT",
        required_unless_present_any = ["print_model", "print_id", "print_config"])]
    pub listen: Option<Listen>,
    /// Where frames go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// End after one session, also after one that was refused or lost
    #[arg(long)]
    pub once: bool,
    /// Largest frame that is taken
    #[arg(long, value_name = "WxH", default_value = "4096x2304")]
    pub max_size: MaxSize,
    /// What the decoder calculates with: f32, int8 (quicker, a picture 0.1 dB worse), or auto: int8
    /// on a CPU made for it
    #[arg(long, value_name = "NAME", default_value_t, help_heading = "Model")]
    pub precision: Precision,
    /// Whether a ticket is made.
    #[command(flatten)]
    pub invite: InviteArgs,
    /// Flags of both programs.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do instead of receiving.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

impl Options {
    /// The model to open.
    pub fn model(&self) -> ModelOptions {
        ModelOptions {
            precision: self.precision,
            ..self.common.model_options()
        }
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
