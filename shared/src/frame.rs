//! Planar YUV 4:2:0 pictures, 8 bit, kept in the layout of the networks' tensors.
//!
//! A frame of W×H pixels lives in buffers padded to multiples of [`PAD`]: luma `[Hp, Wp]` and
//! chroma `[2, Hp/2, Wp/2]` (U, then V). The padded buffers *are* the encoder's inputs and the
//! decoder's outputs, so pixels are copied once when they are read and once when they are written.

use std::{fmt, str::FromStr};

/// Sides are padded to multiples of this many luma pixels by repeating the edge.
pub const PAD: u32 = 32;
/// One latent stands for a block of this many luma pixels on each side.
pub const BLOCK: u32 = 8;
/// The longest side of a frame.
pub const MAX_SIDE: u32 = 16384;
/// A frame has fewer pixels than this, padding included: so 16 bits count its tiles, and everything
/// that is coded of them.
pub const PIXEL_LIMIT: u64 = 1 << 26;

/// A frame size that no stranger can make impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// A side is 0 or longer than [`MAX_SIDE`], or the area is [`PIXEL_LIMIT`] or more.
    #[error(
        "a frame of {width}x{height} is outside 1x1 to {MAX_SIDE}x{MAX_SIDE} \
         and 67 million pixels; scale the video first"
    )]
    OutOfRange {
        /// Width asked for, in pixels.
        width: u64,
        /// Height asked for, in pixels.
        height: u64,
    },
}

/// Width and height of a picture in luma pixels, each at least 1; chroma sides round up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameSize {
    width: u32,
    height: u32,
}

impl FrameSize {
    /// A size within [`MAX_SIDE`] and [`PIXEL_LIMIT`].
    ///
    /// # Errors
    /// [`SizeError::OutOfRange`] otherwise.
    pub fn new(width: u32, height: u32) -> Result<Self, SizeError> {
        let padded = |side: u32| u64::from(side).next_multiple_of(u64::from(PAD));
        let sides = 1..=MAX_SIDE;
        if sides.contains(&width)
            && sides.contains(&height)
            && padded(width) * padded(height) < PIXEL_LIMIT
        {
            Ok(Self { width, height })
        } else {
            Err(SizeError::OutOfRange {
                width: width.into(),
                height: height.into(),
            })
        }
    }

    /// Luma width in pixels.
    pub fn width(self) -> usize {
        self.width as usize
    }

    /// Luma height in pixels.
    pub fn height(self) -> usize {
        self.height as usize
    }

    /// Chroma width in pixels, rounded up.
    pub fn chroma_width(self) -> usize {
        self.width.div_ceil(2) as usize
    }

    /// Chroma height in pixels, rounded up.
    pub fn chroma_height(self) -> usize {
        self.height.div_ceil(2) as usize
    }

    /// Luma width of the padded frame, a multiple of [`PAD`].
    pub fn padded_width(self) -> usize {
        self.width.next_multiple_of(PAD) as usize
    }

    /// Luma height of the padded frame, a multiple of [`PAD`].
    pub fn padded_height(self) -> usize {
        self.height.next_multiple_of(PAD) as usize
    }

    /// The positions of the padded frame: one per [`BLOCK`]×[`BLOCK`] luma pixels.
    pub fn grid(self) -> Grid {
        Grid {
            columns: self.padded_width() / BLOCK as usize,
            rows: self.padded_height() / BLOCK as usize,
        }
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Reads `WIDTHxHEIGHT`, as a command line gives it.
impl FromStr for FrameSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(width, height)| {
            Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?))
        });
        let (width, height) =
            sides.ok_or_else(|| format!("{text:?} is no size; give WIDTHxHEIGHT"))?;
        Self::new(width, height).map_err(|e| e.to_string())
    }
}

/// The positions (latents) of a frame; position p = y · columns + x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Positions side by side.
    pub columns: usize,
    /// Positions from top to bottom.
    pub rows: usize,
}

impl Grid {
    /// Number of positions.
    pub fn positions(self) -> usize {
        self.columns * self.rows
    }
}

/// The three planes of a 4:2:0 picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Brightness, full size.
    Y,
    /// Blue difference (Cb), half size.
    U,
    /// Red difference (Cr), half size.
    V,
}

impl Plane {
    /// Y, U, V: the order in files and tensors.
    pub const ALL: [Self; 3] = [Self::Y, Self::U, Self::V];
}

/// One picture. Make it once and fill it again for every frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    size: FrameSize,
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Frame {
    /// A mid-grey frame.
    pub fn new(size: FrameSize) -> Self {
        let luma = size.padded_width() * size.padded_height();
        Self {
            size,
            luma: vec![128; luma],
            chroma: vec![128; luma / 2],
        }
    }

    /// True size, without padding.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// Luma as the networks take it: `[1, 1, Hp, Wp]`, 0–255.
    pub fn luma_tensor(&self) -> &[u8] {
        &self.luma
    }

    /// Chroma as the networks take it: `[1, 2, Hp/2, Wp/2]`, U then V, 0–255, 128 is neutral.
    pub fn chroma_tensor(&self) -> &[u8] {
        &self.chroma
    }

    /// Both tensors (luma, chroma) for a decoder to write into.
    pub fn tensors_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.luma, &mut self.chroma)
    }

    /// Visible width and height of a plane in its own pixels.
    pub fn plane_size(&self, plane: Plane) -> (usize, usize) {
        match plane {
            Plane::Y => (self.size.width(), self.size.height()),
            Plane::U | Plane::V => (self.size.chroma_width(), self.size.chroma_height()),
        }
    }

    /// The visible part of one row of a plane.
    pub fn row(&self, plane: Plane, y: usize) -> &[u8] {
        let (width, _) = self.plane_size(plane);
        let (data, stride) = self.padded_plane(plane);
        &data[y * stride..][..width]
    }

    /// The visible part of one row, to be filled; call [`Frame::pad`] after the last one.
    pub fn row_mut(&mut self, plane: Plane, y: usize) -> &mut [u8] {
        let (width, _) = self.plane_size(plane);
        let (data, stride) = self.padded_plane_mut(plane);
        &mut data[y * stride..][..width]
    }

    /// Copies tightly packed planes (row after row, visible pixels only) in and pads them.
    ///
    /// # Panics
    /// When a plane's length is not its width times its height.
    pub fn fill(&mut self, planes: [&[u8]; 3]) {
        for (plane, source) in Plane::ALL.into_iter().zip(planes) {
            let (width, height) = self.plane_size(plane);
            assert_eq!(
                source.len(),
                width * height,
                "plane {plane:?} of {}",
                self.size
            );
            for (y, row) in source.chunks_exact(width).enumerate() {
                self.row_mut(plane, y).copy_from_slice(row);
            }
        }
        self.pad();
    }

    /// Appends the visible pixels of a plane to `out`, row after row.
    pub fn crop_into(&self, plane: Plane, out: &mut Vec<u8>) {
        let (_, height) = self.plane_size(plane);
        for y in 0..height {
            out.extend_from_slice(self.row(plane, y));
        }
    }

    /// Repeats the last visible column and row into the padding.
    pub fn pad(&mut self) {
        for plane in Plane::ALL {
            let (width, height) = self.plane_size(plane);
            let (data, stride) = self.padded_plane_mut(plane);
            if width < stride {
                for row in data.chunks_exact_mut(stride).take(height) {
                    let edge = row[width - 1];
                    row[width..].fill(edge);
                }
            }
            let (visible, below) = data.split_at_mut(height * stride);
            let last = &visible[(height - 1) * stride..];
            for row in below.chunks_exact_mut(stride) {
                row.copy_from_slice(last);
            }
        }
    }

    fn padded_plane(&self, plane: Plane) -> (&[u8], usize) {
        let stride = self.size.padded_width();
        let half = self.chroma.len() / 2;
        match plane {
            Plane::Y => (&self.luma, stride),
            Plane::U => (&self.chroma[..half], stride / 2),
            Plane::V => (&self.chroma[half..], stride / 2),
        }
    }

    fn padded_plane_mut(&mut self, plane: Plane) -> (&mut [u8], usize) {
        let stride = self.size.padded_width();
        let half = self.chroma.len() / 2;
        match plane {
            Plane::Y => (&mut self.luma, stride),
            Plane::U => (&mut self.chroma[..half], stride / 2),
            Plane::V => (&mut self.chroma[half..], stride / 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::TileGrid;
    use proptest::prelude::*;

    fn planes(size: FrameSize, seed: u8) -> [Vec<u8>; 3] {
        let (cw, ch) = (size.chroma_width(), size.chroma_height());
        [(size.width(), size.height()), (cw, ch), (cw, ch)].map(|(w, h)| {
            (0..w * h)
                .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
                .collect()
        })
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (width, height) in [
            (0, 1),
            (1, 0),
            (MAX_SIDE + 1, 1),
            (16384, 16384),
            // 65536 tiles.
            (8192, 8192),
            (4065, 16353),
            (u32::MAX, 3),
        ] {
            assert!(FrameSize::new(width, height).is_err(), "{width}x{height}");
        }
        for (width, height) in [(8192, 8160), (4064, 16384), (1, MAX_SIDE)] {
            let tiles = TileGrid::of(FrameSize::new(width, height).unwrap()).tiles();
            assert!(tiles < 1 << 16, "{tiles} tiles of {width}x{height}");
        }
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        let size: FrameSize = "17x31".parse().unwrap();
        assert_eq!(size.to_string(), "17x31");
        for (bad, says) in [
            ("", "WIDTHxHEIGHT"),
            ("17", "WIDTHxHEIGHT"),
            ("axb", "WIDTHxHEIGHT"),
            ("1x2x3", "WIDTHxHEIGHT"),
            ("-1x2", "WIDTHxHEIGHT"),
            ("0x1", "outside 1x1"),
        ] {
            let error = bad.parse::<FrameSize>().unwrap_err();
            assert!(error.contains(says), "{bad:?}: {error}");
        }
    }

    #[test]
    fn padding_repeats_the_edges() {
        let size = FrameSize::new(17, 31).unwrap();
        let mut frame = Frame::new(size);
        let [y, u, v] = planes(size, 3);
        frame.fill([&y, &u, &v]);
        let luma = frame.luma_tensor();
        assert_eq!(luma.len(), 32 * 32);
        assert_eq!(luma[16], luma[31], "right edge");
        assert_eq!(luma[30 * 32..31 * 32], luma[31 * 32..], "bottom edge");
        let chroma = frame.chroma_tensor();
        assert_eq!(chroma.len(), 2 * 16 * 16);
        assert_eq!(chroma[8], chroma[15]);
        assert_eq!(chroma[256], v[0], "V begins after U's padding");
    }

    proptest! {
        #[test]
        fn cropping_gives_back_what_was_filled(w in 1u32..70, h in 1u32..70, seed: u8) {
            let size = FrameSize::new(w, h).unwrap();
            let mut frame = Frame::new(size);
            let source = planes(size, seed);
            frame.fill([&source[0], &source[1], &source[2]]);
            for (plane, expected) in Plane::ALL.into_iter().zip(&source) {
                let mut out = Vec::new();
                frame.crop_into(plane, &mut out);
                prop_assert_eq!(&out, expected);
            }
            prop_assert_eq!(size.grid().positions() * 64, frame.luma_tensor().len());
        }
    }
}
