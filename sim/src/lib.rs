//! Measures raq without a network.
//!
//! [`rd`] encodes clips at given bitrates in this process and holds rate and distortion beside
//! those of other codecs. [`vectors`] gathers what training learns from in the same way.

pub mod html;
pub mod link;
pub mod measure;
pub mod npy;
pub mod options;
pub mod plot;
pub mod rd;
pub mod record;
pub mod report;
pub mod summary;
pub mod transfer;
pub mod vectors;
