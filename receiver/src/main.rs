//! raq-recv: receives live video over QUIC.

use std::process::ExitCode;

use raq_recv::driver;
use raq_recv::options::Options;
use raq_shared::model::Runtime;
use raq_shared::{exit, settings};

fn main() -> ExitCode {
    // SAFETY: this is the first thing that the only thread does.
    unsafe { Runtime::forbid_telemetry() };
    let settings = settings::read::<Options>(std::env::args_os());
    let result = settings
        .and_then(|options| options.map_or(Ok(()), |it| it.common.observe.tell(driver::run(&it))));
    exit::finish("raq-recv", result)
}
