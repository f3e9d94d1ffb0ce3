//! `cargo xtask setup | demo | relay | soak | load | bench | structure | test`: see [`xtask`].

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match xtask::Options::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
