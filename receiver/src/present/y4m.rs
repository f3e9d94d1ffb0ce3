//! A y4m stream at a constant rate, into a file, standard output or ffmpeg.
//!
//! A frame that is missing is written as a repetition of the one before it (at the beginning: of
//! the first that came), so a frame's place in the file is its number. Where a connection is lost,
//! the next session goes on in the same way after the time that has passed, but no more than 30 s.
//! Whole frames only: what is written stays readable whenever it is cut, and no file is made before
//! there is a frame.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use raq_shared::y4m::{Error, Writer};

use super::encoder::Encoder;
use super::telling::unwritable;

/// The most of a gap between sessions that is filled: a night without a sender is not to fill a disk.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// Where the stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether a file that exists may be replaced.
        overwrite: bool,
    },
    /// A file that ffmpeg encodes, mp4 or mkv.
    Encoded {
        /// Its path.
        path: PathBuf,
        /// Whether a file that exists may be replaced.
        overwrite: bool,
    },
}

impl Target {
    /// The file and whether it may be replaced, where there is one.
    pub(crate) fn file(&self) -> Option<(&Path, bool)> {
        match self {
            Self::Stdout => None,
            Self::File { path, overwrite } | Self::Encoded { path, overwrite } => {
                Some((path, *overwrite))
            }
        }
    }
}

/// The stream.
pub(super) struct Y4m {
    target: Target,
    format: Option<VideoFormat>,
    stream: Option<Stream>,
    last: Option<Arc<Frame>>,
    /// The place of frame 0 of this session.
    start: u32,
    /// The place after the last frame that was no repetition.
    shown: u32,
    /// Frames written, which is the place of the next one.
    written: u32,
    /// Repetitions in this session, those of the gap before it included.
    repeated: u64,
}

struct Stream {
    writer: Writer<Arc<File>>,
    file: Arc<File>,
    /// Length up to the last whole frame; none where it cannot be told (pipes).
    whole: Option<u64>,
    /// What reads it, where it does not become a file as it is.
    encoder: Option<Encoder>,
}

impl Y4m {
    /// Checks that the target can be written, and leaves it as it was.
    pub(super) fn open(target: Target) -> Result<Self, Failure> {
        if let Target::Encoded { .. } = &target {
            Encoder::check()?;
        }
        if let Some((path, overwrite)) = target.file() {
            if !overwrite && path.symlink_metadata().is_ok() {
                return Err(exists(path));
            }
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            if !folder.is_dir() {
                return Err(Failure::new(
                    Exit::Failure,
                    format_args!(
                        "cannot write {}: there is no folder {}; make it or choose another",
                        path.display(),
                        folder.display()
                    ),
                ));
            }
            try_out(path).map_err(|error| failure(&target, error.into()))?;
        }
        Ok(Self {
            target,
            format: None,
            stream: None,
            last: None,
            start: 0,
            shown: 0,
            written: 0,
            repeated: 0,
        })
    }

    /// A session begins with frames of `format`, `gap` after the last frame of the one before. A
    /// stream keeps its format.
    pub(super) fn begin(&mut self, format: VideoFormat, gap: Duration) -> Result<(), Failure> {
        if self.stream.is_some() {
            if self.format != Some(format) {
                return Err(Failure::new(
                    Exit::Failure,
                    "a y4m stream has one format; start raq-recv again for another",
                ));
            }
            let missed = format.frame_rate.number_at(gap.min(LONGEST_GAP));
            let missed = u32::try_from(missed).unwrap_or(u32::MAX).max(1) - 1;
            self.start = self.shown.saturating_add(missed).max(self.written);
        }
        self.repeated = 0;
        self.format = Some(format);
        Ok(())
    }

    /// Writes frame `number`, after repetitions of the last one for those in between.
    pub(super) fn show(&mut self, number: u32, frame: &Arc<Frame>) -> Result<(), Failure> {
        let place = self.start.saturating_add(number);
        let missing = place.saturating_sub(self.written);
        if self.stream.is_none() {
            let Some(format) = self.format else {
                return Ok(());
            };
            self.stream = Some(Stream::open(&self.target, &format)?);
        }
        let before = self.last.take();
        for _ in 0..missing {
            self.write(before.as_ref().unwrap_or(frame))?;
            self.repeated += 1;
        }
        self.write(frame)?;
        self.shown = self.written;
        self.last = Some(frame.clone());
        Ok(())
    }

    /// Repeats the last frame until there are `frames_sent` of this session; gives the number of
    /// its repetitions. Without a frame there is no file.
    pub(super) fn finish(&mut self, frames_sent: u32) -> Result<u64, Failure> {
        if let Some(last) = self.last.take() {
            for _ in self.written..self.start.saturating_add(frames_sent) {
                self.write(&last)?;
                self.repeated += 1;
            }
            self.last = Some(last);
        }
        Ok(self.repeated)
    }

    /// The stream has come to its end, and the file is whole.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        let Some(Stream {
            writer,
            file,
            encoder,
            ..
        }) = self.stream.take()
        else {
            return Ok(());
        };
        drop((writer, file));
        match (encoder, self.target.file()) {
            (Some(encoder), Some((path, _))) => encoder.finish(path),
            _ => Ok(()),
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<(), Failure> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let error = match stream.write(frame) {
            Ok(()) => {
                self.written += 1;
                return Ok(());
            }
            Err(error) => error,
        };
        stream.cut_to_whole_frames(&self.target);
        // What reads the stream knows better why.
        self.close()?;
        Err(failure(&self.target, error))
    }
}

impl Stream {
    fn open(target: &Target, format: &VideoFormat) -> Result<Self, Failure> {
        let mut encoder = None;
        let file = match target {
            Target::Encoded { path, overwrite } => {
                let (started, input) = Encoder::start(path, *overwrite)?;
                encoder = Some(started);
                Ok(input)
            }
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Target::File {
                path,
                overwrite: true,
            } => File::create(path),
            Target::File {
                path,
                overwrite: false,
            } => OpenOptions::new().write(true).create_new(true).open(path),
        };
        let file = Arc::new(file.map_err(|error| match target {
            Target::File { path, .. } if error.kind() == ErrorKind::AlreadyExists => exists(path),
            _ => failure(target, Error::Io(error)),
        })?);
        match Writer::new(file.clone(), format) {
            Ok(writer) => Ok(Self {
                writer,
                file,
                whole: None,
                encoder,
            }),
            Err(error) => {
                remove_empty(target);
                drop(file);
                if let (Some(encoder), Some((path, _))) = (encoder, target.file()) {
                    // It knows better why.
                    encoder.finish(path)?;
                }
                Err(failure(target, error))
            }
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<(), Error> {
        self.writer.write(frame)?;
        self.whole = (&*self.file).stream_position().ok();
        Ok(())
    }

    /// After a failed write: drops the half frame at the end of a file, and the file if it holds
    /// no frame.
    fn cut_to_whole_frames(&self, target: &Target) {
        match (target, self.whole) {
            (Target::File { .. }, Some(whole)) => {
                // A pipe in the place of a file cannot be cut, and needs it as little.
                let _ = self.file.set_len(whole);
            }
            (Target::File { .. }, None) => remove_empty(target),
            (Target::Stdout | Target::Encoded { .. }, _) => {}
        }
    }
}

fn remove_empty(target: &Target) {
    if let Target::File { path, .. } = target
        && path.symlink_metadata().is_ok_and(|meta| meta.is_file())
    {
        let _ = std::fs::remove_file(path);
    }
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        format_args!(
            "{} exists; give --overwrite or another name",
            path.display()
        ),
    )
}

/// Opens `path` for writing without changing it; what was not there is not there afterwards. Pipes
/// and devices are left alone: whoever reads them would take this for the end.
fn try_out(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_file() || found.is_dir() => {
            OpenOptions::new().write(true).open(path).map(drop)
        }
        Ok(_) => Ok(()),
        Err(_) => {
            File::create_new(path)?;
            std::fs::remove_file(path)
        }
    }
}

fn failure(target: &Target, error: Error) -> Failure {
    let name = match target {
        Target::Stdout => "standard output".to_owned(),
        Target::File { path, .. } | Target::Encoded { path, .. } => path.display().to_string(),
    };
    match error {
        Error::Io(error)
            if error.kind() == ErrorKind::BrokenPipe
                && !matches!(target, Target::Encoded { .. }) =>
        {
            Failure::closed_pipe()
        }
        Error::Io(error) => {
            let text = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    format!("cannot write {name}: {error}; free space or choose another --output")
                }
                _ => format!("cannot write {name}: {error}; choose another --output"),
            };
            Failure::new(Exit::Failure, text).telling(unwritable(&error))
        }
        error => Failure::new(Exit::Failure, format_args!("cannot write {name}: {error}")),
    }
}

#[cfg(test)]
mod tests;
