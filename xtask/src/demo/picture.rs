//! Source and result side by side.

use std::{fs::File, io::BufWriter, path::Path};

use anyhow::{Context as _, Result, anyhow};
use raq_shared::{
    frame::{Frame, Plane},
    video::{ColourRange, VideoFormat},
    y4m::Reader,
};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_rgb};

use super::clip::Clip;

/// Writes the middle one of the received frames, the source's picture to its left.
pub(super) fn write(clip: &Clip, received: &Path, picture: &Path) -> Result<()> {
    let frames = count(received)?;
    let (left, format) = read(&clip.path, frames / 2)?;
    let (right, _) = read(received, frames / 2)?;
    let (left, right) = (rgb(&left, &format)?, rgb(&right, &format)?);
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

fn rgb(frame: &Frame, format: &VideoFormat) -> Result<Vec<u8>> {
    let planes = Plane::ALL.map(|plane| {
        let mut samples = Vec::new();
        frame.crop_into(plane, &mut samples);
        samples
    });
    let [y, u, v] = &planes;
    let chroma_width = frame.plane_size(Plane::U).0 as u32;
    let image = YuvPlanarImage {
        y_plane: y,
        y_stride: format.width,
        u_plane: u,
        u_stride: chroma_width,
        v_plane: v,
        v_stride: chroma_width,
        width: format.width,
        height: format.height,
    };
    let range = match format.colour_range {
        ColourRange::Full => YuvRange::Full,
        _ => YuvRange::Limited,
    };
    // y4m does not name the matrix; players take BT.601 for small pictures and BT.709 for others.
    let matrix = match format.height {
        0..720 => YuvStandardMatrix::Bt601,
        _ => YuvStandardMatrix::Bt709,
    };
    let stride = 3 * format.width;
    let mut pixels = vec![0; stride as usize * format.height as usize];
    yuv420_to_rgb(&image, &mut pixels, stride, range, matrix)
        .map_err(|e| anyhow!("cannot convert the picture: {e}"))?;
    Ok(pixels)
}
