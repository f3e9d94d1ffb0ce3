//! What `--version` says.

use std::io::{self, Write as _};

use crate::cli::stdout_failure;
use crate::exit::Failure;
use crate::model::{ModelFolder, Runtime, locate, named};
use crate::wire::PROTOCOL_VERSION;

/// The number, the commit, and what the program would run with: all that a report of a fault needs.
///
/// # Errors
/// [`Failure`] where standard output cannot be written.
pub(super) fn print(program: &str) -> Result<(), Failure> {
    let mut text = format!("{program} {}\n", env!("CARGO_PKG_VERSION"));
    let commit =
        option_env!("RAQ_COMMIT").unwrap_or("unknown: not a release build of a repository");
    let runtime = Runtime::load(None).map_or_else(
        |error| error.to_string(),
        |runtime| format!("{} ({})", runtime.version(), runtime.path().display()),
    );
    let model = locate(named(None).as_deref()).and_then(|path| ModelFolder::open(&path));
    let model = model.map_or_else(
        |error| error.to_string(),
        |folder| {
            let (name, path) = (&folder.manifest().name, folder.path().display());
            format!("{name} {} ({path})", folder.id())
        },
    );
    for (what, value) in [
        ("commit", commit),
        ("protocol", &PROTOCOL_VERSION.to_string()),
        ("ONNX Runtime", &runtime),
        ("model", &model),
    ] {
        text.push_str(&format!("{what:<14}{value}\n"));
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(stdout_failure)
}
