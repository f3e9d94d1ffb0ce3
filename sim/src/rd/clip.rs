//! What is encoded: the frames of a clip, all in memory so that reading takes no time from codecs.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, FrameSize},
    video::VideoFormat,
    y4m::{self, Reader},
};

use super::{
    FIRST_MEASURED,
    ffmpeg::{Ffmpeg, HOW_TO_GET},
};

/// A clip: at least [`FIRST_MEASURED`] + 1 frames of one size.
#[derive(Debug, Clone)]
pub struct Clip {
    /// The file's name without folder and ending.
    pub name: String,
    /// Size, frame rate and what samples mean.
    pub format: VideoFormat,
    /// The frames, all of [`Clip::size`].
    pub frames: Vec<Frame>,
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}, {} frames, {} a second",
            self.name,
            self.size(),
            self.frames.len(),
            self.format.frame_rate
        )
    }
}

impl Clip {
    /// Reads at most `limit` frames of a file. 4:2:0 y4m at its own size is read here; all else,
    /// and another `size`, goes through ffmpeg. Full-range samples stay as they are.
    ///
    /// # Errors
    /// [`Failure`] where the file is missing, damaged or no video, holds too few frames, or where
    /// ffmpeg is needed and `None`.
    pub fn read(
        path: &Path,
        size: Option<FrameSize>,
        limit: usize,
        ffmpeg: Option<&Ffmpeg>,
    ) -> Result<Self, Failure> {
        let shown = path.display();
        let failure = |what: &dyn fmt::Display| Failure::new(Exit::Failure, what);
        let file = open(path)?;
        let (format, frames) = match Reader::new(file) {
            Ok(reader) if size.is_none_or(|size| size == reader.size()) => {
                read(reader, limit).map_err(|e| failure(&format_args!("{shown}: {e}")))?
            }
            Ok(_) | Err(y4m::Error::Header(_) | y4m::Error::Chroma(_)) => {
                let ffmpeg = ffmpeg.ok_or_else(|| {
                    failure(&format_args!(
                        "{shown} has to be converted or scaled, and ffmpeg, which does it, is not \
                         installed; {HOW_TO_GET}, or give a 4:2:0 y4m file and leave it its size"
                    ))
                })?;
                convert(ffmpeg, path, size, limit)?
            }
            Err(error) => return Err(failure(&format_args!("{shown}: {error}"))),
        };
        if frames.len() <= FIRST_MEASURED {
            return Err(failure(&format_args!(
                "{shown} holds {} frames, and means begin with the sixth; give a clip of 6 or more",
                frames.len()
            )));
        }
        Ok(Self {
            name: name(path),
            format,
            frames,
        })
    }

    /// Size of all frames.
    pub fn size(&self) -> FrameSize {
        // Never empty: `read` sees to that.
        self.frames[0].size()
    }

    /// Frames per second.
    pub fn fps(&self) -> f64 {
        self.format.frame_rate.as_f64()
    }
}

/// Sees to it, before any of them is encoded, that clips can be opened and told apart by name.
///
/// # Errors
/// [`Failure`] naming the clip where not.
pub fn check(paths: &[PathBuf]) -> Result<(), Failure> {
    for (number, path) in paths.iter().enumerate() {
        open(path)?;
        if paths[..number]
            .iter()
            .any(|other| name(other) == name(path))
        {
            return Err(Failure::new(
                Exit::Usage,
                format_args!(
                    "two clips are called {}, {} is the second; rename one of them",
                    name(path),
                    path.display()
                ),
            ));
        }
    }
    Ok(())
}

fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|e| {
        let shown = path.display();
        let text = format_args!("cannot open {shown}: {e}; name a file that can be read");
        Failure::new(Exit::Failure, text)
    })
}

fn read(
    mut reader: Reader<impl Read>,
    limit: usize,
) -> Result<(VideoFormat, Vec<Frame>), y4m::Error> {
    let mut frames = Vec::new();
    while frames.len() < limit {
        let mut frame = Frame::new(reader.size());
        if !reader.read(&mut frame)? {
            break;
        }
        frames.push(frame);
    }
    Ok((reader.format(), frames))
}

fn convert(
    ffmpeg: &Ffmpeg,
    path: &Path,
    size: Option<FrameSize>,
    limit: usize,
) -> Result<(VideoFormat, Vec<Frame>), Failure> {
    let failed = |error: &dyn fmt::Display| {
        let text = format_args!("cannot convert {}: {error}", path.display());
        Failure::new(Exit::Failure, text)
    };
    let folder = tempfile::tempdir().map_err(|e| failed(&e))?;
    let converted = folder.path().join("clip.y4m");
    ffmpeg.convert(path, size, limit, &converted)?;
    let file = File::open(&converted).map_err(|e| failed(&e))?;
    let reader = Reader::new(file).map_err(|e| failed(&e))?;
    read(reader, limit).map_err(|e| failed(&e))
}
