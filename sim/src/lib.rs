//! Measures raq without a network.
//!
//! [`rd`] encodes clips at given bitrates in this process and holds rate and distortion beside
//! those of other codecs. [`vectors`] gathers what training learns from in the same way.

pub mod cubic;
pub mod link;
pub mod npy;
pub mod options;
pub mod random_loss;
pub mod rd;
pub mod transfer;
pub mod vectors;
