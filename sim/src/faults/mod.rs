//! Scripts of faults: the product's sessions with its coder, over a path on which everything goes
//! wrong for a while.
//!
//! ```text
//! Script -> World (SendingEnd =Route=> ReceivingEnd) -> Watch -> Trial -> table
//! ```
//!
//! Between the ends there is no QUIC: what it would refuse, wrong bits and datagrams cut short, the
//! sessions are given.

mod damage;
mod fault;
mod receiving;
mod route;
mod sample;
mod script;
mod sending;
mod soak;
mod table;
mod trial;
mod watch;
mod world;

pub use fault::{Fault, Faults};
pub use script::Script;
pub use soak::Soak;
pub use table::{misses, table};
pub use trial::{HEALED, REPAIRED, Trial};
pub use watch::{MOST_RECEIVING, MOST_SENDING};
