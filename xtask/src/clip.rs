//! What is sent: a y4m file, made from whatever was asked for.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use raq_shared::{
    frame::Frame,
    video::VideoFormat,
    y4m::{self, Reader, Writer},
};

use crate::scene;

/// The signal for a write to a closed pipe, the same number on all that Linux runs on but MIPS.
const SIGPIPE: i32 = 13;

/// A y4m file that is known to be good.
#[derive(Debug)]
pub(crate) struct Clip {
    name: String,
    pub(crate) path: PathBuf,
    pub(crate) format: VideoFormat,
    /// How many of its frames are sent.
    pub(crate) frames: u32,
    /// Whether there are more.
    pub(crate) is_cut: bool,
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VideoFormat {
            width,
            height,
            frame_rate,
            ..
        } = self.format;
        write!(
            f,
            "{}: {width}×{height}, {} frames, {frame_rate} a second",
            self.name, self.frames
        )
    }
}

impl Clip {
    /// At most `limit` frames of `input`, or of the built-in scene at `scene`'s width and height; what
    /// has to be made or converted goes to `folder`.
    pub(crate) fn prepare(
        input: Option<&Path>,
        scene: (u32, u32),
        limit: u32,
        folder: &Path,
    ) -> Result<Self> {
        let converted = folder.join("source.y4m");
        let Some(input) = input else {
            scene::write(&converted, scene, limit)?;
            return Self::open("built-in scene".to_owned(), converted, limit);
        };
        let name = input.display().to_string();
        let file = File::open(input).with_context(|| format!("cannot read {name}"))?;
        match Reader::new(file) {
            Ok(_) => Self::open(name, input.to_owned(), limit),
            Err(y4m::Error::Header(_) | y4m::Error::Chroma(_)) => {
                convert(input, &converted, limit)?;
                Self::open(name, converted, limit)
            }
            Err(error) => Err(error).with_context(|| format!("cannot send {name}")),
        }
    }

    fn open(name: String, path: PathBuf, limit: u32) -> Result<Self> {
        let mut reader = Reader::new(File::open(&path)?)?;
        let mut frames = 0;
        while frames < limit {
            match reader.skip() {
                Ok(true) => frames += 1,
                Ok(false) => break,
                Err(error) if frames > 0 => {
                    eprintln!("{name}: {error}");
                    break;
                }
                Err(error) => return Err(error).with_context(|| format!("cannot send {name}")),
            }
        }
        if frames == 0 {
            bail!("{name} holds no frame; give another clip");
        }
        Ok(Self {
            name,
            path,
            format: reader.format(),
            frames,
            is_cut: frames == limit && reader.skip().unwrap_or(false),
        })
    }

    /// How long it plays.
    pub(crate) fn duration(&self) -> Duration {
        self.format.frame_rate.time_of(self.frames.into())
    }
}

/// Reads `input` with ffmpeg and writes what comes through the pipe to `output`.
fn convert(input: &Path, output: &Path, limit: u32) -> Result<()> {
    let name = input.display();
    let mut ffmpeg = Command::new("ffmpeg");
    // A file name may look like a protocol or an option.
    let absolute = std::path::absolute(input)?;
    ffmpeg
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(format!("file:{}", absolute.display()));
    ffmpeg.args([
        "-an",
        "-pix_fmt",
        "yuv420p",
        "-frames:v",
        &limit.to_string(),
    ]);
    ffmpeg.args(["-f", "yuv4mpegpipe", "-"]);
    ffmpeg.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = match ffmpeg.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "{name} is no 4:2:0 y4m file, and ffmpeg, which could convert it, is not installed; \
             install ffmpeg or give a .y4m file"
        ),
        Err(error) => return Err(error).context("cannot run ffmpeg"),
    };
    let copied = match child.stdout.take() {
        Some(pipe) => copy(pipe, output),
        None => Err(y4m::Error::Header("ffmpeg has no output".to_owned())),
    };
    let status = child.wait().context("ffmpeg went away")?;
    // Where writing fails, ffmpeg finds the pipe closed: that is not its fault.
    let cut_off = status.signal() == Some(SIGPIPE) && copied.is_err();
    if !status.success() && !cut_off {
        bail!("ffmpeg cannot read {name} ({status}; its own words are above); give another clip");
    }
    copied.with_context(|| format!("cannot convert {name}"))
}

fn copy(pipe: impl Read, output: &Path) -> Result<(), y4m::Error> {
    let mut reader = Reader::new(pipe)?;
    let mut writer = Writer::new(File::create(output)?, &reader.format())?;
    let mut frame = Frame::new(reader.size());
    while reader.read(&mut frame)? {
        writer.write(&frame)?;
    }
    Ok(())
}
