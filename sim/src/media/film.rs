//! A clip as an endless source.

use std::{fmt, fs::File, path::Path};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, FrameSize},
    paths::{DATA_VARIABLE, outside_data},
    video::VideoFormat,
};

use crate::{
    rd::{Clip, ffmpeg::Ffmpeg},
    scenario::MediaConfig,
};

/// The most frames of a clip that are kept in memory where the scenario does not say.
const MOST_FRAMES: usize = 300;

/// A clip played forwards and backwards in turn: where it begins again nothing jumps.
#[derive(Debug)]
pub struct Film {
    clip: Clip,
}

impl Film {
    /// Reads the clip at `path`: as many frames and as large as `media` says, 300 where it says
    /// nothing of how many.
    ///
    /// # Errors
    /// [`Failure`] with cause and cure, where it is missing, no video or shorter than 6 frames, or
    /// where ffmpeg is needed and `None`.
    pub fn open(
        path: &Path,
        media: &MediaConfig,
        ffmpeg: Option<&Ffmpeg>,
    ) -> Result<Self, Failure> {
        if let Err(error) = File::open(path) {
            let cure: &dyn fmt::Display = match path.starts_with(outside_data()) {
                true => &format_args!("set {DATA_VARIABLE} to the folder that has it"),
                false => &"name a video that can be read",
            };
            let text = format_args!("cannot open media.clip {}: {error}; {cure}", path.display());
            return Err(Failure::new(Exit::Failure, text));
        }
        let frames = media.frames.unwrap_or(MOST_FRAMES);
        let clip = Clip::read(path, media.size, frames, ffmpeg)?;
        Ok(Self { clip })
    }

    /// The clip.
    pub fn clip(&self) -> &Clip {
        &self.clip
    }

    /// Size, frame rate and what samples mean.
    pub fn format(&self) -> VideoFormat {
        let size = self.size();
        VideoFormat {
            width: size.width() as u32,
            height: size.height() as u32,
            ..self.clip.format
        }
    }

    /// Size of all frames.
    pub fn size(&self) -> FrameSize {
        self.clip.size()
    }

    /// Frames until it begins again: all but the first and the last come twice.
    pub fn round(&self) -> usize {
        2 * (self.clip.frames.len() - 1)
    }

    /// Which frame of the clip is frame `number` of the source.
    pub fn index(&self, number: u32) -> usize {
        let at = number as usize % self.round();
        at.min(self.round() - at)
    }

    /// Frame `number` of the source.
    pub fn frame(&self, number: u32) -> &Frame {
        &self.clip.frames[self.index(number)]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate};

    /// A film of grey frames, each as bright as its number.
    pub(in crate::media) fn film(frames: u8) -> Film {
        let size = FrameSize::new(32, 32).unwrap();
        let frames = (0..frames).map(|level| {
            let mut frame = Frame::new(size);
            frame.fill([&[level; 1024], &[128; 256], &[128; 256]]);
            frame
        });
        Film {
            clip: Clip {
                name: "grey".to_owned(),
                format: VideoFormat {
                    width: 32,
                    height: 32,
                    frame_rate: FrameRate::new(30, 1).unwrap(),
                    aspect: Fraction::new(1, 1),
                    chroma_siting: ChromaSiting::Jpeg,
                    colour_range: ColourRange::Limited,
                },
                frames: frames.collect(),
            },
        }
    }

    #[test]
    fn it_goes_forwards_and_backwards() {
        let film = film(6);
        let indices: Vec<_> = (0..22).map(|number| film.index(number)).collect();
        let expected = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1];
        assert!(indices.iter().eq(expected.iter().cycle().take(22)));
        assert_eq!(film.frame(7).luma_tensor()[0], 3);
        assert_eq!(film.round(), 10);
    }

    #[test]
    fn a_clip_that_is_missing_is_named_with_its_key() {
        let media = MediaConfig::default();
        let error = Film::open(Path::new("not/there.y4m"), &media, None).unwrap_err();
        assert!(
            error.message.contains("media.clip not/there.y4m"),
            "{error}"
        );
        let outside = outside_data().join("not/there.y4m");
        let error = Film::open(&outside, &media, None).unwrap_err();
        assert!(error.message.contains("set RAQ_DATA"), "{error}");
    }
}
