//! What is fuzzed: functions of any bytes that panic where a parser or a session breaks its promises.
//!
//! The fuzzers in `tests/fuzz` and the test of this crate run the same functions.

mod bodies;
mod control;
mod datagrams;
mod files;
mod receiving;
mod sample;
mod sending;
mod tape;
mod users;

pub use bodies::body;
pub use control::control;
pub use datagrams::datagram;
pub use files::{manifest, shipment, tables, y4m};
pub use receiving::receiver;
pub use sample::seeds;
pub use sending::sender;
pub use users::{keys, scenario, stats, trace};

/// A function that is fuzzed.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders of seeds.
pub const TARGETS: [(&str, Target); 13] = [
    ("body", body),
    ("control", control),
    ("datagram", datagram),
    ("keys", keys),
    ("manifest", manifest),
    ("receiver", receiver),
    ("scenario", scenario),
    ("sender", sender),
    ("shipment", shipment),
    ("stats", stats),
    ("tables", tables),
    ("trace", trace),
    ("y4m", y4m),
];
