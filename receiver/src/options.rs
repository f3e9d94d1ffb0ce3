//! The command line of raq-recv.

mod invite;
mod output;
mod peer_file;
mod web_address;

use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

use clap::Parser;
use raq_shared::cli::CommonArgs;
use raq_shared::exit::{EXIT_CODES, Exit, Failure};
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
    /// How many senders are received at a time, 1 to 256
    ///
    /// From two on each fills files of its own, in whose names {peer} stands for its number, as in
    /// --output camera-{peer}.mkv --stats camera-{peer}.csv; --output null shows nothing. A sender whose connection was
    /// lost goes on with its file; one that has ended leaves it complete, and raq-recv takes the next one. Further
    /// senders are told that it is busy. Unless --threads says otherwise, the decoders share the cores.
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub max_peers: u16,
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
        let options = self.common.model_options();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ModelOptions {
            precision: self.precision,
            threads: match self.common.threads {
                Some(threads) => threads.into(),
                // Every decoder gets its share of the machine.
                None => options
                    .threads
                    .min(cores / usize::from(self.max_peers))
                    .max(1),
            },
            ..options
        }
    }

    /// The options of the peer with this number: names of files with the number in the place of `{peer}`.
    pub(crate) fn of_peer(&self, number: u32) -> Self {
        let mut options = self.clone();
        let named = options.output.files_mut();
        for path in named.chain(&mut options.common.observe.stats) {
            *path = peer_file::of_peer(path, number);
        }
        options
    }

    /// Whether a file of the peer with this number is there and not to be replaced.
    pub(crate) fn has_recordings_of(&self, number: u32) -> bool {
        let of_peer = self.of_peer(number).output;
        !of_peer.overwrite && of_peer.files().any(|path| path.symlink_metadata().is_ok())
    }

    /// Looks whether there is a place of its own for everything of several peers.
    ///
    /// # Errors
    /// [`Failure`] where they would have to share one.
    pub(crate) fn check_peers(&self) -> Result<(), Failure> {
        if self.max_peers == 1 {
            return Ok(());
        }
        let wrong = |text: String| Err(Failure::new(Exit::Usage, text));
        if self.once {
            return wrong("--once ends after one sender; leave it or --max-peers out".to_owned());
        }
        #[cfg(feature = "metrics")]
        if self.common.observe.metrics.is_some() {
            return wrong(
                "--metrics tells of one sender; leave it or --max-peers out, and give --stats a name \
                 with {peer} instead"
                    .to_owned(),
            );
        }
        if let Some(output) = self.output.shown() {
            let what = output.map_or_else(|| "the default".to_owned(), ToString::to_string);
            return wrong(format!(
                "--output {what} shows one sender; with --max-peers give files with {{peer}} in their \
                 names, or null"
            ));
        }
        let files = self.output.files().map(|path| ("--output", path));
        let albums = self.output.snapshot.iter();
        let albums = albums.map(|path| ("--snapshot", path.as_path()));
        let stats = self.common.observe.stats.iter();
        let stats = stats.map(|path| ("--stats", path.as_path()));
        for (flag, path) in files.chain(albums).chain(stats) {
            if !peer_file::has_number(path) {
                return wrong(format!(
                    "with --max-peers {flag} {} would be shared by all; put {{peer}} into the name",
                    path.display()
                ));
            }
        }
        Ok(())
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
    fn decoders_share_the_machine_unless_told_otherwise() {
        let listen = ["--listen", "4433"];
        let threads = |args: &[&str]| parse(&[&listen, args].concat()).unwrap().model().threads;
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(threads(&["--max-peers", "256"]), (cores / 256).max(1));
        assert_eq!(threads(&["--max-peers", "256", "--threads", "3"]), 3);
        assert_eq!(threads(&["--max-peers", "1"]), cores.div_ceil(2));
        assert_eq!(threads(&["--max-peers", "2"]), (cores / 2).max(1));
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
    fn several_peers_share_nothing() {
        let check = |args: &[&str]| {
            let all = ["--listen", "1", "--max-peers", "2"].iter().chain(args);
            let all: Vec<&str> = all.copied().collect();
            parse(&all).unwrap().check_peers()
        };
        assert_eq!(check(&["--output", "null"]), Ok(()));
        let own = ["--output", "a/{peer}.mkv", "--stats", "{peer}.csv"];
        assert_eq!(check(&own), Ok(()));
        let shared = [
            vec![],
            vec!["--output", "window"],
            vec!["--output", "web"],
            vec!["--output", "-"],
            vec!["--output", "/dev/video7"],
            vec!["--output", "a.mkv"],
            vec!["--output", "{peer}.y4m", "--output", "b.y4m"],
            vec!["--output", "null", "--stats", "-"],
            vec!["--output", "null", "--stats", "a.csv"],
            vec!["--output", "null", "--snapshot", "a"],
            vec!["--output", "null", "--once"],
            vec!["--output", "null", "--metrics", "0"],
        ];
        for args in shared {
            let failure = check(&args).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{args:?}: {failure}");
            assert!(failure.message.contains("--max-peers"), "{failure}");
        }
        assert!(parse(&["--listen", "1", "--max-peers", "0"]).is_err());
        assert!(parse(&["--listen", "1", "--max-peers", "257"]).is_err());
        assert_eq!(parse(&["--listen", "1"]).unwrap().check_peers(), Ok(()));
    }

    #[test]
    fn each_peer_has_files_of_its_own() {
        let options = parse(&[
            "--listen",
            "1",
            "--output",
            "a-{peer}.mkv",
            "--output",
            "{peer}.y4m",
            "--stats",
            "{peer}.csv",
            "--snapshot",
            "{peer}",
        ]);
        let third = options.unwrap().of_peer(3);
        let outputs: Vec<_> = third.output.files().collect();
        assert_eq!(outputs, ["a-3.mkv", "3.y4m"].map(std::path::Path::new));
        assert_eq!(
            third.common.observe.stats,
            ["3.csv"].map(std::path::PathBuf::from)
        );
        assert_eq!(third.output.snapshot, Some("3".into()));
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
