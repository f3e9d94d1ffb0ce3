//! A virtual camera: a V4L2 output device, such as v4l2loopback makes.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::{CapabilityFlags, Device, VideoOutputDevice};
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, Plane};
use raq_shared::video::VideoFormat;

use super::telling::unwritable;

/// Planes Y, U, V.
const YU12: PixelFormat = PixelFormat::from_fourcc(*b"YU12");

/// The device.
pub(super) struct Loopback {
    path: PathBuf,
    device: Option<VideoOutputDevice>,
    bytes: Vec<u8>,
}

impl Loopback {
    /// Checks that the device takes video.
    ///
    /// # Errors
    /// [`Failure`] where there is none, or it is a camera.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        device(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: None,
            bytes: Vec::new(),
        })
    }

    /// A session begins: the device takes its format. Programs want even sides of a camera, so a
    /// last odd row or column is left out.
    ///
    /// # Errors
    /// [`Failure`] where it does not.
    pub(super) fn begin(&mut self, format: VideoFormat) -> Result<(), Failure> {
        // The format can only change while nobody has it open for writing.
        self.device = None;
        let (width, height) = (format.width & !1, format.height & !1);
        if width == 0 || height == 0 {
            return Err(Failure::new(
                Exit::Device,
                format_args!(
                    "a virtual camera shows at least 2x2 pixels, not {}x{}; choose another --output",
                    format.width, format.height
                ),
            ));
        }
        let wanted = PixFormat::new(width, height, YU12);
        let opened = device(&self.path)?.video_output(wanted);
        let device = opened.map_err(|error| failure(&self.path, &error))?;
        let taken = device.format();
        let size = (taken.width(), taken.height());
        if taken.pixel_format() != YU12 || size != (width, height) {
            return Err(Failure::new(
                Exit::Device,
                format_args!(
                    "{} takes {}x{} {} only, not {width}x{height} {YU12}; end the programs that use \
                     it, or load v4l2loopback anew",
                    self.path.display(),
                    size.0,
                    size.1,
                    taken.pixel_format(),
                ),
            ));
        }
        self.device = Some(device);
        Ok(())
    }

    /// Shows a frame.
    ///
    /// # Errors
    /// [`Failure`] where the device has gone.
    pub(super) fn show(&mut self, frame: &Frame) -> Result<(), Failure> {
        let Some(device) = &mut self.device else {
            return Ok(());
        };
        even(frame, &mut self.bytes);
        let written = device.write_all(&self.bytes);
        written.map_err(|error| failure(&self.path, &error))
    }
}

/// The planes one after the other, without a last odd row or column.
fn even(frame: &Frame, bytes: &mut Vec<u8>) {
    let (width, height) = (frame.size().width() & !1, frame.size().height() & !1);
    bytes.clear();
    for (plane, part) in Plane::ALL.into_iter().zip([1, 2, 2]) {
        for y in 0..height / part {
            bytes.extend_from_slice(&frame.row(plane, y)[..width / part]);
        }
    }
}

fn device(path: &Path) -> Result<Device, Failure> {
    let device = Device::open(path).map_err(|error| failure(path, &error))?;
    let capabilities = device.capabilities();
    let capabilities = capabilities.map_err(|error| failure(path, &error))?;
    if capabilities
        .device_capabilities()
        .contains(CapabilityFlags::VIDEO_OUTPUT)
    {
        return Ok(device);
    }
    Err(Failure::new(
        Exit::Device,
        format_args!(
            "{} is no virtual camera, it takes no video; `modprobe v4l2loopback` makes one",
            path.display()
        ),
    ))
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let cure = match error.kind() {
        ErrorKind::NotFound => "`modprobe v4l2loopback` makes a virtual camera",
        ErrorKind::PermissionDenied => "join the group video, then log in again",
        ErrorKind::ResourceBusy => "end the program that uses it",
        _ => "choose a virtual camera, as `modprobe v4l2loopback` makes one",
    };
    Failure::new(
        Exit::Device,
        format_args!("cannot use {}: {error}; {cure}", path.display()),
    )
    .telling(unwritable(error))
}

#[cfg(test)]
mod tests {
    use raq_shared::frame::FrameSize;

    use super::*;

    #[test]
    fn odd_sides_are_made_even() {
        let mut frame = Frame::new(FrameSize::new(3, 3).unwrap());
        frame.fill([
            &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            &[10, 11, 12, 13],
            &[20, 21, 22, 23],
        ]);
        let mut bytes = vec![0; 99];
        even(&frame, &mut bytes);
        assert_eq!(bytes, [1, 2, 4, 5, 10, 20]);
        let mut frame = Frame::new(FrameSize::new(4, 2).unwrap());
        frame.fill([&[1, 2, 3, 4, 5, 6, 7, 8], &[10, 11], &[20, 21]]);
        even(&frame, &mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 20, 21]);
    }

    #[test]
    fn what_is_no_virtual_camera_is_refused() {
        let refused = |path| Loopback::open(Path::new(path)).err().unwrap();
        let missing = refused("/dev/video-of-nobody");
        assert_eq!(missing.exit, Exit::Device);
        assert!(missing.message.contains("v4l2loopback"), "{missing}");
        let null = refused("/dev/null");
        assert!(null.message.contains("/dev/null"), "{null}");
    }
}
