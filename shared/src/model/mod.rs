//! The model folder and the networks in it.
//!
//! [`ModelFolder`] checks files against the manifest; with the feature `onnx`, [`Model`] runs the
//! networks and regenerates the codebooks. The folder's layout is in `shared/docs/PROTOCOL.md`.

mod codebook_files;
mod digest;
mod error;
mod locate;
mod manifest;
mod precision;
mod provider;
mod temporal;

pub mod library;

#[cfg(feature = "onnx")]
mod adapt;
#[cfg(feature = "onnx")]
mod cache;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "onnx")]
mod regenerate;
#[cfg(feature = "onnx")]
mod runtime;
#[cfg(feature = "onnx")]
mod session;

pub use codebook_files::read_codebooks;
pub use digest::{Digest, ParseDigestError};
pub use error::ModelError;
pub use locate::{DEFAULT_MODEL, INSTALLED_MODEL, MODEL_VARIABLE, locate, named};
pub use manifest::{CodebookEntry, FileEntry, MANIFEST_FORMAT, Manifest, ModelFolder};
pub use precision::{ParsePrecisionError, Precision, quick_bytes};
pub use provider::{ParseProviderError, Provider, ProviderUsed};
pub use temporal::Temporal;

#[cfg(feature = "onnx")]
pub use onnx::{Decoder, Encoder};
#[cfg(feature = "onnx")]
pub use regenerate::{Model, ModelOptions, ModelReport, Regenerated};
#[cfg(feature = "onnx")]
pub use runtime::Runtime;
