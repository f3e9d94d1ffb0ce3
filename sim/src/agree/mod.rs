//! Whether the ways to run a scenario agree: sessions over a model of QUIC, over quinn in virtual
//! time, and over quinn on real sockets with the relay between them.
//!
//! One flow from the ideal source begins when a scenario has run for [`START`], so that the relay
//! has seen the handshake by then. The first seconds of a scenario are enough: its phases and
//! expectations are left out.

mod cell;
mod relayed;
mod row;

pub use cell::Cell;
pub use row::{Figures, Row, table};

use std::time::Duration;

/// When the flow begins.
pub const START: Duration = Duration::from_secs(2);
