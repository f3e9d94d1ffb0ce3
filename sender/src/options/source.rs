//! What is sent: a camera, a file or a test pattern.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use raq_shared::exit::Failure;
use raq_shared::frame::FrameSize;
use raq_shared::video::FrameRate;

use super::usage;
#[cfg(feature = "camera")]
use crate::capture::camera::{Camera, CameraPath, Wanted};
use crate::capture::clip::Clip;
use crate::capture::pattern::{Kind, Pattern};
use crate::capture::play::Source;

/// Size of camera and test pattern unless one is given.
const SIZE: &str = "640x360";
/// Their frames per second.
const RATE: &str = "30";

/// Where the pictures come from.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub struct SourceArgs {
    /// Send from a camera: its number, or its device such as /dev/video0
    #[cfg(feature = "camera")]
    #[arg(long, value_name = "N|/dev/videoN", group = "source")]
    pub camera: Option<CameraPath>,
    /// List cameras with their sizes and frame rates, and end
    #[cfg(feature = "camera")]
    #[arg(long)]
    pub list_cameras: bool,
    /// Send a y4m file, or a y4m stream on standard input (-), at its frame rate
    #[arg(long, value_name = "FILE.y4m|-", group = "source")]
    pub input: Option<PathBuf>,
    /// Send a test pattern: motion, bars or noise [default without a name: motion]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "motion",
        group = "source")]
    pub test_pattern: Option<Kind>,
    /// Size of camera and test pattern; of a camera the nearest it has [default: 640x360]
    #[arg(long, value_name = "WxH", conflicts_with = "input")]
    pub size: Option<Size>,
    /// Frames per second of camera and test pattern: 30, 29.97 or 30000/1001; of a camera the nearest
    /// it has [default: 30]
    #[arg(long, value_name = "N", conflicts_with = "input")]
    pub fps: Option<FrameRate>,
}

impl SourceArgs {
    /// Opens what is to be sent.
    ///
    /// # Errors
    /// [`Failure`] where nothing was named, or it cannot be opened.
    pub fn open(&self) -> Result<Source, Failure> {
        let size = self.size.or_else(|| SIZE.parse().ok());
        let rate = self.fps.or_else(|| RATE.parse().ok());
        let (Some(Size(size)), Some(rate)) = (size, rate) else {
            return Err(usage("give --size and --fps"));
        };
        #[cfg(feature = "camera")]
        if let Some(path) = &self.camera {
            return Camera::open(path, Wanted { size, rate }).map(Source::Camera);
        }
        if let Some(path) = &self.input {
            return Clip::open(path).map(|clip| Source::Clip(Box::new(clip)));
        }
        if let Some(kind) = self.test_pattern {
            return Ok(Source::Pattern(Pattern::new(kind, size, rate)));
        }
        let camera = if cfg!(feature = "camera") {
            "--camera N, "
        } else {
            ""
        };
        Err(usage(format_args!(
            "say what to send: {camera}--input FILE.y4m or --test-pattern"
        )))
    }
}

/// The size of a frame, `WxH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub FrameSize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use raq_shared::exit::Exit;

    use super::*;
    use crate::options::Options;

    fn parse(args: &[&str]) -> Result<SourceArgs, clap::Error> {
        Options::try_parse_from(["raq-send"].iter().chain(args)).map(|options| options.source)
    }

    #[test]
    fn there_is_one_source() {
        let motion = parse(&["--test-pattern", "--peer", "a:1"]).unwrap();
        assert_eq!(motion.test_pattern, Some(Kind::Motion));
        let bars = parse(&["--peer", "a:1", "--test-pattern", "bars"]).unwrap();
        assert_eq!(bars.test_pattern, Some(Kind::Bars));
        assert!(parse(&["--test-pattern", "dots"]).is_err());
        assert!(parse(&["--test-pattern", "--input", "x.y4m"]).is_err());
        let none = parse(&["--peer", "a:1"]).unwrap();
        let failure = none.open().err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("--test-pattern"));
    }

    #[test]
    fn a_test_pattern_has_a_size_and_rate() {
        let format = |args: &[&str]| {
            let source = parse(&[&["--test-pattern"], args].concat()).unwrap();
            let format = source.open().unwrap().format();
            (format.width, format.height, format.frame_rate.to_string())
        };
        assert_eq!(format(&[]), (640, 360, "30".to_owned()));
        let given = format(&["--size", "17x31", "--fps", "29.97"]);
        assert_eq!(given, (17, 31, "29970/1000".to_owned()));
        for bad in ["0x1", "1", "axb", "99999x1"] {
            assert!(parse(&["--test-pattern", "--size", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_brings_its_own_size_and_rate() {
        assert!(parse(&["--input", "x.y4m"]).is_ok());
        assert!(parse(&["--input", "x.y4m", "--size", "1x1"]).is_err());
        assert!(parse(&["--input", "x.y4m", "--fps", "5"]).is_err());
    }
}
