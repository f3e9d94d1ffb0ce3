//! Who is on the other end: one's own key, the trusted keys, and the checks in the TLS handshake.
//!
//! Both ends hold an Ed25519 key and prove it (mutual TLS 1.3). Accepted are one's own key and
//! those in a file given with `--trust`; there is no switch that turns the check off.

mod key_id;
mod own_key;
mod trust;
pub(crate) mod verifier;

use std::path::PathBuf;

pub use key_id::{KeyId, ParseKeyIdError};
pub use own_key::Identity;
pub use trust::Trust;

/// Why one's own key or the trust file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The system names no per-user configuration directory.
    #[error("no place for the key: {0}; set HOME or RAQ_CONFIG_DIR")]
    NoFolder(String),
    /// A file cannot be read or written.
    #[error("cannot use {}: {error}; correct its owner or mode, or the path", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Others than the owner can read the private key.
    #[error(
        "{} can be used by others (mode {mode:o}); run `chmod 600 {}`",
        .path.display(), .path.display()
    )]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold an Ed25519 key.
    #[error(
        "{} holds no usable key: {reason}; restore it, or remove it and a new key is made (peers \
         must then trust the new one)",
        .path.display()
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of the trust file is not a key id.
    #[error(
        "{}:{line}: {reason}; each line is a key id as --print-id prints it, a name may follow",
        .path.display()
    )]
    TrustLine {
        /// The trust file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}
