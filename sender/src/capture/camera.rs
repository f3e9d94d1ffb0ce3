//! Cameras through Video4Linux.

mod list;
mod mode;
mod path;
mod pixels;
mod stream;
mod trouble;

use linuxvideo::format::{PixFormat, PixelFormat};
use linuxvideo::{CapabilityFlags, Device, Fract, VideoCaptureDevice};
use raq_shared::exit::Failure;
use raq_shared::frame::FrameSize;
use raq_shared::video::{Fraction, FrameRate, VideoFormat};

pub use list::list;
pub use mode::Wanted;
pub use path::CameraPath;
pub use pixels::Pixels;
pub(crate) use stream::CameraStream;
use trouble::Cause;
pub(crate) use trouble::Trouble;

/// A camera that is ready to start.
pub struct Camera {
    path: CameraPath,
    /// Until it starts.
    device: Option<VideoCaptureDevice>,
    picture: Picture,
    rate: FrameRate,
}

/// What its pictures look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    pixels: Pixels,
    size: FrameSize,
    /// Bytes from row to row; 0 for JPEG.
    stride: usize,
}

impl Camera {
    /// Opens a camera in the mode nearest to what is wanted.
    ///
    /// # Errors
    /// [`Failure`] where it is missing, busy, not allowed, or gives no format that can be taken.
    pub fn open(path: &CameraPath, wanted: Wanted) -> Result<Self, Failure> {
        let (device, picture, rate) = open(path, wanted)?;
        let Wanted {
            size, rate: asked, ..
        } = wanted;
        let instead = match (picture.size, rate) == (size, asked) {
            true => String::new(),
            false => format!("; {size} at {asked} was asked for"),
        };
        tracing::info!(
            "{} gives {} {} at {rate} frames per second{instead}",
            path.device().display(),
            picture.pixels.code(),
            picture.size,
        );
        Ok(Self {
            path: path.clone(),
            device: Some(device),
            picture,
            rate,
        })
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        let Picture { pixels, size, .. } = self.picture;
        VideoFormat {
            width: size.width() as u32,
            height: size.height() as u32,
            frame_rate: self.rate,
            aspect: Fraction::new(1, 1),
            chroma_siting: pixels.chroma_siting(),
            colour_range: pixels.colour_range(),
        }
    }

    /// Starts the camera. After the first time, or when it could not be started, it is opened
    /// again; it must then give the same pictures.
    pub(crate) fn start(&mut self) -> Result<CameraStream, Trouble> {
        let device = match self.device.take() {
            Some(device) => device,
            None => self.reopen()?,
        };
        CameraStream::start(self.path.device(), device, self.picture, self.rate)
    }

    fn reopen(&mut self) -> Result<VideoCaptureDevice, Trouble> {
        let wanted = Wanted {
            size: self.picture.size,
            rate: self.rate,
            pixels: Some(self.picture.pixels),
        };
        let (device, picture, _) = open(&self.path, wanted)?;
        let before = self.picture;
        if (picture.size, picture.pixels) != (before.size, before.pixels) {
            let now = format!(
                "gives {} {} and no longer {} {}",
                picture.pixels.code(),
                picture.size,
                before.pixels.code(),
                before.size
            );
            return Err(Trouble::new(self.path.device(), Cause::Changed(now)));
        }
        self.picture = picture;
        Ok(device)
    }
}

/// Opens a device and agrees on a mode near to what is wanted.
fn open(
    path: &CameraPath,
    wanted: Wanted,
) -> Result<(VideoCaptureDevice, Picture, FrameRate), Trouble> {
    let path = path.device();
    let failed = |error| Trouble::of(path, &error);
    let trouble = |cause| Trouble::new(path, cause);
    let device = Device::open(path).map_err(failed)?;
    if !takes_pictures(&device) {
        return Err(trouble(Cause::NoCamera));
    }
    let modes = mode::modes(&device, wanted);
    let formats = |given: &[PixelFormat]| {
        let list = |codes: &[PixelFormat]| {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            codes.join(", ")
        };
        trouble(Cause::Formats {
            wanted: list(&match wanted.pixels {
                Some(pixels) => vec![pixels.code()],
                None => Pixels::ALL.map(Pixels::code).to_vec(),
            }),
            given: list(given),
        })
    };
    let Some(mode) = mode::nearest(&modes, wanted) else {
        return Err(formats(&mode::formats(&device)));
    };
    let asked = PixFormat::new(mode.size.0, mode.size.1, mode.pixels.code());
    let device = device.video_capture(asked).map_err(failed)?;
    let agreed = device.format();
    let Some(pixels) = Pixels::of(agreed.pixel_format()) else {
        return Err(formats(&[agreed.pixel_format()]));
    };
    let size = FrameSize::new(agreed.width(), agreed.height());
    let size = size.map_err(|error| trouble(Cause::Other(error.to_string())))?;
    // Some drivers leave it at 0.
    let stride = agreed.bytes_per_line() as usize;
    let picture = Picture {
        pixels,
        size,
        stride: stride.max(pixels.least_stride(size.width())),
    };
    let rate = mode.rate(wanted.rate).unwrap_or(wanted.rate);
    let rate = set_rate(&device, rate);
    Ok((device, picture, rate))
}

/// Whether a device is a camera: webcams bring devices of other kinds, too.
fn takes_pictures(device: &Device) -> bool {
    device.capabilities().is_ok_and(|capabilities| {
        let given = capabilities.device_capabilities();
        given.contains(CapabilityFlags::VIDEO_CAPTURE)
    })
}

/// Asks for a frame rate and gives the one that the camera says it has.
fn set_rate(device: &VideoCaptureDevice, rate: FrameRate) -> FrameRate {
    let wanted = rate.fraction();
    // Cameras that know no rates give what they give.
    let given = device.set_frame_interval(Fract::new(wanted.den, wanted.num));
    given.ok().and_then(mode::rate).unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use raq_shared::exit::Exit;

    use super::*;

    #[test]
    fn what_is_no_camera_is_refused_with_the_cure() {
        let wanted = Wanted {
            size: FrameSize::new(640, 360).unwrap(),
            rate: FrameRate::new(30, 1).unwrap(),
            pixels: None,
        };
        for (path, says) in [
            ("/dev/video-that-is-not-there", "there is no camera at"),
            ("/dev/null", "/dev/null is no camera"),
            ("/dev", "/dev is no camera"),
        ] {
            let failure = Camera::open(&path.parse().unwrap(), wanted).err().unwrap();
            assert_eq!(failure.exit, Exit::Device);
            assert!(failure.message.starts_with(says), "{failure}");
            assert!(failure.message.contains("--list-cameras"), "{failure}");
        }
    }
}
