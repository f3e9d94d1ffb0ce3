//! Where frames come from: a camera, a y4m stream or a test pattern.

pub mod motion;
pub mod pattern;
pub mod schedule;
mod stamp;

#[cfg(all(test, feature = "camera"))]
mod against_ffmpeg;
#[cfg(feature = "camera")]
pub mod camera;
#[cfg(feature = "program")]
pub mod clip;
#[cfg(feature = "camera")]
mod convert;
#[cfg(feature = "program")]
mod ffmpeg;
#[cfg(feature = "camera")]
mod live;
#[cfg(feature = "camera")]
mod mjpeg;
#[cfg(feature = "program")]
pub mod play;
#[cfg(feature = "program")]
pub mod playback;
#[cfg(feature = "program")]
mod scaler;
