//! Who is on the other end: one's own key, the trusted keys, and the checks in the TLS handshake.
//!
//! Both ends hold an Ed25519 key and prove it (mutual TLS 1.3). Accepted are one's own key, those in
//! a file given with `--trust` and those that were introduced by a ticket or by somebody's yes
//! ([`KnownPeers`]); there is no switch that turns the check off. `shared/docs/SECURITY.md` says what
//! that defends.

mod key_id;
mod known_peers;
mod own_key;
pub mod pairing;
#[cfg(feature = "cli")]
pub mod question;
mod ticket;
mod trust;
#[cfg(feature = "cli")]
mod verb;
pub(crate) mod verifier;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use key_id::{KeyId, ParseKeyIdError};
pub use known_peers::{KnownPeer, KnownPeers, Role};
pub use own_key::Identity;
pub use ticket::{ParseTicketError, Ticket, TicketKey};
pub use trust::{Strangers, Trust};
#[cfg(feature = "cli")]
pub use verb::{Peers, Verb};

/// A new file that only its owner can read or write, in place of what a crash has left there.
fn private_file(path: &Path) -> std::io::Result<File> {
    let _ = std::fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

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
    /// A list of keys is longer than any that is written.
    #[error("{} is larger than 1 MiB; remove what is not needed from it", .path.display())]
    TooLarge {
        /// The list.
        path: PathBuf,
    },
    /// Others than the owner can change the known peers.
    #[error(
        "{} can be changed by others (mode {mode:o}); look through it, then run `chmod 600 {}`",
        .path.display(), .path.display()
    )]
    Writable {
        /// The file of known peers.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line of the known peers cannot be read.
    #[error("{}:{line}: {reason}; remove the line, and pair with that peer again", .path.display())]
    KnownPeer {
        /// The file of known peers.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A peer's name cannot be written into a line.
    #[error("{0:?} cannot be remembered; give --peer a name without spaces and #")]
    PeerName(String),
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
