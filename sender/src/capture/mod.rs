//! Where frames come from: a camera, a y4m stream or a test pattern.

pub mod motion;
pub mod pattern;
pub mod schedule;
mod stamp;
