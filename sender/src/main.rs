//! raq-send: sends live video over QUIC.

use std::process::ExitCode;

use clap::Parser;
use raq_send::driver;
use raq_send::options::Options;
use raq_shared::exit;

fn main() -> ExitCode {
    exit::finish("raq-send", driver::run(&Options::parse()))
}
