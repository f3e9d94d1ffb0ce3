//! The receiving half of raq.
//!
//! ```text
//! driver: listens, admits one sender at a time
//!   connection: QUIC in and out
//!     session: handshake, datagrams to pictures, reports (no sockets, clocks, threads)
//!   decode thread: decoder network
//!   present thread: window, y4m or nothing
//! ```
//!
//! [`session::Session`] with [`assembly`] and [`intake`] builds without the feature `program` and
//! runs unchanged in a simulator. No audio, no playout buffer.

pub mod assembly;
pub mod intake;
pub mod session;

#[cfg(test)]
mod sample;

#[cfg(feature = "program")]
mod connection;
#[cfg(feature = "program")]
mod decode;
#[cfg(feature = "program")]
pub mod driver;
#[cfg(feature = "program")]
mod event;
#[cfg(feature = "program")]
mod gate;
#[cfg(feature = "program")]
pub mod options;
#[cfg(feature = "program")]
mod present;
#[cfg(feature = "program")]
mod tally;
