//! Measures raq without a network.
//!
//! [`rd`] encodes clips at given bitrates in this process and holds rate and distortion beside
//! those of other codecs.

pub mod options;
pub mod rd;
