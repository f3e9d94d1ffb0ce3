//! `--output` and what belongs to it.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use raq_shared::exit::{Exit, Failure};
use raq_shared::paths::same_file;
use raq_shared::units::{parse_duration, parse_duration_or_zero};

use super::WebAddress;
use crate::playout::MAX_LATENCY;
use crate::present::Target;

/// What `--output` may be, for messages.
const CHOICES: &str = "give --output window, web, FILE.y4m, FILE.mp4, FILE.mkv, \
                       /dev/videoN, - (standard output) or null";

/// Where frames go, as the command line says it.
#[derive(Args, Clone, Debug)]
pub struct OutputArgs {
    /// Where frames go; may be given again [default: window if there is a display]
    ///
    /// In a window o shows figures, s saves a picture, q and Escape end raq-recv.
    ///
    /// A file has a constant rate: missing frames repeat the one before. Where the connection is lost, it
    /// goes on when the sender is back, with up to 30 s of repetitions in between; when a sender has
    /// ended, raq-recv ends. Another format than the first is refused. ffmpeg encodes mp4 and mkv, which
    /// can be played whenever they are cut off.
    ///
    /// /dev/videoN is a virtual camera, as v4l2loopback makes them.
    ///
    /// web[:PORT|:ADDR:PORT] serves a page with the live picture and plots, on this machine alone unless
    /// an address is given, and prints where; who knows the token in the printed address may watch.
    ///
    /// Of several outputs none holds up the others: one that is too slow misses frames, and one that
    /// fails leaves the rest.
    #[arg(
        long,
        value_name = "window|web|FILE.y4m|FILE.mp4|FILE.mkv|/dev/videoN|-|null",
        help_heading = "Output"
    )]
    pub output: Vec<OutputArg>,
    /// Wait up to so long to even out jitter; 0ms shows frames as soon as they are decoded
    ///
    /// On a steady network nothing waits, whatever is given. Only a window, the page and a
    /// virtual camera wait; files have a clock of their own.
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = latency,
        help_heading = "Output")]
    pub latency: Duration,
    /// Replace the file if it exists
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// Save a picture (PNG) in this folder now and then, and those of the window's key s
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub snapshot: Option<PathBuf>,
    /// How often pictures are saved
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration,
        requires = "snapshot", help_heading = "Output")]
    pub snapshot_interval: Duration,
}

/// Where frames go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A window on the display.
    Window {
        /// The folder for pictures that the user saves.
        album: PathBuf,
    },
    /// A page for browsers.
    Web(WebAddress),
    /// A virtual camera.
    Device(PathBuf),
    /// Pictures in a folder.
    Snapshots {
        /// The folder.
        album: PathBuf,
        /// How often.
        every: Duration,
    },
    /// A y4m stream.
    Stream(Target),
    /// Nowhere; frames are decoded all the same.
    Null,
}

impl Output {
    /// Whether frames come onto a screen as they are given, so that their times matter.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Window { .. } | Self::Web(_) | Self::Device(_))
    }

    /// The file that it fills; - is standard output.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Stream(Target::Stdout) => Some(Path::new("-")),
            Self::Stream(target) => target.file().map(|(path, _)| path),
            _ => None,
        }
    }

    /// Whether it is one stream, of one format, with a frame for every number.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

impl OutputArgs {
    /// A window that nobody asked for and that does not open is a missing choice.
    pub(crate) fn blame(&self, failure: Failure) -> Failure {
        match self.output.is_empty() {
            true => Failure::new(Exit::Usage, failure),
            false => failure,
        }
    }

    /// The outputs, at least one, checked against each other and what the system has.
    ///
    /// # Errors
    /// [`Failure`] where there is no display for the default, where video would go to a
    /// terminal, or two outputs would share a place.
    pub fn outputs(&self) -> Result<Vec<Output>, Failure> {
        if self.output.is_empty() {
            self.default_output()?;
        }
        let default = [OutputArg::Window];
        let given = match self.output.as_slice() {
            [] => &default[..],
            given => given,
        };
        let mut outputs: Vec<Output> = Vec::with_capacity(given.len());
        for argument in given {
            let output = self.output(argument)?;
            let again = |it: &Output| *it == output || same_place(it, &output);
            if outputs.iter().any(again) {
                return usage(format!("--output {argument} is given twice; give it once"));
            }
            outputs.push(output);
        }
        if let Some(album) = &self.snapshot {
            outputs.push(Output::Snapshots {
                album: album.clone(),
                every: self.snapshot_interval,
            });
        }
        let is_file =
            |output: &Output| matches!(output, Output::Stream(target) if *target != Target::Stdout);
        if self.overwrite && !outputs.iter().any(is_file) {
            return usage("--overwrite needs a file as --output".to_owned());
        }
        Ok(outputs)
    }

    /// Files, by name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.output.iter().filter_map(|it| match it {
            OutputArg::File(path) | OutputArg::Encoded(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// Names of files and of the folder for pictures.
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = self.output.iter_mut().filter_map(|it| match it {
            OutputArg::File(path) | OutputArg::Encoded(path) => Some(path),
            _ => None,
        });
        files.chain(&mut self.snapshot)
    }

    /// The first output that only one sender fits into; none inside where nothing was given.
    pub(super) fn shown(&self) -> Option<Option<&OutputArg>> {
        if self.output.is_empty() {
            return Some(None);
        }
        let fits = |it: &&OutputArg| {
            matches!(
                it,
                OutputArg::Null | OutputArg::File(_) | OutputArg::Encoded(_)
            )
        };
        self.output.iter().find(|it| !fits(it)).map(Some)
    }

    /// Whether there can be a window that nobody asked for.
    fn default_output(&self) -> Result<(), Failure> {
        let display = std::env::var_os("DISPLAY").is_some_and(|value| !value.is_empty());
        let missing = match (cfg!(feature = "window"), display) {
            (false, _) => "this raq-recv was built without a window",
            (true, false) => "there is no display to open a window on",
            (true, true) => return Ok(()),
        };
        usage(format!("{missing}; {CHOICES}"))
    }

    fn output(&self, argument: &OutputArg) -> Result<Output, Failure> {
        Ok(match argument {
            OutputArg::Window => Output::Window {
                album: self.snapshot.clone().unwrap_or_else(|| ".".into()),
            },
            OutputArg::Null => Output::Null,
            OutputArg::Web(address) => Output::Web(address.clone()),
            OutputArg::Stdout if io::stdout().is_terminal() => {
                return usage(format!(
                    "standard output is a terminal, pipe the video into a program; {CHOICES}"
                ));
            }
            OutputArg::Stdout => Output::Stream(Target::Stdout),
            OutputArg::Device(path) => Output::Device(path.clone()),
            OutputArg::File(path) => Output::Stream(Target::File {
                path: path.clone(),
                overwrite: self.overwrite,
            }),
            OutputArg::Encoded(path) => Output::Stream(Target::Encoded {
                path: path.clone(),
                overwrite: self.overwrite,
            }),
        })
    }
}

/// Whether both fill the same file.
fn same_place(one: &Output, other: &Output) -> bool {
    one.file()
        .zip(other.file())
        .is_some_and(|(one, other)| same_file(one, other))
}

fn usage<T>(message: String) -> Result<T, Failure> {
    Err(Failure::new(Exit::Usage, message))
}

/// `--output` as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputArg {
    /// `window`
    Window,
    /// `web`, `web:PORT`, `web:ADDR:PORT`
    Web(WebAddress),
    /// `-`
    Stdout,
    /// `null`
    Null,
    /// A name that begins with `/dev/video`.
    Device(PathBuf),
    /// A name that ends in `.y4m`.
    File(PathBuf),
    /// A name that ends in `.mp4` or `.mkv`.
    Encoded(PathBuf),
}

impl FromStr for OutputArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "window" => Ok(Self::Window),
            "web" => Ok(Self::Web(WebAddress::Port(0))),
            "-" => Ok(Self::Stdout),
            "null" => Ok(Self::Null),
            text if text.starts_with("web:") => text[4..].parse().map(Self::Web),
            text if text.starts_with("/dev/video") => Ok(Self::Device(text.into())),
            name => {
                let end = Path::new(name).extension().map(OsStr::to_ascii_lowercase);
                match end.as_deref().and_then(OsStr::to_str) {
                    Some("y4m") => Ok(Self::File(name.into())),
                    Some("mp4" | "mkv") => Ok(Self::Encoded(name.into())),
                    _ => Err(CHOICES.to_owned()),
                }
            }
        }
    }
}

impl std::fmt::Display for OutputArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Window => f.write_str("window"),
            Self::Web(address) => write!(f, "web:{address}"),
            Self::Stdout => f.write_str("-"),
            Self::Null => f.write_str("null"),
            Self::Device(path) | Self::File(path) | Self::Encoded(path) => path.display().fmt(f),
        }
    }
}

fn latency(text: &str) -> Result<Duration, String> {
    match parse_duration_or_zero(text)? {
        time if time > MAX_LATENCY => Err(format!("{text:?} is too long; give 1s or less")),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Options;
    use super::*;

    fn parse(args: &[&str]) -> Result<OutputArgs, clap::Error> {
        let all = ["raq-recv", "--listen", "1"].iter().chain(args);
        Options::try_parse_from(all).map(|options| options.output)
    }

    fn outputs(names: &[&str]) -> Result<Vec<Output>, Failure> {
        let args: Vec<&str> = names.iter().flat_map(|name| ["--output", name]).collect();
        parse(&args).unwrap().outputs()
    }

    #[test]
    fn outputs_are_told_apart() {
        let output = |text| parse(&["--output", text]).map(|args| args.output[0].clone());
        assert_eq!(output("window").unwrap(), OutputArg::Window);
        let web = |port| OutputArg::Web(WebAddress::Port(port));
        assert_eq!(output("web").unwrap(), web(0));
        assert_eq!(output("web:8080").unwrap(), web(8080));
        assert_eq!(output("-").unwrap(), OutputArg::Stdout);
        let file = OutputArg::File("a/b.y4m".into());
        assert_eq!(output("a/b.y4m").unwrap(), file);
        let encoded = OutputArg::Encoded("b.mkv".into());
        assert_eq!(output("b.mkv").unwrap(), encoded);
        let device = OutputArg::Device("/dev/video9".into());
        assert_eq!(output("/dev/video9").unwrap(), device);
        for typo in ["windw", "out.avi", "", "web:", "web:x", "website"] {
            assert!(output(typo).is_err(), "{typo}");
        }
        let misplaced = parse(&["--output", "null", "--overwrite"]).unwrap();
        assert_eq!(misplaced.outputs().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn there_may_be_several_in_different_places() {
        let several = outputs(&["window", "a.y4m", "b.y4m"]).unwrap();
        assert_eq!(several.len(), 3);
        assert_eq!(several[0], Output::Window { album: ".".into() });
        let twice = outputs(&["a.y4m", "null", "a.y4m"]).unwrap_err();
        assert!(twice.message.contains("a.y4m is given twice"), "{twice}");
        let twice = outputs(&["a.mkv", "./a.mkv"]).unwrap_err();
        assert!(twice.message.contains("./a.mkv is given twice"), "{twice}");
        assert_eq!(twice.exit, Exit::Usage);
    }

    #[test]
    fn pictures_are_saved_beside_other_outputs() {
        let args = [
            "--snapshot",
            "a",
            "--output",
            "window",
            "--snapshot-interval",
            "2s",
        ];
        let outputs = parse(&args).unwrap().outputs().unwrap();
        let album = PathBuf::from("a");
        let (every, window) = (Duration::from_secs(2), album.clone());
        let expected = [
            Output::Window { album: window },
            Output::Snapshots { album, every },
        ];
        assert_eq!(outputs, expected);
        assert!(parse(&["--snapshot-interval", "2s"]).is_err());
        assert!(parse(&["--snapshot", "a", "--snapshot-interval", "0s"]).is_err());
    }

    #[test]
    fn a_latency_may_be_nothing_and_no_more_than_a_second() {
        let latency = |text| parse(&["--latency", text]).map(|args| args.latency);
        assert_eq!(latency("0ms").unwrap(), Duration::ZERO);
        assert_eq!(latency("1s").unwrap(), MAX_LATENCY);
        assert!(latency("1001ms").is_err() && latency("-5ms").is_err());
        assert_eq!(parse(&[]).unwrap().latency, Duration::from_millis(100));
    }
}
