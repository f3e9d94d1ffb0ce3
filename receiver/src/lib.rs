//! The receiving half of raq.
//!
//! ```text
//! driver: listens, admits one sender at a time
//!   connection: QUIC in and out
//!     session: handshake, assembly of datagrams into frames (no sockets, clocks, threads)
//!   decode thread: concealment, decoder network
//!   present thread: window, y4m or nothing
//! ```
//!
//! [`session::Session`] with [`assembly`] and [`concealment`] builds without the feature
//! `program` and runs unchanged in a simulator. No audio, no playout buffer, no feedback.

pub mod assembly;
pub mod concealment;
pub mod intake;
pub mod session;

#[cfg(feature = "program")]
mod connection;
#[cfg(feature = "program")]
mod decode;
#[cfg(feature = "program")]
pub mod driver;
#[cfg(feature = "program")]
mod event;
#[cfg(feature = "program")]
pub mod options;
#[cfg(feature = "program")]
mod present;
#[cfg(feature = "program")]
mod tally;
