//! Small clips: made here, or of the outside data.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use raq_shared::{
    frame::{Frame, FrameSize, Plane},
    quality::psnr_y,
    video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat},
    y4m::{Reader, Writer},
};

use crate::{outside_data, sandbox::Sandbox};

/// A format of this size at `rate` frames a second, its other tags as unusual as can be.
///
/// # Panics
/// For a rate of 0.
pub fn format(width: u32, height: u32, rate: u32) -> VideoFormat {
    VideoFormat {
        width,
        height,
        frame_rate: FrameRate::new(1001 * rate, 1001).expect("a frame rate"),
        aspect: Fraction::new(12, 11),
        chroma_siting: ChromaSiting::Mpeg2,
        colour_range: ColourRange::Full,
    }
}

/// Writes `frames` frames of a moving pattern: smooth, with an edge and some texture.
///
/// # Panics
/// Where it cannot be written.
pub fn generate(sandbox: &Sandbox, format: &VideoFormat, frames: u32) -> PathBuf {
    let path = sandbox.path("source.y4m");
    let size = format.size().expect("a size");
    let mut writer = Writer::new(File::create(&path).expect("a file"), format).expect("a header");
    for number in 0..frames {
        writer.write(&picture(size, number)).expect("a frame");
    }
    path
}

/// Writes the first `frames` frames of `clip` as a clip of `rate` frames a second.
///
/// # Panics
/// Where it cannot be read or written.
pub fn slowed(sandbox: &Sandbox, clip: &Path, rate: u32, frames: usize) -> PathBuf {
    let path = sandbox.path("slowed.y4m");
    let (mut format, source) = read(clip);
    format.frame_rate = FrameRate::new(rate, 1).expect("a frame rate");
    let mut writer = Writer::new(File::create(&path).expect("a file"), &format).expect("a header");
    for frame in &source[..frames] {
        writer.write(frame).expect("a frame");
    }
    path
}

/// Frame `number` of the pattern.
pub fn picture(size: FrameSize, number: u32) -> Frame {
    let mut frame = Frame::new(size);
    let t = f64::from(number);
    for plane in Plane::ALL {
        let (width, height) = frame.plane_size(plane);
        // Chroma has half the samples of the same picture.
        let step = if plane == Plane::Y { 1.0 } else { 2.0 };
        for row in 0..height {
            let y = row as f64 * step;
            for (column, sample) in frame.row_mut(plane, row)[..width].iter_mut().enumerate() {
                let x = column as f64 * step;
                let waves = (0.09 * (x + 3.0 * t)).sin() + (0.07 * (y - 2.0 * t) + 1.0).cos();
                let ball = (x - 40.0 - 4.0 * t).hypot(y - 30.0) < 16.0;
                let texture = (0.9 * x).sin() * (0.8 * y).cos();
                *sample = match plane {
                    Plane::Y => 120.0 + 35.0 * waves + 8.0 * texture + 50.0 * f64::from(ball),
                    Plane::U => 120.0 + 20.0 * waves,
                    Plane::V => 130.0 - 15.0 * waves + 30.0 * f64::from(ball),
                } as u8;
            }
        }
    }
    frame.pad();
    frame
}

/// A clip of the outside data, or a skip.
pub fn real(name: &str) -> Option<PathBuf> {
    outside_data(&format!("video/y4m/{name}"))
}

/// All frames of a y4m file.
///
/// # Panics
/// Where it is not whole.
pub fn read(path: &Path) -> (VideoFormat, Vec<Frame>) {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = Reader::new(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut frames = Vec::new();
    let mut frame = Frame::new(reader.size());
    while reader
        .read(&mut frame)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    {
        frames.push(frame.clone());
    }
    (reader.format(), frames)
}

/// Mean PSNR of luma in decibels over the pairs.
pub fn mean_psnr<'a>(pairs: impl Iterator<Item = (&'a Frame, &'a Frame)>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u32);
    for (a, b) in pairs {
        sum += psnr_y(a, b).min(100.0);
        count += 1;
    }
    sum / f64::from(count)
}
