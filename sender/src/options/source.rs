//! What is sent: a camera, a file or a test pattern.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use raq_shared::exit::Failure;
use raq_shared::frame::FrameSize;
use raq_shared::video::FrameRate;

use super::usage;
#[cfg(feature = "camera")]
use crate::capture::camera::{Camera, CameraPath, Pixels, Wanted};
use crate::capture::pattern::{Kind, Pattern};
use crate::capture::play::Source;
use crate::capture::playback::{Playback, Wishes};

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
    /// Take pictures of this format only: YUYV, NV12, YU12, MJPG or JPEG [default: the one that
    /// loses least at the size and rate]
    #[cfg(feature = "camera")]
    #[arg(long, value_name = "CODE")]
    pub camera_format: Option<Pixels>,
    /// List cameras with their sizes and frame rates, and end
    #[cfg(feature = "camera")]
    #[arg(long)]
    pub list_cameras: bool,
    /// Send a video file, at its frame rate: y4m, or whatever ffmpeg reads where it is installed; or a
    /// y4m stream on standard input (-)
    #[arg(long, value_name = "FILE|-", group = "source")]
    pub input: Option<PathBuf>,
    /// Begin the file again at its end
    #[arg(long = "loop")]
    pub looped: bool,
    /// Send a test pattern: motion, bars or noise [default without a name: motion]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "motion",
        group = "source")]
    pub test_pattern: Option<Kind>,
    /// Size of the pictures: of a camera the nearest it has [default: 640x360]; a file's are scaled
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Frames per second, as 30, 29.97 or 30000/1001: of a camera the nearest it has [default: 30]; a
    /// file's are left out or repeated
    #[arg(long, value_name = "N")]
    pub fps: Option<FrameRate>,
}

impl SourceArgs {
    /// Whether the video comes in on standard input.
    pub fn is_stdin(&self) -> bool {
        self.input
            .as_ref()
            .is_some_and(|input| input == Path::new("-"))
    }

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
        // clap's `requires` is silent where another source is given.
        if self.looped && self.input.is_none() {
            return Err(usage(
                "only a file can begin again: --loop needs --input FILE",
            ));
        }
        #[cfg(feature = "camera")]
        if self.camera_format.is_some() && self.camera.is_none() {
            return Err(usage("--camera-format needs --camera N"));
        }
        #[cfg(feature = "camera")]
        if let Some(path) = &self.camera {
            let pixels = self.camera_format;
            let wanted = Wanted { size, rate, pixels };
            return Camera::open(path, wanted).map(Source::Camera);
        }
        if let Some(path) = &self.input {
            let wishes = Wishes {
                looped: self.looped,
                size: self.size.map(|Size(size)| size),
                rate: self.fps,
            };
            return Playback::open(path, wishes).map(|file| Source::File(Box::new(file)));
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
            "say what to send: {camera}--input FILE or --test-pattern"
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
    fn a_file_may_begin_again_and_change_size_and_rate() {
        let file = ["--input", "x.y4m", "--size", "1x1", "--fps", "5", "--loop"];
        let source = parse(&file).unwrap();
        assert!(source.looped && source.fps.is_some());
        for wrong in [
            &["--loop"][..],
            &["--test-pattern", "--loop"],
            &["--input", "-", "--loop"],
            #[cfg(feature = "camera")]
            &["--test-pattern", "--camera-format", "YUYV"],
        ] {
            let failure = parse(wrong).unwrap().open().err().unwrap();
            assert_eq!(failure.exit, Exit::Usage, "{failure}");
        }
    }
}
