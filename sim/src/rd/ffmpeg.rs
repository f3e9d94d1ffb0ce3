//! ffmpeg and ffprobe as programs: bindings would tie the build to one version of them.

use std::{
    ffi::OsString,
    fmt, fs, io,
    path::Path,
    process::{Command, Stdio},
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, FrameSize},
};

/// How to get ffmpeg, for messages.
pub const HOW_TO_GET: &str =
    "install ffmpeg with libx264 and libvpx (Debian, Ubuntu: apt-get install ffmpeg)";

const OTHER_FFMPEG: &str = "try another version of ffmpeg, or leave the codec out with --codecs";
const OTHER_INPUT: &str = "give a video that ffmpeg reads";

/// An installed ffmpeg, with the ffprobe that comes with it.
#[derive(Debug)]
pub struct Ffmpeg {
    encoders: String,
    /// What helps where it cannot encode or decode.
    cure: &'static str,
}

impl Ffmpeg {
    /// The ffmpeg on the path; `None` where it or ffprobe is not installed.
    ///
    /// # Errors
    /// [`Failure`] where it is there and does not work.
    pub fn find() -> Result<Option<Self>, Failure> {
        for program in ["ffmpeg", "ffprobe"] {
            match Command::new(program).arg("-version").output() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                _ => {}
            }
        }
        let list = run(
            "list its encoders",
            "try another version of ffmpeg",
            ffmpeg().args(["-hide_banner", "-encoders"]),
        )?;
        Ok(Some(Self {
            encoders: String::from_utf8_lossy(&list).into_owned(),
            cure: OTHER_FFMPEG,
        }))
    }

    /// The same for a program without `--codecs`: this helps where it cannot encode or decode.
    pub fn with_cure(self, cure: &'static str) -> Self {
        Self { cure, ..self }
    }

    /// Whether it was built with this encoder, such as `libx264`.
    pub fn has_encoder(&self, name: &str) -> bool {
        // Lines such as ` V....D libx264   H.264 …`.
        self.encoders
            .lines()
            .any(|line| line.split_whitespace().nth(1) == Some(name))
    }

    /// Writes at most `frames` frames of the first video stream of `input` as 4:2:0 y4m to
    /// `output`, scaled (bicubic) where `size` is given. Full-range samples stay full-range.
    ///
    /// # Errors
    /// [`Failure`] where it is no video that ffmpeg reads.
    pub fn convert(
        &self,
        input: &Path,
        size: Option<FrameSize>,
        frames: usize,
        output: &Path,
    ) -> Result<(), Failure> {
        let mut filter = match size {
            Some(size) => format!("scale={}:{}:flags=bicubic", size.width(), size.height()),
            None => "scale".to_owned(),
        };
        // Told nothing, ffmpeg would squeeze full range into limited.
        if self.is_full_range(input)? {
            let separator = if size.is_some() { ":" } else { "=" };
            filter += &format!("{separator}in_range=full:out_range=full");
        }
        run(
            &format!("read {}", input.display()),
            OTHER_INPUT,
            ffmpeg()
                .arg("-i")
                .arg(file_url(input)?)
                .args(["-map", "0:v:0", "-vf", &filter, "-pix_fmt", "yuv420p"])
                .args(["-frames:v", &frames.to_string(), "-f", "yuv4mpegpipe", "-y"])
                .arg(file_url(output)?),
        )?;
        Ok(())
    }

    /// Encodes `raw` with the arguments of `encoder` and writes the bitstream to `output`.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words.
    pub fn encode(
        &self,
        raw: &RawVideo<'_>,
        encoder: &[String],
        output: &Path,
    ) -> Result<(), Failure> {
        let size = raw.size.to_string();
        run(
            "encode",
            self.cure,
            ffmpeg()
                .args(["-f", "rawvideo", "-pix_fmt", raw.pixel_format])
                .args(["-video_size", &size, "-framerate", raw.frame_rate, "-i"])
                .arg(file_url(raw.path)?)
                .args(encoder)
                // One core for every codec, and NUT, which keeps packets as the encoder made them.
                .args(["-threads", "1", "-f", "nut", "-y"])
                .arg(file_url(output)?),
        )?;
        Ok(())
    }

    /// The bytes of each packet of a bitstream, container not counted.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words.
    pub fn packet_bytes(&self, bitstream: &Path) -> Result<Vec<u64>, Failure> {
        let list = run(
            "list packets",
            self.cure,
            ffmpeg()
                .arg("-i")
                .arg(file_url(bitstream)?)
                .args(["-map", "0:v:0", "-c", "copy", "-f", "framecrc", "-"]),
        )?;
        // Lines of stream, dts, pts, duration, size, checksum.
        String::from_utf8_lossy(&list)
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let size = line
                    .split(',')
                    .nth(4)
                    .and_then(|size| size.trim().parse().ok());
                size.ok_or_else(|| {
                    unexpected(format_args!("the line {line:?} in a list of packets"))
                })
            })
            .collect()
    }

    /// The pictures of a bitstream. `pixel_format` is the one it was encoded in, so that samples
    /// are not converted.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where it cannot write to `scratch`.
    pub fn decode(
        &self,
        bitstream: &Path,
        size: FrameSize,
        pixel_format: &str,
        scratch: &Path,
    ) -> Result<Vec<Frame>, Failure> {
        self.decode_into(bitstream, pixel_format, scratch)?;
        let bytes = fs::read(scratch).map_err(|e| unexpected(format_args!("no pictures: {e}")))?;
        let pictures = bytes.chunks_exact(raw_bytes(size));
        if !pictures.remainder().is_empty() {
            return Err(unexpected("half a picture"));
        }
        Ok(pictures.map(|picture| raw_frame(picture, size)).collect())
    }

    /// Writes the pictures of a bitstream to `output`, [`raw_bytes`] of each after the other.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where it cannot write to `output`.
    pub fn decode_into(
        &self,
        bitstream: &Path,
        pixel_format: &str,
        output: &Path,
    ) -> Result<(), Failure> {
        run(
            "decode",
            self.cure,
            ffmpeg()
                .arg("-i")
                .arg(file_url(bitstream)?)
                .args(["-map", "0:v:0", "-pix_fmt", pixel_format])
                .args(["-f", "rawvideo", "-y"])
                .arg(file_url(output)?),
        )?;
        Ok(())
    }

    fn is_full_range(&self, input: &Path) -> Result<bool, Failure> {
        let mut ffprobe = Command::new("ffprobe");
        ffprobe
            .args(["-v", "error", "-select_streams", "v:0"])
            .args([
                "-show_entries",
                "stream=pix_fmt,color_range",
                "-of",
                "csv=p=0",
            ])
            .arg(file_url(input)?);
        let what = format!("read {}", input.display());
        let said = run(&what, OTHER_INPUT, &mut ffprobe)?;
        let said = String::from_utf8_lossy(&said);
        let mut fields = said.trim().split(',');
        Ok(fields.any(|field| field == "pc" || field.starts_with("yuvj")))
    }
}

/// Pictures in a file, plane after plane and frame after frame, without any header.
#[derive(Debug, Clone, Copy)]
pub struct RawVideo<'a> {
    /// The file.
    pub path: &'a Path,
    /// ffmpeg's name for how samples are taken: `yuv420p`, or `yuvj420p` where an encoder wants to
    /// be told that they are full-range.
    pub pixel_format: &'a str,
    /// Size of the pictures.
    pub size: FrameSize,
    /// Frames per second as `num/den`.
    pub frame_rate: &'a str,
}

/// Bytes of a raw picture: its planes without padding.
pub fn raw_bytes(size: FrameSize) -> usize {
    size.width() * size.height() + 2 * size.chroma_width() * size.chroma_height()
}

/// The frame of a raw picture.
///
/// # Panics
/// When there are not [`raw_bytes`].
pub fn raw_frame(picture: &[u8], size: FrameSize) -> Frame {
    let (y, uv) = picture.split_at(size.width() * size.height());
    let (u, v) = uv.split_at(size.chroma_width() * size.chroma_height());
    let mut frame = Frame::new(size);
    frame.fill([y, u, v]);
    frame
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    command
}

/// A file name may look like a protocol or an option.
fn file_url(path: &Path) -> Result<OsString, Failure> {
    let absolute = std::path::absolute(path).map_err(|e| {
        let text = format_args!("cannot name {}: {e}; give another path", path.display());
        Failure::new(Exit::Failure, text)
    })?;
    let mut url = OsString::from("file:");
    url.push(absolute);
    Ok(url)
}

/// Runs to the end and gives what was written on standard output.
fn run(what: &str, cure: &str, command: &mut Command) -> Result<Vec<u8>, Failure> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|e| {
        Failure::new(
            Exit::Failure,
            format_args!("cannot run {program}: {e}; {HOW_TO_GET}"),
        )
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(
        Exit::Failure,
        format_args!(
            "{program} cannot {what} ({}): {}; {cure}",
            output.status,
            words.trim_end()
        ),
    ))
}

fn unexpected(what: impl fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("ffmpeg gave {what}; try another version of it"),
    )
}
