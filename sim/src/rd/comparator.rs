//! The codecs that raq is held beside, encoded and decoded by ffmpeg.
//!
//! All of them are set for a conversation: no look-ahead, no frame that waits for another, one
//! thread, a key frame only at the start, and a decoder buffer of two frames' worth of the bitrate.
//! Their own headers count where they are part of every frame (JPEG's tables) and not where a
//! session sends them once: H.264's parameter sets stay out of the stream, which also keeps x264's
//! rate control from charging its first frame for them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, Plane},
    units::Bitrate,
};
use tempfile::TempDir;

use super::{
    Clip, Codec, FIRST_MEASURED,
    encoded::{Encoded, EncodedFrame},
    ffmpeg::{Ffmpeg, RawVideo},
};

/// JPEG's finest and coarsest setting in ffmpeg.
const JPEG_QUALITIES: (u8, u8) = (2, 31);

/// How an encoder is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// To a bitrate, with a buffer of two frames. Not for JPEG.
    Rate(Bitrate),
    /// To a constant quality: x264's `-crf` or JPEG's `-q:v`; higher is coarser.
    Quality(u8),
}

/// A clip laid out for ffmpeg's encoders.
pub struct Comparators<'a> {
    ffmpeg: &'a Ffmpeg,
    clip: &'a Clip,
    folder: TempDir,
    /// Mean bytes of the measured frames by JPEG quality, as far as tried.
    jpeg_bytes: BTreeMap<u8, f64>,
}

/// ffmpeg's flags for a codec but for its rate or quality, the encoder's name second; `None` for a
/// codec that is not ffmpeg's. No clip is long enough for a second key frame after 100000 frames.
fn flags(codec: Codec) -> Option<&'static str> {
    Some(match codec {
        Codec::X264Ultrafast => "-c:v libx264 -preset ultrafast -tune zerolatency -g 100000",
        Codec::X264Veryfast => "-c:v libx264 -preset veryfast -tune zerolatency -g 100000",
        Codec::X264Intra => "-c:v libx264 -preset ultrafast -tune zerolatency -g 1",
        Codec::Vp8 => "-c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -g 100000",
        Codec::Jpeg => "-c:v mjpeg",
        Codec::Raq => return None,
    })
}

/// The encoder's name in ffmpeg; `None` for a codec that is not ffmpeg's.
pub fn encoder(codec: Codec) -> Option<&'static str> {
    flags(codec)?.split(' ').nth(1)
}

/// Qualities that are tried besides the bitrates asked for where a codec cannot get down to one of
/// them, coarsest first: its curve then begins where the codec does. Empty for codecs that predict
/// from frame to frame, which come close to any bitrate.
pub fn sweep(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::X264Intra => &[51, 47, 43, 39],
        Codec::Jpeg => &[31, 22, 15, 10],
        _ => &[],
    }
}

impl<'a> Comparators<'a> {
    /// Lays the clip out in a temporary folder.
    ///
    /// # Errors
    /// [`Failure`] where that folder cannot be written.
    pub fn new(ffmpeg: &'a Ffmpeg, clip: &'a Clip) -> Result<Self, Failure> {
        let failed = |e| {
            Failure::new(
                Exit::Failure,
                format_args!("cannot write a temporary file: {e}; free space or set TMPDIR"),
            )
        };
        let folder = tempfile::tempdir().map_err(failed)?;
        let comparators = Self {
            ffmpeg,
            clip,
            folder,
            jpeg_bytes: BTreeMap::new(),
        };
        let file = File::create(comparators.path("clip.yuv")).map_err(failed)?;
        write(&clip.frames, BufWriter::new(file)).map_err(failed)?;
        Ok(comparators)
    }

    /// Encodes and decodes the clip at a bitrate. JPEG takes the finest quality whose mean over
    /// the measured frames fits it, and where none does, the coarsest.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words.
    pub fn at_rate(&mut self, codec: Codec, rate: Bitrate) -> Result<Encoded, Failure> {
        let setting = match codec {
            Codec::Jpeg => Setting::Quality(self.jpeg_quality(rate)?),
            _ => Setting::Rate(rate),
        };
        self.with(codec, setting)
    }

    /// Encodes and decodes the clip with this setting.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where frames got lost.
    pub fn with(&self, codec: Codec, setting: Setting) -> Result<Encoded, Failure> {
        let (bytes, encode_time) = self.encode(codec, setting)?;
        let pictures = self.ffmpeg.decode(
            &self.path("clip.nut"),
            self.clip.size(),
            pixel_format(codec),
            &self.path("decoded.yuv"),
        )?;
        if pictures.len() != bytes.len() {
            return Err(lost(codec, pictures.len(), bytes.len()));
        }
        Ok(Encoded {
            setting: match (codec, setting) {
                (_, Setting::Rate(rate)) => format!("{} kbit/s", rate.kilobits_per_second()),
                (Codec::Jpeg, Setting::Quality(quality)) => format!("q {quality}"),
                (_, Setting::Quality(quality)) => format!("crf {quality}"),
            },
            frames: bytes
                .into_iter()
                .zip(pictures)
                .map(|(bytes, picture)| EncodedFrame { bytes, picture })
                .collect(),
            encode_time,
        })
    }

    /// The bytes of each frame and the time taken; the bitstream is left in the folder.
    fn encode(&self, codec: Codec, setting: Setting) -> Result<(Vec<u64>, Duration), Failure> {
        let output = self.path("clip.nut");
        let frame_rate = self.clip.format.frame_rate.fraction();
        let raw = RawVideo {
            path: &self.path("clip.yuv"),
            pixel_format: pixel_format(codec),
            size: self.clip.size(),
            frame_rate: &format!("{}/{}", frame_rate.num, frame_rate.den),
        };
        let arguments = arguments(codec, setting, self.clip.fps());
        let started = now();
        self.ffmpeg.encode(&raw, &arguments, &output)?;
        let encode_time = now() - started;
        let bytes = self.ffmpeg.packet_bytes(&output)?;
        if bytes.len() == self.clip.frames.len() {
            Ok((bytes, encode_time))
        } else {
            Err(lost(codec, bytes.len(), self.clip.frames.len()))
        }
    }

    fn jpeg_quality(&mut self, rate: Bitrate) -> Result<u8, Failure> {
        let budget = rate.bits_per_second() as f64 / 8.0 / self.clip.fps();
        let (mut finest, mut coarsest) = JPEG_QUALITIES;
        while finest < coarsest {
            let middle = finest.midpoint(coarsest);
            let bytes = match self.jpeg_bytes.get(&middle) {
                Some(&bytes) => bytes,
                None => {
                    let (bytes, _) = self.encode(Codec::Jpeg, Setting::Quality(middle))?;
                    let measured = &bytes[FIRST_MEASURED..];
                    let mean = measured.iter().sum::<u64>() as f64 / measured.len() as f64;
                    *self.jpeg_bytes.entry(middle).or_insert(mean)
                }
            };
            if bytes <= budget {
                coarsest = middle;
            } else {
                finest = middle + 1;
            }
        }
        Ok(coarsest)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The codec's flags, without input and output.
fn arguments(codec: Codec, setting: Setting, fps: f64) -> Vec<String> {
    let flags = flags(codec).into_iter().flat_map(|flags| flags.split(' '));
    let mut arguments: Vec<_> = flags.map(str::to_owned).collect();
    let mut add = |flag: &str, value: u64| arguments.extend([flag.to_owned(), value.to_string()]);
    match setting {
        Setting::Rate(rate) => {
            let bits = rate.bits_per_second();
            add("-b:v", bits);
            if codec == Codec::Vp8 {
                add("-minrate", bits);
            }
            add("-maxrate", bits);
            // x264 counts in whole kilobits, and takes none for no limit at all.
            let kilobits = (2.0 * bits as f64 / fps / 1000.0).round().max(1.0);
            add("-bufsize", 1000 * kilobits as u64);
        }
        Setting::Quality(quality) if codec == Codec::Jpeg => add("-q:v", quality.into()),
        Setting::Quality(quality) => add("-crf", quality.into()),
    }
    arguments
}

/// JPEG's samples are full-range by definition; told so, ffmpeg leaves them as they are.
fn pixel_format(codec: Codec) -> &'static str {
    match codec {
        Codec::Jpeg => "yuvj420p",
        _ => "yuv420p",
    }
}

fn write(frames: &[Frame], mut output: impl Write) -> io::Result<()> {
    let mut plane = Vec::new();
    for frame in frames {
        for which in Plane::ALL {
            plane.clear();
            frame.crop_into(which, &mut plane);
            output.write_all(&plane)?;
        }
    }
    output.flush()
}

fn lost(codec: Codec, got: usize, expected: usize) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!(
            "{codec}: ffmpeg gave {got} frames for {expected}; leave this codec out with --codecs"
        ),
    )
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a real encoder takes is what is measured"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_holds_two_frames_in_whole_kilobits() {
        let rate = |kbps| Setting::Rate(Bitrate::from_kilobits_per_second(kbps));
        let after = |arguments: &[String], flag: &str| {
            let at = arguments.iter().position(|argument| argument == flag);
            at.map(|at| arguments[at + 1].clone())
        };
        let x264 = arguments(Codec::X264Intra, rate(60), 25.0);
        assert_eq!(after(&x264, "-bufsize").as_deref(), Some("5000"));
        assert_eq!(after(&x264, "-maxrate").as_deref(), Some("60000"));
        assert_eq!(after(&x264, "-g").as_deref(), Some("1"));
        assert_eq!(after(&x264, "-c:v").as_deref(), encoder(Codec::X264Intra));
        assert_eq!(after(&x264, "-minrate"), None);
        let vp8 = arguments(Codec::Vp8, rate(1), 30.0);
        assert_eq!(after(&vp8, "-bufsize").as_deref(), Some("1000"));
        assert_eq!(after(&vp8, "-minrate").as_deref(), Some("1000"));
        let jpeg = arguments(Codec::Jpeg, Setting::Quality(31), 25.0);
        assert_eq!(after(&jpeg, "-q:v").as_deref(), Some("31"));
    }
}
