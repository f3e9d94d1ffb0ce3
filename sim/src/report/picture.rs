//! Pictures on the page, as large as a page can bear.

use std::{collections::BTreeSet, fs, io::Cursor, path::Path};

use png::{ColorType, Decoder, Encoder, Transformations};
use raq_shared::exit::{Exit, Failure};

use crate::record::{PolicyRun, Run};

/// Pictures of so many moments.
const MOMENTS: usize = 4;
/// Bytes that all pictures may have.
const BYTES: usize = 2_500_000;
/// No picture is larger, in pixels: a damaged file must not take all memory.
const PIXELS: usize = 1 << 26;

/// The pictures of all policies at one moment.
pub(super) struct Moment {
    pub(super) flow: u32,
    pub(super) frame: u64,
    /// Policies and what was on their screens, PNG files in memory.
    pub(super) pictures: Vec<(String, Vec<u8>)>,
}

/// Samples in rows, rgb24 or grey.
struct Image {
    width: usize,
    height: usize,
    channels: usize,
    samples: Vec<u8>,
}

/// A few moments, evenly spread over those of which there are pictures. Where all would be too much
/// for a page, they are made smaller.
///
/// # Errors
/// [`Failure`] where a picture cannot be read.
pub(super) fn moments(run: &Run) -> Result<Vec<Moment>, Failure> {
    let pictures = run.policies.iter().flat_map(|policy| &policy.pictures);
    let all: BTreeSet<_> = pictures
        .map(|picture| (picture.flow, picture.frame))
        .collect();
    let all: Vec<_> = all.into_iter().collect();
    let count = all.len().min(MOMENTS);
    let chosen = (0..count).map(|n| all[(2 * n + 1) * all.len() / (2 * count)]);
    let mut moments = Vec::new();
    for (flow, frame) in chosen {
        let mut pictures = Vec::new();
        for policy in &run.policies {
            if let Some(png) = of(policy, flow, frame)? {
                pictures.push((policy.name.clone(), png));
            }
        }
        moments.push(Moment {
            flow,
            frame,
            pictures,
        });
    }
    while bytes(&moments) > BYTES {
        for (_, png) in moments.iter_mut().flat_map(|moment| &mut moment.pictures) {
            *png = halved(png)?;
        }
    }
    Ok(moments)
}

fn of(policy: &PolicyRun, flow: u32, frame: u64) -> Result<Option<Vec<u8>>, Failure> {
    let mut pictures = policy.pictures.iter();
    let picture = pictures.find(|picture| (picture.flow, picture.frame) == (flow, frame));
    let Some(picture) = picture else {
        return Ok(None);
    };
    let bytes = fs::read(&picture.path).map_err(|e| cannot_show(&picture.path, &e))?;
    // What is no picture is found here, and not by those who look at the page.
    decode(&bytes).map_err(|e| cannot_show(&picture.path, &e))?;
    Ok(Some(bytes))
}

fn bytes(moments: &[Moment]) -> usize {
    let pictures = moments.iter().flat_map(|moment| &moment.pictures);
    pictures.map(|(_, png)| png.len()).sum()
}

/// Half as wide and high: each pixel is the mean of four.
fn halved(png: &[u8]) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| cannot_show(Path::new("a picture"), error);
    let image = decode(png).map_err(|e| failed(&e))?;
    let (width, height) = (image.width.div_ceil(2), image.height.div_ceil(2));
    let mut samples = Vec::with_capacity(width * height * image.channels);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..image.channels {
                let at = |dx: usize, dy: usize| {
                    let x = (2 * x + dx).min(image.width - 1);
                    let y = (2 * y + dy).min(image.height - 1);
                    u16::from(image.samples[(y * image.width + x) * image.channels + channel])
                };
                samples.push(((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4) as u8);
            }
        }
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(if image.channels == 1 {
        ColorType::Grayscale
    } else {
        ColorType::Rgb
    });
    let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
    writer.write_image_data(&samples).map_err(|e| failed(&e))?;
    writer.finish().map_err(|e| failed(&e))?;
    Ok(file)
}

fn decode(png: &[u8]) -> Result<Image, String> {
    let mut decoder = Decoder::new(Cursor::new(png));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let size = reader
        .output_buffer_size()
        .filter(|&size| size <= 4 * PIXELS);
    let mut samples = vec![0; size.ok_or("it is too large")?];
    let info = reader.next_frame(&mut samples).map_err(|e| e.to_string())?;
    let channels = info.color_type.samples();
    if !matches!(channels, 1 | 3) {
        return Err("it has an alpha channel, which pictures of a run have not".to_owned());
    }
    Ok(Image {
        width: info.width as usize,
        height: info.height as usize,
        channels,
        samples,
    })
}

fn cannot_show(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!(
            "cannot show {}: {error}; remove it, or run the scenario again",
            path.display()
        ),
    )
}
