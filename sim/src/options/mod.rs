//! The command line of raq-sim.

pub mod agree;
pub mod completions;
pub mod faults;
pub mod link;
pub mod list;
pub mod merge;
pub mod report;
pub mod run;
pub mod sweep;

use std::{
    io::{self, Write as _},
    num::NonZeroUsize,
    path::PathBuf,
    thread,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use raq_shared::{
    exit::{Exit, Failure},
    frame::FrameSize,
    units::{Bitrate, parse_duration},
};

use raq_send::choice::Speed;

use crate::{
    rd::{self, Codec, FIRST_MEASURED},
    transfer::Setup,
    vectors,
};

/// The text for `--help`.
const EXIT_CODES: &str = "Exit codes:\n  \
    0  done\n  \
    1  failure\n  \
    2  wrong command line\n  \
    5  model or ONNX Runtime missing or incompatible";

/// Simulates networks for raq, and measures it without one.
///
/// Tables go to standard output, what is being done to standard error.
#[derive(Parser, Clone, Debug)]
#[command(name = "raq-sim", version, after_help = EXIT_CODES)]
pub struct Options {
    /// What to measure.
    #[command(subcommand)]
    pub instrument: Instrument,
}

/// What raq-sim can measure.
#[derive(Subcommand, Clone, Debug)]
pub enum Instrument {
    /// The scenarios that come with the program
    List(list::ListOptions),
    /// One scenario, with any policies over the same link; exits with 1 where an expectation is missed
    Run(run::RunOptions),
    /// A grid of scenarios, seeds and policies on all cores; goes on where it was interrupted
    Sweep(sweep::SweepOptions),
    /// Whether sessions, quic and the relay give the same figures; exits with 1 where they do not
    Agree(agree::AgreeOptions),
    /// Everything that can go wrong, in scripts; exits with 1 where a picture stays old or wrong
    Faults(faults::FaultOptions),
    /// Joins the results of runs and sweeps
    Merge(merge::MergeOptions),
    /// Draws summary and report of a run anew from its records
    Report(report::ReportOptions),
    /// The link of a scenario in real time, between real programs: a UDP relay
    Link(link::LinkOptions),
    /// Completions for a shell
    Completions(completions::CompletionOptions),
    /// Rate and distortion of clips at given bitrates, beside other codecs
    Rd(RdOptions),
    /// What codebooks, tables and decoders are trained on, gathered while raq codes clips
    Vectors(VectorOptions),
}

/// Which model codes, and how hard it tries.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArgs {
    /// Model folder [env: RAQ_MODEL] [default: onnx/models/base here or near the program]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Take the codebooks from DIR/NAME.i16 instead of the adapter: all rows, little-endian
    #[arg(long, value_name = "DIR")]
    pub codebooks: Option<PathBuf>,
    /// How long to look for what is worth its bits: fast, brisk, medium or thorough [default: medium]
    #[arg(long, value_name = "NAME")]
    pub speed: Option<Speed>,
}

/// Flags of `raq-sim vectors`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct VectorOptions {
    /// A clip: y4m, or anything ffmpeg reads; several may be given
    #[arg(long, value_name = "CLIP", required = true, num_args = 1.., help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// Scale every clip to this size first (bicubic, by ffmpeg) [default: its own]
    #[arg(long, value_name = "WxH", help_heading = "Input")]
    pub size: Option<FrameSize>,
    /// Take no more than this many frames of each clip, at least 6
    #[arg(long, value_name = "N", default_value = "300", value_parser = frames,
        help_heading = "Input")]
    pub frames: usize,
    /// Bitrates to encode at, in kbit/s
    #[arg(long, value_name = "KBPS,…", required = true, value_delimiter = ',',
        value_parser = rate)]
    pub rates: Vec<Bitrate>,
    /// Lose this share of the datagrams, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0",
        help_heading = "Link")]
    pub loss: f64,
    /// Let the encoder learn of a loss only after this time: 100ms or 0.1s
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Link")]
    pub feedback_delay: Option<Duration>,
    /// Choose the lost datagrams by this number
    #[arg(long, value_name = "N", default_value = "0", help_heading = "Link")]
    pub seed: u64,
    /// Split every frame into so many datagrams, more where they would be too large
    /// [default: as suits its bytes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..),
        help_heading = "Link")]
    pub datagrams: Option<u8>,
    /// Folder for NAME.vectors.npy, counts.json, CLIP.KBPS.sums.npy and CLIP.KBPS.depth.npy
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The model.
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Flags of `raq-sim rd`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RdOptions {
    /// A clip: y4m, or anything ffmpeg reads; may be given again
    #[arg(long, value_name = "CLIP", required = true, help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// Scale every clip to this size first (bicubic, by ffmpeg) [default: its own]
    #[arg(long, value_name = "WxH", help_heading = "Input")]
    pub size: Option<FrameSize>,
    /// Take no more than this many frames of each clip, at least 6
    #[arg(long, value_name = "N", default_value = "300", value_parser = frames,
        help_heading = "Input")]
    pub frames: usize,

    /// Bitrates to encode at, in kbit/s
    #[arg(long, value_name = "KBPS,…", required = true, value_delimiter = ',',
        value_parser = rate)]
    pub rates: Vec<Bitrate>,
    /// Codecs to measure [default: all that can be used here]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub codecs: Vec<Codec>,

    /// Lose this share of raq's datagrams, 0 to 1; the other codecs never lose any
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "raq alone")]
    pub loss: Option<f64>,
    /// Let raq's encoder learn of a loss only after this time: 100ms or 0.1s
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "raq alone")]
    pub feedback_delay: Option<Duration>,
    /// Choose the lost datagrams by this number
    #[arg(long, value_name = "N", help_heading = "raq alone")]
    pub seed: Option<u64>,
    /// Split every frame into so many datagrams, more where they would be too large
    /// [default: as suits its bytes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..),
        help_heading = "raq alone")]
    pub datagrams: Option<u8>,
    /// The model.
    #[command(flatten, next_help_heading = "raq alone")]
    pub model: ModelArgs,

    /// Also measure ST-LPIPS, with the weights in this file: alex_shift_tolerant.pth
    #[arg(long, value_name = "WEIGHTS", help_heading = "ST-LPIPS")]
    pub st_lpips: Option<PathBuf>,
    /// Python with PyTorch, which computes it [default: the training environment's, or python3]
    #[arg(
        long,
        value_name = "PROGRAM",
        requires = "st_lpips",
        help_heading = "ST-LPIPS"
    )]
    pub python: Option<PathBuf>,

    /// Folder for rd.json, bd.json, frames.csv, frames.json, index.html and the plots
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: PathBuf,
    /// Show so many frames of each clip in index.html, evenly spread
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(0..=20), help_heading = "Output")]
    pub pictures: u8,
    /// Compute BD-rates up to this bitrate, in kbit/s [default: as far as both curves go]
    #[arg(long, value_name = "KBPS", value_parser = rate, help_heading = "Output")]
    pub bd_max_kbps: Option<Bitrate>,
}

impl Options {
    /// Measures, and prints the tables on standard output.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.instrument {
            Instrument::List(options) => options.run(),
            Instrument::Run(options) => options.run(),
            Instrument::Sweep(options) => options.run(),
            Instrument::Agree(options) => options.run(),
            Instrument::Faults(options) => options.run(),
            Instrument::Merge(options) => options.run(),
            Instrument::Report(options) => options.run(),
            Instrument::Link(options) => options.run(),
            Instrument::Completions(options) => options.run(),
            Instrument::Rd(options) => {
                let report = rd::run(options)?;
                let printed = print(&report.tables());
                report.missing.none()?;
                printed
            }
            Instrument::Vectors(options) => vectors::run(options),
        }
    }
}

impl VectorOptions {
    /// How the clips are sent.
    pub fn setup(&self) -> Setup {
        Setup {
            speed: self.model.speed.unwrap_or_default(),
            datagrams: self.datagrams,
            loss: self.loss,
            seed: self.seed,
            feedback_delay: self.feedback_delay.unwrap_or_default(),
        }
    }

    /// The bitrates in ascending order, each once.
    pub fn ascending_rates(&self) -> Vec<Bitrate> {
        ascending(&self.rates)
    }
}

impl RdOptions {
    /// What one flag cannot know of another.
    ///
    /// # Errors
    /// [`Failure`] with [`Exit::Usage`] for flags that would do nothing.
    pub fn check(&self) -> Result<(), Failure> {
        match self.flag_of_raq() {
            Some(flag) if !self.distinct_codecs().iter().any(|codec| codec.is_ours()) => {
                Err(Failure::new(
                    Exit::Usage,
                    format_args!(
                        "{flag} concerns raq alone, which is not among the codecs; leave it out"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether raq was asked for, by name or by a flag that concerns it alone.
    pub fn asks_for_raq(&self) -> bool {
        self.codecs.iter().any(|codec| codec.is_ours()) || self.flag_of_raq().is_some()
    }

    fn flag_of_raq(&self) -> Option<&'static str> {
        let flags = [
            ("--loss", self.loss.is_some()),
            ("--feedback-delay", self.feedback_delay.is_some()),
            ("--seed", self.seed.is_some()),
            ("--datagrams", self.datagrams.is_some()),
            ("--model", self.model.model.is_some()),
            ("--codebooks", self.model.codebooks.is_some()),
            ("--speed", self.model.speed.is_some()),
        ];
        flags
            .iter()
            .find(|(_, given)| *given)
            .map(|(flag, _)| *flag)
    }

    /// How raq sends.
    pub fn setup(&self) -> Setup {
        Setup {
            speed: self.model.speed.unwrap_or_default(),
            datagrams: self.datagrams,
            loss: self.loss.unwrap_or(0.0),
            seed: self.seed.unwrap_or(0),
            feedback_delay: self.feedback_delay.unwrap_or_default(),
        }
    }

    /// The bitrates in ascending order, each once.
    pub fn ascending_rates(&self) -> Vec<Bitrate> {
        ascending(&self.rates)
    }

    /// The codecs in the order of [`Codec::ALL`], each once; all where none was named.
    pub fn distinct_codecs(&self) -> Vec<Codec> {
        let asked = |codec: &Codec| self.codecs.is_empty() || self.codecs.contains(codec);
        Codec::ALL.into_iter().filter(asked).collect()
    }
}

fn ascending(rates: &[Bitrate]) -> Vec<Bitrate> {
    let mut rates = rates.to_vec();
    rates.sort_unstable();
    rates.dedup();
    rates
}

/// So many at a time: as many as asked for, or one per core.
fn jobs(asked: Option<NonZeroUsize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    asked.map_or_else(cores, NonZeroUsize::get)
}

/// A line on standard error; where nobody reads it any more the work goes on.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::closed_pipe()),
        Err(error) => Err(Failure::new(
            Exit::Failure,
            format_args!("cannot write to standard output: {error}; free space or close less"),
        )),
    }
}

fn frames(text: &str) -> Result<usize, String> {
    let frames = text
        .parse()
        .map_err(|_| format!("{text:?} is no number of frames; give a whole number"))?;
    if frames > FIRST_MEASURED {
        Ok(frames)
    } else {
        Err(format!(
            "{frames} are too few: means begin with the sixth frame; give 6 or more"
        ))
    }
}

fn rate(text: &str) -> Result<Bitrate, String> {
    match text.parse() {
        Ok(kilobits @ 1..=1_000_000) => Ok(Bitrate::from_kilobits_per_second(kilobits)),
        _ => Err(format!(
            "{text:?} is no bitrate; give whole kbit/s from 1 to 1000000"
        )),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text:?} is no share; give 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<RdOptions, String> {
        let needed = ["raq-sim", "rd", "--input", "a.y4m", "--out", "o"];
        Options::try_parse_from(needed.iter().chain(args))
            .map(|options| match options.instrument {
                Instrument::Rd(rd) => rd,
                other => panic!("not asked for: {other:?}"),
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn clips_can_be_gathered_over_a_bad_link() {
        let needed = [
            "raq-sim", "vectors", "--input", "a.y4m", "--out", "o", "--rates", "60",
        ];
        let setup = |args: &[&str]| match Options::try_parse_from(needed.iter().chain(args)) {
            Ok(Options {
                instrument: Instrument::Vectors(vectors),
            }) => vectors.setup(),
            other => panic!("{other:?}"),
        };
        let plain = setup(&[]);
        assert_eq!((plain.datagrams, plain.loss), (None, 0.0));
        assert!(plain.feedback_delay.is_zero());
        let bad = [
            "--datagrams",
            "6",
            "--loss",
            "0.1",
            "--feedback-delay",
            "100ms",
            "--seed",
            "3",
        ];
        let bad = setup(&bad);
        assert_eq!((bad.datagrams, bad.loss, bad.seed), (Some(6), 0.1, 3));
        assert_eq!(bad.feedback_delay, Duration::from_millis(100));
    }

    #[test]
    fn rates_and_codecs_are_put_in_order() {
        let options = parse(&["--rates", "150,60,150", "--codecs", "jpeg,x264-ultrafast"]).unwrap();
        let kbps: Vec<_> = options
            .ascending_rates()
            .iter()
            .map(|rate| rate.kilobits_per_second())
            .collect();
        assert_eq!(kbps, [60.0, 150.0]);
        assert_eq!(
            options.distinct_codecs(),
            [Codec::X264Ultrafast, Codec::Jpeg]
        );
        assert_eq!(
            parse(&["--rates", "9"]).unwrap().distinct_codecs(),
            Codec::ALL
        );
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (args, says) in [
            (&["--rates", "0"][..], "no bitrate"),
            (&["--rates", ""], "no bitrate"),
            (&["--rates", "60,"], "no bitrate"),
            (&["--rates", "-5"], "-5"),
            (&["--rates", "nan"], "no bitrate"),
            (&[], "--rates"),
            (&["--rates", "60", "--size", "0x4"], "outside 1x1"),
            (&["--rates", "60", "--size", "big"], "WIDTHxHEIGHT"),
            (&["--rates", "60", "--frames", "5"], "sixth frame"),
            (&["--rates", "60", "--frames", "x"], "whole number"),
            (&["--rates", "60", "--codecs", "h265"], "x264-ultrafast"),
            (&["--rates", "60", "--loss", "1.1"], "0 to 1"),
            (&["--rates", "60", "--pictures", "21"], "0..=20"),
            (&["--rates", "60", "--datagrams", "0"], "--datagrams"),
            (&["--rates", "60", "--python", "python3"], "--st-lpips"),
            (&["--rates", "60", "--speed", "slow"], "thorough"),
        ] {
            let error = parse(args).expect_err(&format!("{args:?}"));
            assert!(error.contains(says), "{args:?}: {error}");
        }
    }

    #[test]
    fn flags_that_would_do_nothing_are_refused() {
        for flag in [
            ["--loss", "0.1"],
            ["--feedback-delay", "100ms"],
            ["--seed", "1"],
            ["--datagrams", "4"],
            ["--model", "m"],
            ["--codebooks", "b"],
            ["--speed", "fast"],
        ] {
            let args = ["--rates", "60", "--codecs", "jpeg", flag[0], flag[1]];
            let failure = parse(&args).unwrap().check().unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.starts_with(flag[0]), "{failure}");
            let options = parse(&["--rates", "60", flag[0], flag[1]]).unwrap();
            assert!(options.check().is_ok() && options.asks_for_raq());
        }
        let plain = parse(&["--rates", "60"]).unwrap();
        assert!(plain.check().is_ok() && !plain.asks_for_raq());
        let named = parse(&["--rates", "60", "--codecs", "vp8,raq"]).unwrap();
        assert!(named.asks_for_raq());
    }
}
