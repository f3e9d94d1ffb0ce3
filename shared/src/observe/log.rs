//! The log, on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::LogFormat;
use super::seldom::Seldom;
use super::status::{Console, LogWriter};
use crate::exit::{Exit, Failure};

/// Sends the log to standard error: with `quiet` errors alone, more where it is `verbose`. Call it once.
pub(crate) fn start(quiet: bool, verbose: u8, format: LogFormat) -> Console {
    let default = match (quiet, verbose) {
        (true, _) => "error,ort=off",
        (false, 0) => "warn,ort=error,raq_shared=info,raq_send=info,raq_recv=info",
        (false, 1) => "info,ort=warn,raq_shared=debug,raq_send=debug,raq_recv=debug",
        (false, _) => "debug,raq_shared=trace,raq_send=trace,raq_recv=trace",
    };
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) if std::env::var_os("RUST_LOG").is_some_and(|v| !v.is_empty()) => filter,
        _ => EnvFilter::new(default),
    };
    let colours = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Programs that read the log have no use for a line that is drawn again and again.
    let console = Console::new(!quiet && format == LogFormat::Text);
    let writer = LogWriter(console.clone());
    let seldom = Seldom::new({
        let writer = writer.clone();
        move |level| {
            let text = "more lines like the last ones are left out for some seconds";
            let line = match format {
                LogFormat::Text => format!("{level:>5} {text}\n"),
                LogFormat::Json => {
                    let level = level.as_str();
                    format!("{}\n", serde_json::json!({"level": level, "message": text}))
                }
            };
            // Where standard error is closed there is nobody to tell.
            let _ = writer.clone().write_all(line.as_bytes());
        }
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        // Where standard error is closed there is nobody to tell, and telling would panic.
        .log_internal_errors(false)
        .with_ansi(colours && format == LogFormat::Text)
        .with_target(verbose > 0);
    // It fails only where a log was set up before, which then stays.
    let _ = match (format, verbose) {
        (LogFormat::Json, _) => {
            let log = log.json().with_target(true).flatten_event(true);
            log.finish().with(seldom).try_init()
        }
        (LogFormat::Text, 0) => log.without_time().finish().with(seldom).try_init(),
        (LogFormat::Text, _) => log.finish().with(seldom).try_init(),
    };
    console
}

/// A program's failure, told in the log where programs read that; otherwise it is left to be printed.
pub(super) fn tell(format: LogFormat, result: Result<(), Failure>) -> Result<(), Failure> {
    result.map_err(|failure| {
        if format == LogFormat::Text || failure.exit == Exit::Done {
            return failure;
        }
        let Failure { exit, message, .. } = failure;
        tracing::error!(exit = exit as u8, "{message}");
        Failure::new(exit, "")
    })
}
