//! Pictures for the page.

use std::error::Error;

use png::{ColorType, Encoder};
use raq_shared::{
    colours::{ColourError, Colours},
    exit::{Exit, Failure},
    frame::{Frame, Plane},
    video::VideoFormat,
};

use super::{Clip, Codec, FIRST_MEASURED, encoded::Encoded, record::FrameRecord};

/// One picture, as a PNG file in memory.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The clip's name.
    pub clip: String,
    /// Number of the frame in the clip, from 0.
    pub frame: usize,
    /// What is shown; none for the original.
    pub decoded: Option<Decoded>,
    /// The file's bytes.
    pub png: Vec<u8>,
}

/// Where a decoded picture comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The codec.
    pub codec: Codec,
    /// PSNR-Y of this frame, dB.
    pub psnr_y_db: f64,
    /// Rate of the whole encode, kbit/s.
    pub kbps: f64,
}

/// The numbers of `count` frames, evenly spread over the measured ones of `frames`, each once.
pub fn shown_frames(frames: usize, count: usize) -> Vec<usize> {
    let measured = frames - FIRST_MEASURED;
    let mut numbers: Vec<_> = (0..count)
        .map(|n| FIRST_MEASURED + (2 * n + 1) * measured / (2 * count))
        .collect();
    numbers.dedup();
    numbers
}

impl Picture {
    /// Frame `number` as it is in the clip.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be converted.
    pub fn original(clip: &Clip, number: usize) -> Result<Self, Failure> {
        Ok(Self {
            clip: clip.name.clone(),
            frame: number,
            decoded: None,
            png: png(&clip.frames[number], &clip.format)?,
        })
    }

    /// Frame `number` as a codec gives it; `record` is that frame's, `kbps` the encode's.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be converted.
    pub fn decoded(
        clip: &Clip,
        encoded: &Encoded,
        record: &FrameRecord,
        kbps: f64,
    ) -> Result<Self, Failure> {
        Ok(Self {
            clip: clip.name.clone(),
            frame: record.frame,
            decoded: Some(Decoded {
                codec: record.codec,
                psnr_y_db: record.psnr_y_db,
                kbps,
            }),
            png: png(&encoded.frames[record.frame].picture, &clip.format)?,
        })
    }
}

/// The frame in rgb24 without padding.
pub(super) fn rgb(frame: &Frame, format: &VideoFormat) -> Result<Vec<u8>, ColourError> {
    let mut rgb = Vec::new();
    Colours::of(format).rgb(frame, &mut rgb)?;
    Ok(rgb)
}

fn png(frame: &Frame, format: &VideoFormat) -> Result<Vec<u8>, Failure> {
    encode(frame, format).map_err(|error| {
        let text = format_args!("cannot make a picture: {error}; leave it out with --pictures 0");
        Failure::new(Exit::Failure, text)
    })
}

/// The frame as a PNG file in memory.
///
/// # Errors
/// What libraries say.
pub(crate) fn encode(frame: &Frame, format: &VideoFormat) -> Result<Vec<u8>, Box<dyn Error>> {
    let (width, height) = frame.plane_size(Plane::Y);
    let rgb = rgb(frame, format)?;
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_over_the_measured_ones() {
        assert_eq!(shown_frames(25, 2), [10, 20]);
        assert_eq!(shown_frames(6, 3), [5]);
        assert!(shown_frames(25, 0).is_empty());
    }
}
