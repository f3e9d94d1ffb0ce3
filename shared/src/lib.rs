//! What both ends of raq must agree on: frames, latents, the codebooks, tiles and their updates, the wire
//! format, the model folder and the pinned identities.
//!
//! This crate opens no camera and no window, keeps no clock and decides no rate: those live in
//! `raq-send` and `raq-recv`. The wire format is written down in `shared/docs/PROTOCOL.md`, the
//! words used here in `shared/docs/GLOSSARY.md`.

#[cfg(feature = "cli")]
pub mod calendar;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codebook;
pub mod codebooks;
pub mod coding;
#[cfg(feature = "colours")]
pub mod colours;
pub mod exit;
pub mod flood;
pub mod frame;
#[cfg(feature = "quic")]
pub mod identity;
pub mod interleave;
pub mod latent;
pub mod meter;
pub mod model;
#[cfg(feature = "cli")]
pub mod observe;
pub mod paths;
pub mod quality;
#[cfg(feature = "quic")]
pub mod quic;
#[cfg(feature = "cli")]
pub mod settings;
pub mod stage;
pub mod stats;
pub mod text_file;
pub mod tile;
#[cfg(feature = "cli")]
pub mod toml_fault;
pub mod twice;
pub mod units;
pub mod video;
pub mod wire;
pub mod worker;
pub mod y4m;
