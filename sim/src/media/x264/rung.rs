//! The clip at one rate.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, FrameSize},
    units::Bitrate,
};

use super::preset::Preset;
use crate::{
    media::stopwatch::Stopwatch,
    rd::ffmpeg::{Ffmpeg, RawVideo, raw_bytes, raw_frame},
};

const PIXELS: &str = "yuv420p";

/// How frames follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each builds on the one before.
    Predicted,
    /// Each stands alone.
    Key,
}

/// Raw pictures for the encoder.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) path: PathBuf,
    pub(super) size: FrameSize,
    /// Frames a second, and as a fraction.
    pub(super) fps: f64,
    pub(super) frame_rate: String,
    /// How many there are.
    pub(super) frames: usize,
}

/// An encode: the bytes of each frame, and its pictures once one was asked for.
#[derive(Debug)]
pub(super) struct Rung {
    bytes: Vec<u64>,
    /// Time per frame, starting ffmpeg and reading the pictures included.
    encoding: Duration,
    decoding: Duration,
    bitstream: PathBuf,
    pictures: Option<File>,
    size: FrameSize,
}

impl Rung {
    /// Encodes `raw` at `rate` into `bitstream`.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words.
    pub(super) fn encode(
        ffmpeg: &Ffmpeg,
        raw: &Raw,
        preset: Preset,
        kind: Kind,
        rate: Bitrate,
        bitstream: PathBuf,
    ) -> Result<Self, Failure> {
        let video = RawVideo {
            path: &raw.path,
            pixel_format: PIXELS,
            size: raw.size,
            frame_rate: &raw.frame_rate,
        };
        let watch = Stopwatch::start();
        ffmpeg.encode(&video, &arguments(preset, kind, rate, raw.fps), &bitstream)?;
        let encoding = watch.time() / raw.frames.max(1) as u32;
        let bytes = ffmpeg.packet_bytes(&bitstream)?;
        if bytes.len() != raw.frames {
            let text = format_args!(
                "ffmpeg gave {} frames for {}; try another version of it",
                bytes.len(),
                raw.frames
            );
            return Err(Failure::new(Exit::Failure, text));
        }
        Ok(Self {
            bytes,
            encoding,
            decoding: Duration::ZERO,
            bitstream,
            pictures: None,
            size: raw.size,
        })
    }

    /// Bytes of a frame.
    pub(super) fn bytes(&self, at: usize) -> usize {
        self.bytes[at] as usize
    }

    /// Mean bytes of the frames from `first` on.
    pub(super) fn mean(&self, first: usize) -> f64 {
        let bytes = &self.bytes[first..];
        bytes.iter().sum::<u64>() as f64 / bytes.len().max(1) as f64
    }

    /// How long encoding takes per frame.
    pub(super) fn encoding(&self) -> Duration {
        self.encoding
    }

    /// A frame as it is decoded, and how long decoding takes per frame.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where temporary files cannot be written.
    pub(super) fn picture(
        &mut self,
        ffmpeg: &Ffmpeg,
        at: usize,
    ) -> Result<(Frame, Duration), Failure> {
        let file = match &mut self.pictures {
            Some(file) => file,
            none => {
                let path = self.bitstream.with_extension("yuv");
                let watch = Stopwatch::start();
                ffmpeg.decode_into(&self.bitstream, PIXELS, &path)?;
                self.decoding = watch.time() / self.bytes.len().max(1) as u32;
                none.insert(File::open(&path).map_err(|e| unreadable(&path, &e))?)
            }
        };
        let mut picture = vec![0; raw_bytes(self.size)];
        let offset = (at * picture.len()) as u64;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut picture))
            .map_err(|e| unreadable(&self.bitstream, &e))?;
        Ok((raw_frame(&picture, self.size), self.decoding))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let text = format_args!(
        "cannot read what ffmpeg decoded of {}: {error}; free space or set TMPDIR",
        path.display()
    );
    Failure::new(Exit::Failure, text)
}

/// x264's flags.
fn arguments(preset: Preset, kind: Kind, rate: Bitrate, fps: f64) -> Vec<String> {
    let group = match kind {
        Kind::Predicted => "100000",
        Kind::Key => "1",
    };
    let bits = rate.bits_per_second();
    // x264 counts in whole kilobits, and takes none for no limit at all.
    let buffer = (bits as f64 / fps / 1000.0).ceil().max(1.0) as u64;
    format!(
        "-c:v libx264 -preset {} -tune zerolatency -bf 0 -g {group} -b:v {bits} -maxrate {bits} \
         -bufsize {}",
        preset.name(),
        1000 * buffer
    )
    .split(' ')
    .map(str::to_owned)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_holds_a_frame_in_whole_kilobits() {
        let rate = Bitrate::from_kilobits_per_second(100);
        let predicted = arguments(Preset::Veryfast, Kind::Predicted, rate, 30.0).join(" ");
        assert!(predicted.ends_with("-g 100000 -b:v 100000 -maxrate 100000 -bufsize 4000"));
        assert!(predicted.contains("-preset veryfast -tune zerolatency -bf 0"));
        let key = arguments(Preset::Ultrafast, Kind::Key, rate, 30.0).join(" ");
        assert!(key.contains("-preset ultrafast") && key.contains("-g 1 "));
    }
}
