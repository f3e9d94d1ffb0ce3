//! `cargo run --release -p raq-tests --bin raq-attack`: what reaches an admitted stream while others
//! attack its receiver, attack by attack, on loopback. The table is SECURITY.md's.

mod attackers;
mod stream;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use attackers::Attack;
use clap::{Parser, ValueEnum as _};
use stream::Stream;
use xtask::build;

/// Streams from raq-send to raq-recv over loopback while others attack raq-recv, and prints what arrives.
///
/// Fails where less than 95 % of the frames sent are decoded.
#[derive(Parser)]
#[command(name = "raq-attack")]
struct Options {
    /// Only this attack; may be given several times [default: every one]
    #[arg(long = "attack", value_name = "NAME")]
    attacks: Vec<Attack>,
    /// Frames of each stream, 15 a second
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(15..=1_000_000))]
    frames: u32,
}

/// An admitted stream keeps at least this part of its frames.
const KEPT: f64 = 0.95;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the attacks; whether the stream kept what it should through all of them.
fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let programs = build::programs()?;
    let (send, recv) = (&programs.send, &programs.recv);
    let mut well = true;
    say(
        "| attack | attempts a second | frames kept | p95 capture to picture, ms | raq-recv CPU | its memory, MiB |",
    );
    say("|---|---|---|---|---|---|");
    let attacks = match options.attacks.as_slice() {
        [] => Attack::value_variants(),
        some => some,
    };
    for &attack in attacks {
        let Stream {
            attempts,
            kept,
            delay_ms,
            cpu,
            mebibytes,
        } = stream::under(attack, options.frames, send, recv)?;
        well &= kept >= KEPT;
        say(&format!(
            "| {attack} | {attempts:.0} | {:.1} % | {delay_ms:.0} | {:.0} % | {mebibytes:.0} |",
            100.0 * kept,
            100.0 * cpu
        ));
    }
    Ok(well)
}

/// On standard output; where nobody reads it, the run goes on.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
