//! A camera that runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use linuxvideo::VideoCaptureDevice;
use linuxvideo::stream::ReadStream;
use raq_shared::frame::Frame;
use raq_shared::video::FrameRate;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Picture;
use super::pixels::Pixels;
use super::trouble::{Cause, Trouble};
use crate::capture::convert::{self, Yuyv};
use crate::capture::mjpeg::Mjpeg;

/// A camera that gives nothing for this long, or for [`SILENT_PICTURES`], is opened again.
const SILENCE: Duration = Duration::from_secs(5);
/// The same in pictures, for slow cameras.
const SILENT_PICTURES: u64 = 5;

/// A running camera. The driver's two buffers are given back at once, so that it always has one to
/// fill, and of pictures that wait only the newest is taken.
pub(crate) struct CameraStream {
    path: PathBuf,
    stream: ReadStream,
    picture: Picture,
    patience: Timespec,
    /// The picture as it came.
    bytes: Vec<u8>,
    /// Whether the camera said that it is whole.
    whole: bool,
    yuyv: Yuyv,
    mjpeg: Mjpeg,
}

impl CameraStream {
    pub(super) fn start(
        path: &Path,
        device: VideoCaptureDevice,
        picture: Picture,
        rate: FrameRate,
    ) -> Result<Self, Trouble> {
        let stream = device
            .into_stream()
            .map_err(|error| Trouble::of(path, &error))?;
        let patience = SILENCE.max(rate.time_of(SILENT_PICTURES));
        Ok(Self {
            path: path.to_owned(),
            stream,
            picture,
            patience: Timespec {
                tv_sec: patience.as_secs() as i64,
                tv_nsec: patience.subsec_nanos().into(),
            },
            bytes: Vec::new(),
            whole: false,
            yuyv: Yuyv::default(),
            mjpeg: Mjpeg::default(),
        })
    }

    /// Waits for the next picture and takes the newest.
    ///
    /// # Errors
    /// [`Trouble`] where the camera has gone or gives nothing.
    pub(crate) fn take(&mut self) -> Result<(), Trouble> {
        self.wait()?;
        loop {
            let (bytes, whole) = (&mut self.bytes, &mut self.whole);
            let taken = self.stream.dequeue(|buffer| {
                bytes.clear();
                bytes.extend_from_slice(&buffer);
                *whole = !buffer.is_error();
                Ok(())
            });
            match taken {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => continue,
                Err(error) => return Err(Trouble::of(&self.path, &error)),
                Ok(()) => {}
            }
            if self.stream.will_block().unwrap_or(true) {
                return Ok(());
            }
        }
    }

    /// Waits until there is a picture, or news of the camera's end.
    fn wait(&self) -> Result<(), Trouble> {
        loop {
            let mut news = [PollFd::new(&self.stream, PollFlags::IN)];
            match poll(&mut news, Some(&self.patience)) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(Trouble::of(&self.path, &error.into())),
                Ok(0) => return Err(Trouble::new(&self.path, Cause::Silent)),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// The picture taken last, as 4:2:0; false where it is broken.
    pub(crate) fn convert(&mut self, frame: &mut Frame) -> bool {
        let Picture { pixels, stride, .. } = self.picture;
        let bytes = &self.bytes;
        self.whole
            && match pixels {
                Pixels::Planar => convert::yu12(bytes, stride, frame),
                Pixels::SemiPlanar => convert::nv12(bytes, stride, frame),
                Pixels::Packed => self.yuyv.convert(bytes, stride, frame),
                Pixels::MotionJpeg | Pixels::Jpeg => self.mjpeg.decode(bytes, frame),
            }
    }

    /// What it means that no picture could be converted for long.
    pub(crate) fn broken(&self) -> Trouble {
        Trouble::new(&self.path, Cause::Broken)
    }
}
