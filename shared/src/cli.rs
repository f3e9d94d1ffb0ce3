//! Flags, logging and signals common to both programs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{ArgAction, Args};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Exit, Failure};
use crate::identity::{Identity, Trust};
use crate::model::{Model, ModelOptions, Precision, Provider, named};
use crate::observe::{Console, ObserveArgs, log};
use crate::paths::cache_dir;
use crate::settings::SettingsArgs;

/// What to do where the system refuses a place to listen.
pub fn listening_cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "end the program that has this port, or choose another",
        io::ErrorKind::PermissionDenied => "choose a port from 1024 up",
        _ => "choose an address of this machine",
    }
}

/// Flags of both programs.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// Model folder [env: RAQ_MODEL] [default: onnx/models/base here or near the program]
    #[arg(long, value_name = "DIR", help_heading = "Model")]
    pub model: Option<PathBuf>,
    /// Library of ONNX Runtime [env: ORT_DYLIB_PATH] [default: where `cargo xtask setup` puts it]
    #[arg(long, value_name = "PATH", help_heading = "Model")]
    pub onnxruntime: Option<PathBuf>,
    /// What runs the networks: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "NAME", default_value_t, help_heading = "Model")]
    pub provider: Provider,
    /// Threads inside one network [default: half the cores, so that both ends fit one machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256),
        help_heading = "Model")]
    pub threads: Option<u16>,
    /// Accept the keys in this file besides one's own: lines as --print-id prints them
    #[arg(long, value_name = "FILE", help_heading = "Trust")]
    pub trust: Option<PathBuf>,
    /// Figures of what happens.
    #[command(flatten)]
    pub observe: ObserveArgs,
    /// Say more (twice: everything); RUST_LOG wins over it
    #[arg(short, long, action = ArgAction::Count, help_heading = "Observation")]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Observation")]
    pub quiet: bool,
    /// Regenerate the codebooks, print facts about the model as JSON, and end
    #[arg(long, conflicts_with = "print_id", help_heading = "Observation")]
    pub print_model: bool,
    /// Print the id of one's own key, the form a trust file takes, and end
    #[arg(long, help_heading = "Trust")]
    pub print_id: bool,
    /// Where settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

impl CommonArgs {
    /// The model to open.
    pub fn model_options(&self) -> ModelOptions {
        let half = || std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        ModelOptions {
            folder: named(self.model.as_deref()),
            onnxruntime: self.onnxruntime.clone(),
            provider: self.provider,
            precision: Precision::default(),
            threads: self.threads.map_or_else(half, usize::from),
            cache: cache_dir().ok(),
        }
    }

    /// One's own key, made on first use.
    ///
    /// # Errors
    /// [`Failure`] where the key cannot be used.
    pub fn identity(&self) -> Result<Identity, Failure> {
        Ok(Identity::of_user()?)
    }

    /// The keys to accept.
    ///
    /// # Errors
    /// [`Failure`] where the file given with `--trust` cannot be used.
    pub fn accepted_keys(&self, identity: &Identity) -> Result<Trust, Failure> {
        let own = Trust::only(identity.id());
        Ok(match &self.trust {
            Some(path) => own.with_file(path)?,
            None => own,
        })
    }

    /// Looks whether `--stats` would write over another file of the command line. `others` are flags and
    /// what they name; - is standard output.
    ///
    /// # Errors
    /// [`Failure`] where it would.
    pub fn check_files(&self, others: &[(&str, &Path)]) -> Result<(), Failure> {
        let own = [
            ("--trust", &self.trust),
            ("--config", &self.settings.config),
        ];
        let own = own
            .iter()
            .filter_map(|(flag, path)| Some((*flag, path.as_deref()?)));
        let taken: Vec<_> = own.chain(others.iter().copied()).collect();
        self.observe.check(&taken)
    }

    /// Does what `--print-id` or `--print-model`, of the model to open, asks for; false where neither was given.
    ///
    /// # Errors
    /// [`Failure`] where the key or the model cannot be used.
    pub fn print(&self, model: &ModelOptions) -> Result<bool, Failure> {
        let text = if self.print_id {
            self.identity()?.id().to_string()
        } else if self.print_model {
            let report = Model::open(model)?.report()?;
            serde_json::to_string_pretty(&report).map_err(|e| Failure::new(Exit::Failure, e))?
        } else {
            return Ok(false);
        };
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")
            .and_then(|()| stdout.flush())
            .map_err(stdout_failure)?;
        Ok(true)
    }

    /// Sends the log to standard error; gives what is drawn there beside it. Call it once.
    pub fn start_logging(&self) -> Console {
        log::start(self.quiet, self.verbose, self.observe.log_format)
    }
}

/// What a failed write to standard output means.
pub fn stdout_failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::closed_pipe(),
        _ => Failure::new(
            Exit::Failure,
            format_args!("cannot write to standard output: {error}; free space or close less"),
        ),
    }
}

/// Signals that come together are one: `timeout` sends to a program and then to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// Turns true at the first SIGINT, SIGTERM or SIGHUP (the terminal or ssh has gone); the second ends
/// the process with 130 on the spot. Call it inside a tokio runtime.
///
/// # Errors
/// [`Failure`] where the system takes no signal handlers.
pub fn interrupts() -> Result<watch::Receiver<bool>, Failure> {
    let handler = |kind| {
        signal(kind).map_err(|e| {
            Failure::new(
                Exit::Failure,
                format_args!("cannot catch signals: {e}; try again"),
            )
        })
    };
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    let mut hang_up = handler(SignalKind::hangup())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut again_from = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            match again_from {
                None => {
                    again_from = Some(now() + SAME_SIGNAL);
                    tracing::info!("ending; once more to end at once");
                    sender.send_replace(true);
                }
                Some(from) if now() < from => {}
                Some(_) => std::process::exit(130),
            }
        }
    });
    Ok(receiver)
}

#[allow(
    clippy::disallowed_methods,
    reason = "signals come from the system, at its time"
)]
fn now() -> Instant {
    Instant::now()
}
