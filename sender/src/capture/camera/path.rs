//! How a camera is named.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which camera: `0` stands for `/dev/video0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraPath(PathBuf);

impl CameraPath {
    /// The device file.
    pub fn device(&self) -> &Path {
        &self.0
    }
}

impl FromStr for CameraPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') {
            return Ok(Self(text.into()));
        }
        match text.parse::<u8>() {
            Ok(number) => Ok(Self(format!("/dev/video{number}").into())),
            Err(_) => Err(format!(
                "{text:?} is no camera; give a number from 0 or a device such as /dev/video0"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_named_by_number_or_device() {
        assert_eq!("0".parse(), Ok(CameraPath("/dev/video0".into())));
        assert_eq!(
            "/dev/v4l/by-id/x".parse(),
            Ok(CameraPath("/dev/v4l/by-id/x".into()))
        );
        for bad in ["", "-1", "256", "video0", "./x"] {
            assert!(bad.parse::<CameraPath>().is_err(), "{bad}");
        }
    }
}
