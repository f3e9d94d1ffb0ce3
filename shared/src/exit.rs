//! How the programs end: exit codes, and errors that carry one.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::model::ModelError;

/// Exit codes of raq-send and raq-recv, as `--help` lists them. A second interrupt ends with 130.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done, also where a session was ended by SIGINT, SIGTERM or SIGHUP.
    Done = 0,
    /// Something failed that has no code of its own.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The peer is not trusted, does not trust this end, or refused the session.
    Refused = 3,
    /// No connection could be made, or it was lost.
    Connection = 4,
    /// The model or ONNX Runtime is missing or does not fit.
    Model = 5,
    /// The device is missing or busy.
    Device = 6,
}

/// The text for `--help`.
pub const EXIT_CODES: &str = "Exit codes:\n  \
    0  done, also when ended by SIGINT, SIGTERM or SIGHUP during a session\n  \
    1  failure\n  \
    2  wrong command line\n  \
    3  peer not trusted, or refused by the peer\n  \
    4  could not connect, or connection lost\n  \
    5  model or ONNX Runtime missing or incompatible\n  \
    6  device missing or busy\n  \
    130  interrupted twice";

/// Why a program ends early: one line with cause and cure, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Exit code; [`Exit::Done`] for an end that needs no words, such as a closed pipe.
    pub exit: Exit,
    /// What happened and what to do about it.
    pub message: String,
    /// What a peer is told of it, which needs no names of this machine's files.
    pub told: Option<String>,
}

impl Failure {
    /// A failure with this code and message.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            told: None,
        }
    }

    /// The same, and what a peer is told of it: the end of a sentence that begins with this program,
    /// at most 200 characters, without names of this machine's files.
    pub fn telling(self, peer: impl fmt::Display) -> Self {
        Self {
            told: Some(peer.to_string()),
            ..self
        }
    }

    /// What happened, without what to do about it.
    pub fn cause(&self) -> &str {
        let cause = self.message.split_once("; ");
        cause.map_or(&self.message, |(cause, _)| cause)
    }

    /// The reader of standard output has gone (`head` does that): nothing to complain about.
    pub fn closed_pipe() -> Self {
        Self::new(Exit::Done, "standard output was closed")
            .telling("nobody reads its output any more")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::new(Exit::Model, error)
    }
}

#[cfg(feature = "quic")]
impl From<crate::identity::IdentityError> for Failure {
    fn from(error: crate::identity::IdentityError) -> Self {
        Self::new(Exit::Failure, error)
    }
}

#[cfg(feature = "quic")]
impl From<crate::quic::QuicSetupError> for Failure {
    fn from(error: crate::quic::QuicSetupError) -> Self {
        Self::new(Exit::Failure, error)
    }
}

/// Prints the error of a program, if there is one, and gives its exit code.
pub fn finish(program: &str, result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    // One without words has told of itself.
    if failure.exit != Exit::Done && !failure.message.is_empty() {
        // Standard error may be closed; the exit code still speaks.
        let _ = writeln!(io::stderr(), "{program}: {failure}");
    }
    ExitCode::from(failure.exit as u8)
}
