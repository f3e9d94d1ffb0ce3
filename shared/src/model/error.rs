//! Why the model cannot be used; every message ends with the cure.

use std::path::PathBuf;

use super::{Digest, Provider};

const CURE: &str = "restore the model folder (git checkout onnx/models, or cargo xtask setup for the installed copy) or pass --model DIR";

/// A model or ONNX Runtime that is missing, damaged or does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No folder with a manifest in any of the usual places.
    #[error("no model found (tried {}); run `cargo xtask setup` or pass --model DIR", list(.tried))]
    NotFound {
        /// Every place that was looked at, in order.
        tried: Vec<PathBuf>,
    },
    /// A file of the model cannot be read.
    #[error("cannot read {}: {reason}; {CURE}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The manifest is not one, or contradicts the program or itself.
    #[error("{} cannot be used: {reason}; {CURE}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file has another size than the manifest says.
    #[error("{} has {found} bytes, the manifest says {expected}; {CURE}", .path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes that the manifest names.
        expected: u64,
        /// Bytes that the file has.
        found: u64,
    },
    /// A file has another digest than the manifest says.
    #[error(
        "{} has BLAKE3 {}…, the manifest says {}…; {CURE}",
        .path.display(), .found.short(), .expected.short()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// Digest that the manifest names.
        expected: Digest,
        /// Digest of the file.
        found: Digest,
    },
    /// The model was exported without what the temporal codec needs.
    #[error(
        "{} has no temporal codec: {file} is not in its manifest; export it again, or pass --model \
         DIR",
        .path.display()
    )]
    NoTemporal {
        /// The model folder.
        path: PathBuf,
        /// The file that it lacks.
        file: &'static str,
    },
    /// A file of the temporal codec does not fit the model.
    #[error("{} cannot be used: {reason}; export the model again, or pass --model DIR", .path.display())]
    Temporal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A codebook that was given in place of the adapter's does not fit the model.
    #[error(
        "{} cannot be used: {reason}; give a folder with NAME.i16 for each codebook of the model, \
         or leave it out",
        .path.display()
    )]
    Codebook {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library of ONNX Runtime is in none of the usual places.
    #[error(
        "cannot load ONNX Runtime (tried {}); run `cargo xtask setup` or pass --onnxruntime PATH",
        .tried.join(", ")
    )]
    RuntimeNotFound {
        /// Every place that was tried, with what went wrong there.
        tried: Vec<String>,
    },
    /// The library that the user named does not load.
    #[error(
        "cannot load ONNX Runtime from {} (given by {given_by}): {reason}; correct {given_by} or \
         leave it out after `cargo xtask setup`",
        .path.display()
    )]
    Runtime {
        /// The path as it was given.
        path: PathBuf,
        /// The flag or variable that named it.
        given_by: &'static str,
        /// What the loader says.
        reason: String,
    },
    /// The provider that was asked for does not work here.
    #[error(
        "provider {provider} does not work here: {reason}; run `cargo xtask setup --gpu` on a \
         machine with CUDA, or pass --provider auto"
    )]
    Provider {
        /// What `--provider` asked for.
        provider: Provider,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// ONNX Runtime refuses a network, or the network has other inputs or outputs than it should.
    #[error("cannot use {file}: {reason}; {CURE}")]
    Network {
        /// File of the network.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A network failed while it ran.
    #[error("running {file} failed: {reason}; try --provider cpu, or a smaller picture")]
    Run {
        /// File of the network.
        file: &'static str,
        /// What ONNX Runtime says.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    paths.join(", ")
}
