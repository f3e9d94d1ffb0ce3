//! The sending half of raq.
//!
//! ```text
//! sessions: connects, and again when the connection is lost
//! connection: moves bytes between QUIC and the session
//!   session: handshake, each frame's bytes, when datagrams leave, reports (no sockets, clocks, threads)
//!   capture thread: camera, y4m or test pattern, at the source's pace
//!   encode thread: encoder network, latents rounded to the grid
//!   code thread: choice of operations and K̃, range coding, what the receiver has
//! ```
//!
//! [`session::Session`] with [`bandwidth`], [`rate`], [`frame_coder`], and the test patterns in
//! [`capture`], build without the feature `program` and run unchanged in a simulator. No audio.

pub mod bandwidth;
pub mod capture;
pub mod choice;
pub mod closings;
pub mod fec;
pub mod feedback;
pub mod flight;
pub mod frame_coder;
pub mod loss;
pub mod mirror;
pub mod pacer;
pub mod parity;
pub mod rate;
pub mod session;

#[cfg(test)]
mod stand;

#[cfg(feature = "program")]
mod clock;
#[cfg(feature = "program")]
mod closing_queue;
#[cfg(feature = "program")]
mod code;
#[cfg(feature = "program")]
mod connect;
#[cfg(feature = "program")]
mod connection;
#[cfg(feature = "program")]
mod contact;
#[cfg(feature = "program")]
pub mod driver;
#[cfg(feature = "program")]
mod encode;
#[cfg(feature = "program")]
mod event;
#[cfg(feature = "program")]
mod lookout;
#[cfg(feature = "program")]
mod mailbox;
#[cfg(feature = "program")]
mod news;
#[cfg(feature = "program")]
pub mod options;
#[cfg(feature = "program")]
mod pipeline;
#[cfg(feature = "program")]
mod reconnect;
#[cfg(feature = "program")]
mod sessions;
#[cfg(feature = "program")]
mod tally;
#[cfg(feature = "program")]
mod tempo;
#[cfg(feature = "program")]
mod uplink;
