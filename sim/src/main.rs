//! raq-sim: measures raq without a network.

use std::process::ExitCode;

use clap::Parser as _;
use raq_shared::exit;
use raq_shared::model::Runtime;
use raq_sim::options::Options;

fn main() -> ExitCode {
    // SAFETY: this is the first thing that the only thread does.
    unsafe { Runtime::forbid_telemetry() };
    exit::finish("raq-sim", Options::parse().run())
}
