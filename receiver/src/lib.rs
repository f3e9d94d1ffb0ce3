//! The receiving half of raq.
//!
//! ```text
//! driver: opens and listens
//!   server: who connects, and which seat he gets
//!     connection: QUIC in and out
//!       session: handshake, datagrams to pictures, reports (no sockets, clocks, threads)
//!   station: what a sender is received with
//!     decode thread: decoder network
//!     present threads: window or page (each frame in its time, [`playout`]), files
//! ```
//!
//! [`session::Session`] with [`assembly`] and [`intake`], and [`playout`], build without the feature
//! `program` and run unchanged in a simulator. No audio.

pub mod arrivals;
pub mod assembly;
mod closings;
mod distant;
pub mod intake;
mod parity;
pub mod playout;
pub mod reordering;
pub mod session;
pub mod spread;

#[cfg(test)]
mod sample;

#[cfg(feature = "program")]
mod admission;
#[cfg(feature = "program")]
mod connection;
#[cfg(feature = "program")]
mod decode;
#[cfg(feature = "program")]
pub mod driver;
#[cfg(feature = "program")]
mod event;
#[cfg(feature = "program")]
mod figures;
#[cfg(feature = "program")]
mod greeting;
#[cfg(feature = "program")]
mod invitation;
#[cfg(feature = "program")]
pub mod options;
#[cfg(feature = "program")]
mod present;
#[cfg(feature = "program")]
mod seats;
#[cfg(feature = "program")]
mod server;
#[cfg(feature = "program")]
mod station;
#[cfg(feature = "program")]
mod tally;
#[cfg(feature = "program")]
mod ticket_line;
