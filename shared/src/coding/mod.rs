//! Updates as bytes: static-table range coding, or plain bits where those are fewer.
//!
//! Every datagram is coded on its own with tables that come with the model and never change, so a
//! lost datagram costs no other one. [`Tables`] holds the frequencies, [`Sink`] and [`Source`] code
//! symbols, [`body`] says which symbols make up a datagram, [`Census`] counts them for new tables.

pub mod body;
pub mod census;
pub mod frequencies;
pub mod symbols;
pub mod tables;

pub use body::{BodyError, Framing, UpdateList, read, write};
pub use census::Census;
pub use frequencies::Frequencies;
pub use symbols::{Coding, Sink, Source};
pub use tables::{Band, Tables};
