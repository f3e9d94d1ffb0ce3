//! Cameras through Video4Linux.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use linuxvideo::format::{FrameIntervals, FrameSizes, PixFormat, PixelFormat};
use linuxvideo::stream::ReadStream;
use linuxvideo::{BufType, CapabilityFlags, Device, Fract, VideoCaptureDevice};
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, FrameSize};
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};

use super::convert::{self, Mjpeg};

/// What can be taken from a camera; uncompressed before motion JPEG where both do.
const FORMATS: [PixelFormat; 3] = [PixelFormat::YUYV, PixelFormat::MJPG, PixelFormat::JPEG];
/// The system's number for "device or resource busy".
const EBUSY: i32 = 16;
/// … and for "not a typewriter": a file that is no camera.
const ENOTTY: i32 = 25;

/// Which camera: `0` stands for `/dev/video0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraPath(PathBuf);

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

/// A camera that is ready to start.
pub struct Camera {
    path: PathBuf,
    device: Option<VideoCaptureDevice>,
    format: VideoFormat,
    motion_jpeg: bool,
    stride: usize,
}

impl Camera {
    /// Opens a camera and agrees on a format near `size` and `rate`.
    ///
    /// # Errors
    /// [`Failure`] where it is missing, busy, not allowed, or gives no format that can be taken.
    pub fn open(path: &CameraPath, size: FrameSize, rate: FrameRate) -> Result<Self, Failure> {
        let path = &path.0;
        let failed = |error| device_failure(path, &error);
        let device = Device::open(path).map_err(failed)?;
        let capabilities = device.capabilities().map_err(failed)?;
        if !capabilities
            .device_capabilities()
            .contains(CapabilityFlags::VIDEO_CAPTURE)
        {
            return Err(no_camera(path));
        }
        let (width, height) = (size.width() as u32, size.height() as u32);
        let given: Vec<PixelFormat> = device
            .formats(BufType::VIDEO_CAPTURE)
            .map_while(Result::ok)
            .map(|format| format.pixel_format())
            .collect();
        let usable = || FORMATS.into_iter().filter(|format| given.contains(format));
        let wanted = usable()
            .find(|&format| is_fast_enough(&device, format, (width, height), rate))
            .or_else(|| usable().next_back())
            .ok_or_else(|| {
                let text = format_args!(
                    "{} gives neither YUYV nor motion JPEG; use another camera, or pipe it \
                     through ffmpeg into --input -",
                    path.display()
                );
                Failure::new(Exit::Device, text)
            })?;
        let device = device
            .video_capture(PixFormat::new(width, height, wanted))
            .map_err(failed)?;
        let agreed = device.format();
        let (pixels, stride) = (agreed.pixel_format(), agreed.bytes_per_line() as usize);
        let size = FrameSize::new(agreed.width(), agreed.height())
            .map_err(|e| Failure::new(Exit::Device, format_args!("{}: {e}", path.display())))?;
        if !FORMATS.contains(&pixels) {
            return Err(no_camera(path));
        }
        let motion_jpeg = pixels != PixelFormat::YUYV;
        let format = VideoFormat {
            width: size.width() as u32,
            height: size.height() as u32,
            frame_rate: set_rate(&device, rate),
            aspect: Fraction::new(1, 1),
            chroma_siting: if motion_jpeg {
                ChromaSiting::Jpeg
            } else {
                ChromaSiting::Mpeg2
            },
            colour_range: if motion_jpeg {
                ColourRange::Full
            } else {
                ColourRange::Limited
            },
        };
        if (format.width, format.height) != (width, height) || format.frame_rate != rate {
            tracing::info!(
                "{} gives {}x{} at {} frames per second instead of {width}x{height} at {rate}",
                path.display(),
                format.width,
                format.height,
                format.frame_rate,
            );
        }
        let stride = stride.max(size.width() * 2);
        Ok(Self {
            path: path.clone(),
            device: Some(device),
            format,
            motion_jpeg,
            stride,
        })
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// Starts the camera; once.
    pub(crate) fn start(&mut self) -> Result<CameraStream, Failure> {
        let device = self.device.take().ok_or_else(|| no_camera(&self.path))?;
        let stream = device
            .into_stream()
            .map_err(|error| device_failure(&self.path, &error))?;
        Ok(CameraStream {
            path: self.path.clone(),
            stream,
            mjpeg: self.motion_jpeg.then(Mjpeg::default),
            stride: self.stride,
        })
    }
}

/// A running camera.
pub(crate) struct CameraStream {
    path: PathBuf,
    stream: ReadStream,
    mjpeg: Option<Mjpeg>,
    stride: usize,
}

impl CameraStream {
    /// Waits for the next picture; false where it is broken.
    ///
    /// # Errors
    /// [`Failure`] where the camera has gone.
    pub(crate) fn read(&mut self, frame: &mut Frame) -> Result<bool, Failure> {
        let (mjpeg, stride) = (&mut self.mjpeg, self.stride);
        loop {
            let taken = self.stream.dequeue(|buffer| {
                let bytes: &[u8] = &buffer;
                Ok(!buffer.is_error()
                    && match mjpeg {
                        Some(decoder) => decoder.decode(bytes, frame),
                        None => convert::yuyv(bytes, stride, frame),
                    })
            });
            match taken {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(device_failure(&self.path, &error)),
                Ok(whole) => return Ok(whole),
            }
        }
    }
}

/// What `--list-cameras` prints: a line per camera and format.
///
/// # Errors
/// [`Failure`] where devices cannot be listed.
pub fn list() -> Result<String, Failure> {
    let devices = linuxvideo::list().map_err(|e| {
        Failure::new(
            Exit::Device,
            format_args!("cannot list devices in /dev: {e}; check /dev"),
        )
    })?;
    let mut cameras: Vec<(PathBuf, String)> = devices
        .filter_map(Result::ok)
        .filter_map(|device| describe(&device))
        .collect();
    cameras.sort();
    Ok(cameras.into_iter().map(|(_, text)| text).collect())
}

fn describe(device: &Device) -> Option<(PathBuf, String)> {
    let capabilities = device.capabilities().ok()?;
    if !capabilities
        .device_capabilities()
        .contains(CapabilityFlags::VIDEO_CAPTURE)
    {
        return None;
    }
    let path = device.path().ok()?;
    let shown = path.display().to_string();
    let number = shown.strip_prefix("/dev/video").unwrap_or("-");
    let mut text = format!("{number}\t{shown}\t{}\n", capabilities.card());
    for format in device.formats(BufType::VIDEO_CAPTURE).map_while(Result::ok) {
        let pixels = format.pixel_format();
        let usable = if FORMATS.contains(&pixels) {
            ""
        } else {
            " (cannot be taken)"
        };
        let sizes = match device.frame_sizes(pixels) {
            Ok(FrameSizes::Discrete(sizes)) => sizes
                .iter()
                .map(|size| format!("{}x{}", size.width(), size.height()))
                .collect::<Vec<_>>()
                .join(" "),
            Ok(sizes) => format!(
                "{}x{} to {}x{}",
                sizes.min_width(),
                sizes.min_height(),
                sizes.max_width(),
                sizes.max_height()
            ),
            Err(_) => String::new(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "\t{}{usable}\t{sizes}", format.description());
    }
    Some((path, text))
}

/// Whether the camera has this size in this format at nearly this rate.
fn is_fast_enough(
    device: &Device,
    format: PixelFormat,
    (width, height): (u32, u32),
    rate: FrameRate,
) -> bool {
    let has_size = match device.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => sizes
            .iter()
            .any(|size| (size.width(), size.height()) == (width, height)),
        Ok(sizes) => {
            (sizes.min_width()..=sizes.max_width()).contains(&width)
                && (sizes.min_height()..=sizes.max_height()).contains(&height)
        }
        Err(_) => false,
    };
    let shortest = |intervals: FrameIntervals| f64::from(intervals.min().as_f32());
    has_size
        && device
            .frame_intervals(format, width, height)
            .is_ok_and(|intervals| shortest(intervals) * rate.as_f64() < 1.05)
}

/// Asks for a frame rate and gives the one that the camera says it has.
fn set_rate(device: &VideoCaptureDevice, rate: FrameRate) -> FrameRate {
    let wanted = rate.fraction();
    // Cameras that know no rates give what they give.
    let given = device
        .set_frame_interval(Fract::new(wanted.den, wanted.num))
        .ok();
    given
        .and_then(|interval| FrameRate::new(interval.denominator(), interval.numerator()).ok())
        .unwrap_or(rate)
}

fn no_camera(path: &Path) -> Failure {
    let text = format_args!(
        "{} is no camera that can be used; run `raq-send --list-cameras`",
        path.display()
    );
    Failure::new(Exit::Device, text)
}

fn device_failure(path: &Path, error: &io::Error) -> Failure {
    let cure = match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) => "plug the camera in, or see `raq-send --list-cameras`",
        (io::ErrorKind::PermissionDenied, _) => "join the group `video` and log in again",
        (_, Some(EBUSY)) => "close the program that uses the camera",
        (_, Some(ENOTTY)) => "that is no camera; see `raq-send --list-cameras`",
        _ => "unplug the camera and plug it in again",
    };
    Failure::new(
        Exit::Device,
        format_args!("cannot use {}: {error}; {cure}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Failure {
        let size = FrameSize::new(640, 360).unwrap();
        let rate = FrameRate::new(30, 1).unwrap();
        Camera::open(&text.parse().unwrap(), size, rate)
            .err()
            .unwrap()
    }

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

    #[test]
    fn what_is_no_camera_is_refused_with_the_cure() {
        let missing = open("/dev/video-that-is-not-there");
        assert_eq!(missing.exit, Exit::Device);
        assert!(missing.message.contains("--list-cameras"), "{missing}");
        let other = open("/dev/null");
        assert_eq!(other.exit, Exit::Device);
        assert!(other.message.contains("no camera"), "{other}");
    }
}
