//! Measures raq without a network.
//!
//! [`rd`] encodes clips at given bitrates in this process and holds rate and distortion beside
//! those of other codecs. [`vectors`] gathers what training learns from in the same way.

mod cubic;
pub mod cubic;
pub mod flow;
pub mod link;
pub mod measure;
pub mod media;
pub mod merge;
pub mod npy;
pub mod options;
pub mod policy;
pub mod random_loss;
pub mod rd;
pub mod record;
pub mod run;
pub mod scenario;
pub mod sessions;
pub mod summary;
pub mod sweep;
pub mod transfer;
pub mod vectors;
