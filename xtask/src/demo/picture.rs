//! Source and result side by side.

use std::{fs::File, io::BufWriter, path::Path};

use anyhow::{Context as _, Result};
use raq_shared::{
    frame::{Frame, Plane},
    video::{ColourRange, VideoFormat},
    y4m::Reader,
};

use crate::clip::Clip;

/// Writes the middle one of the received frames, the source's picture to its left.
pub(super) fn write(clip: &Clip, received: &Path, picture: &Path) -> Result<()> {
    let frames = count(received)?;
    let (left, format) = read(&clip.path, frames / 2)?;
    let (right, _) = read(received, frames / 2)?;
    let (left, right) = (rgb(&left, &format), rgb(&right, &format));
    let row = 3 * format.width as usize;
    let pixels: Vec<u8> = left
        .chunks_exact(row)
        .zip(right.chunks_exact(row))
        .flat_map(|(left, right)| left.iter().chain(right))
        .copied()
        .collect();
    let failed = || format!("cannot write {}", picture.display());
    let file = BufWriter::new(File::create(picture).with_context(failed)?);
    let mut encoder = png::Encoder::new(file, 2 * format.width, format.height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().with_context(failed)?;
    writer.write_image_data(&pixels).with_context(failed)?;
    writer.finish().with_context(failed)
}

fn count(path: &Path) -> Result<u64> {
    let mut reader = Reader::new(File::open(path)?)?;
    while reader.skip()? {}
    Ok(reader.frames())
}

fn read(path: &Path, number: u64) -> Result<(Frame, VideoFormat)> {
    let mut reader = Reader::new(File::open(path)?)?;
    for _ in 0..number {
        reader.skip()?;
    }
    let mut frame = Frame::new(reader.size());
    reader.read(&mut frame)?;
    Ok((frame, reader.format()))
}

/// Interleaved RGB. y4m does not name the matrix; players take BT.601 for small pictures and
/// BT.709 for others.
fn rgb(frame: &Frame, format: &VideoFormat) -> Vec<u8> {
    let (kr, kb) = if format.height < 720 {
        (0.299, 0.114)
    } else {
        (0.2126, 0.0722)
    };
    let (black, luma_scale, chroma_scale) = match format.colour_range {
        ColourRange::Full => (0.0, 1.0, 1.0),
        _ => (16.0, 255.0 / 219.0, 255.0 / 224.0),
    };
    let (width, height) = frame.plane_size(Plane::Y);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        let [y, u, v] = [(Plane::Y, row), (Plane::U, row / 2), (Plane::V, row / 2)]
            .map(|(plane, row)| frame.row(plane, row));
        for x in 0..width {
            let luma = (f32::from(y[x]) - black) * luma_scale;
            let [cb, cr] = [u, v].map(|c| (f32::from(c[x / 2]) - 128.0) * chroma_scale);
            let red = luma + 2.0 * (1.0 - kr) * cr;
            let blue = luma + 2.0 * (1.0 - kb) * cb;
            let green = (luma - kr * red - kb * blue) / (1.0 - kr - kb);
            pixels.extend([red, green, blue].map(|value| value.round() as u8));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use raq_shared::{
        frame::FrameSize,
        video::{ChromaSiting, Fraction, FrameRate},
    };

    use super::*;

    #[test]
    fn white_black_and_red_come_out_right() {
        let format = VideoFormat {
            width: 3,
            height: 1,
            frame_rate: FrameRate::new(1, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range: ColourRange::Limited,
        };
        let mut frame = Frame::new(FrameSize::new(3, 1).unwrap());
        frame.row_mut(Plane::Y, 0).copy_from_slice(&[235, 16, 81]);
        frame.row_mut(Plane::U, 0).copy_from_slice(&[128, 90]);
        frame.row_mut(Plane::V, 0).copy_from_slice(&[128, 240]);
        // 100 % red in BT.601 is 81, 90, 240 (ITU-R BT.601-7, table 3).
        assert_eq!(rgb(&frame, &format), [255, 255, 255, 0, 0, 0, 254, 0, 0]);
    }
}
