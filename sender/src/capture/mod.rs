//! Where frames come from: a camera, a y4m stream or a test pattern.

pub mod motion;
pub mod pattern;
pub mod schedule;
mod stamp;

#[cfg(feature = "camera")]
pub mod camera;
#[cfg(feature = "program")]
pub mod clip;
#[cfg(feature = "camera")]
mod convert;
#[cfg(feature = "program")]
pub mod play;
