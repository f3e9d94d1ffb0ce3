//! `cargo run --release -p raq-tests --bin raq-attack`: what reaches an admitted stream while others
//! attack its receiver, attack by attack, on loopback. The table is SECURITY.md's.

mod attackers;
mod stream;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use attackers::Attack;
use stream::Stream;
use xtask::build;

/// An admitted stream keeps at least this part of its frames.
const KEPT: f64 = 0.95;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every attack; whether the stream kept what it should through all of them.
fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let programs = build::programs()?;
    let (send, recv) = (&programs.send, &programs.recv);
    let mut well = true;
    say(
        "| attack | attempts a second | frames kept | p95 capture to picture, ms | raq-recv CPU | its memory, MiB |",
    );
    say("|---|---|---|---|---|---|");
    for attack in Attack::ALL {
        let Stream {
            attempts,
            kept,
            delay_ms,
            cpu,
            mebibytes,
        } = stream::under(attack, send, recv)?;
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
