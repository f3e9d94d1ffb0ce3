//! raq-sim: measures raq without a network.

use std::process::ExitCode;

use clap::Parser as _;
use raq_shared::exit;
use raq_sim::options::Options;

fn main() -> ExitCode {
    exit::finish("raq-sim", Options::parse().run())
}
