//! Simulates networks for raq, and measures it without one.
//!
//! ```text
//! scenario -> run -> flow (the product's sessions, media, policy) over link -> record
//!   -> summary -> report, merge
//! ```
//!
//! [`run`] carries a [`scenario`] out, in virtual time ([`sessions`]) or over real QUIC endpoints.
//! [`rd`] encodes clips at given bitrates in this process and holds rate and distortion beside
//! those of other codecs; [`vectors`] gathers what training learns from in the same way.

pub mod agree;
pub mod cubic;
pub mod faults;
pub mod flow;
pub mod html;
pub mod jobs;
pub mod link;
pub mod measure;
pub mod media;
pub mod merge;
pub mod npy;
pub mod options;
pub mod plot;
pub mod policy;
pub mod quic;
pub mod random_loss;
pub mod rd;
pub mod record;
pub mod relay;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sessions;
pub mod summary;
pub mod sweep;
pub mod transfer;
pub mod vectors;
