//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use raq_shared::units::parse_duration;

use crate::{bench, demo, load, relay, setup, soak, structure, test};

/// The project's chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Options {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Fetch ONNX Runtime into the per-user data folder; does nothing where it is there
    Setup {
        /// The build for CUDA together with NVIDIA's libraries (1.6 GB to fetch)
        #[arg(long)]
        gpu: bool,
        /// Also make the Python environment for training and its tests (5.5 GB)
        #[arg(long)]
        train: bool,
    },
    /// Send a clip from raq-send to raq-recv over loopback; show and save what comes out
    Demo {
        /// The clip: y4m, or anything ffmpeg reads; without it a built-in moving scene
        #[arg(long, value_name = "CLIP")]
        input: Option<PathBuf>,
        /// Take no more than this many frames of the clip
        #[arg(long, value_name = "N", default_value_t = 300,
            value_parser = clap::value_parser!(u32).range(1..))]
        frames: u32,
    },
    /// Send a clip from raq-send to raq-recv over raq-sim's relay, beside the same in the simulator
    Relay {
        /// The link: a scenario of raq-sim's, or a TOML file
        #[arg(long, value_name = "SCENARIO", default_value = "lte")]
        scenario: PathBuf,
        /// The clip: y4m, or anything ffmpeg reads; without it a built-in moving scene
        #[arg(long, value_name = "CLIP")]
        input: Option<PathBuf>,
        /// Play it forwards and backwards for so long: 1s to 1h
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
        duration: Duration,
        /// What everything random in the link follows from [default: the scenario's]
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
    },
    /// Stream for a long time with a browser looking on; whether memory stays flat
    Soak {
        /// 4m to 24h
        #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
        duration: Duration,
        /// Over a link that loses, reorders and repeats datagrams, jumps and fails, with a second sender that is
        /// killed every 30 s, and without the browser
        #[arg(long)]
        faults: bool,
    },
    /// Stream from several senders to one receiver at a time; what each of them keeps
    Load {
        /// How many senders, one run each: 1 to 256
        #[arg(long, value_name = "N,N…", value_delimiter = ',', default_value = "1,8,32",
            value_parser = clap::value_parser!(u16).range(1..=256))]
        senders: Vec<u16>,
    },
    /// Measure how long frames and searches take, beside x264 and FAISS in the same run
    Bench,
    /// Write down what every source file does, in shared/docs/STRUCTURE.md
    Structure,
    /// Set up, build, and run every test, Rust and Python
    Test,
}

impl Options {
    /// Does the chore.
    ///
    /// # Errors
    /// The cause on one line, with the cure where there is one.
    pub fn run(self) -> anyhow::Result<()> {
        match self.chore {
            Chore::Setup { gpu, train } => setup::run(gpu, train),
            Chore::Demo { input, frames } => demo::run(input.as_deref(), frames),
            Chore::Relay {
                scenario,
                input,
                duration,
                seed,
            } => relay::run(&scenario, input.as_deref(), duration, seed),
            Chore::Soak { duration, faults } => soak::run(duration, faults),
            Chore::Load { senders } => load::run(&senders),
            Chore::Bench => bench::run(),
            Chore::Structure => structure::run(),
            Chore::Test => test::run(),
        }
    }
}
