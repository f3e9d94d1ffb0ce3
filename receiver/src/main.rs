//! raq-recv: receives live video over QUIC.

use std::process::ExitCode;

use clap::Parser;
use raq_recv::driver;
use raq_recv::options::Options;
use raq_shared::exit;

fn main() -> ExitCode {
    exit::finish("raq-recv", driver::run(&Options::parse()))
}
