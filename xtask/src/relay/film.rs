//! A clip of any length: its frames forwards and backwards, as the simulator plays them.

use std::{
    fs::File,
    io::{self, Write},
};

use anyhow::{Context as _, Result, bail};
use raq_shared::{
    frame::Frame,
    video::VideoFormat,
    y4m::{self, Reader, Writer},
};

use crate::clip::Clip;

/// The least that the simulator takes.
const FEWEST: u32 = 6;

/// The frames of a clip, all in memory.
pub(super) struct Film {
    format: VideoFormat,
    frames: Vec<Frame>,
}

impl Film {
    pub(super) fn read(clip: &Clip) -> Result<Self> {
        if clip.frames < FEWEST {
            bail!(
                "the clip has {} frames; give one of {FEWEST} or more",
                clip.frames
            );
        }
        let name = || format!("cannot read {}", clip.path.display());
        let mut reader = Reader::new(File::open(&clip.path).with_context(name)?)?;
        let mut frames = Vec::new();
        for _ in 0..clip.frames {
            let mut frame = Frame::new(reader.size());
            if !reader.read(&mut frame).with_context(name)? {
                bail!("{} has become shorter", clip.path.display());
            }
            frames.push(frame);
        }
        Ok(Self {
            format: reader.format(),
            frames,
        })
    }

    /// Writes `count` frames as y4m. Where nobody reads on, it ends early: the reader says why.
    pub(super) fn play(&self, count: u32, output: impl Write) -> Result<(), y4m::Error> {
        let played = self.write(count, output);
        match played {
            Err(y4m::Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn write(&self, count: u32, output: impl Write) -> Result<(), y4m::Error> {
        let mut writer = Writer::new(output, &self.format)?;
        for number in 0..count {
            writer.write(&self.frames[index(number, self.frames.len())])?;
        }
        Ok(())
    }
}

/// Which of the clip's frames, two or more, is frame `number`: at the ends it turns round.
fn index(number: u32, frames: usize) -> usize {
    let round = 2 * (frames - 1);
    let at = number as usize % round;
    at.min(round - at)
}

#[cfg(test)]
mod tests {
    use raq_shared::{
        frame::{FrameSize, Plane},
        video::{ChromaSiting, ColourRange, Fraction, FrameRate},
    };

    use super::*;

    /// A clip of grey frames, each as bright as its number.
    fn film(frames: u8) -> Film {
        let size = FrameSize::new(2, 2).unwrap();
        let frames = (0..frames).map(|level| {
            let mut frame = Frame::new(size);
            frame.fill([&[level; 4], &[128], &[128]]);
            frame
        });
        Film {
            format: VideoFormat {
                width: 2,
                height: 2,
                frame_rate: FrameRate::new(25, 1).unwrap(),
                aspect: Fraction::new(1, 1),
                chroma_siting: ChromaSiting::Unspecified,
                colour_range: ColourRange::Unspecified,
            },
            frames: frames.collect(),
        }
    }

    #[test]
    fn a_clip_goes_forwards_and_backwards_for_as_long_as_is_wanted() {
        let mut bytes = Vec::new();
        film(4).play(14, &mut bytes).unwrap();
        let mut reader = Reader::new(&bytes[..]).unwrap();
        assert_eq!(reader.format().frame_rate.as_f64(), 25.0);
        let mut frame = Frame::new(reader.size());
        let mut levels = Vec::new();
        while reader.read(&mut frame).unwrap() {
            levels.push(frame.row(Plane::Y, 0)[0]);
        }
        assert_eq!(levels, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        film(2).play(9, Gone).unwrap();
    }
}
