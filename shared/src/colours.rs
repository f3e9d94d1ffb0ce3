//! Pictures as screens and image files take them.

use yuv::{YuvError, YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_bgra, yuv420_to_rgb};

use crate::frame::{Frame, Plane};
use crate::video::{ColourRange, VideoFormat};

/// The conversion refuses a frame.
#[derive(Debug, thiserror::Error)]
#[error("cannot convert a frame: {0}")]
pub struct ColourError(#[from] YuvError);

/// How samples become colours. Files do not say which matrix they use; as players do, BT.709 from
/// 720 lines up and BT.601 below.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    range: YuvRange,
    matrix: YuvStandardMatrix,
}

impl Colours {
    /// Those of a stream.
    pub fn of(format: &VideoFormat) -> Self {
        let range = match format.colour_range {
            ColourRange::Full => YuvRange::Full,
            _ => YuvRange::Limited,
        };
        let matrix = match format.height {
            ..720 => YuvStandardMatrix::Bt601,
            _ => YuvStandardMatrix::Bt709,
        };
        Self { range, matrix }
    }

    /// `[height, width, 4]` bytes: blue, green, red, 255.
    ///
    /// # Errors
    /// [`ColourError`].
    pub fn bgra(self, frame: &Frame, bytes: &mut Vec<u8>) -> Result<(), ColourError> {
        let (width, height) = frame.plane_size(Plane::Y);
        bytes.resize(width * height * 4, 0);
        let stride = (width * 4) as u32;
        yuv420_to_bgra(&planes(frame), bytes, stride, self.range, self.matrix)?;
        Ok(())
    }

    /// `[height, width, 3]` bytes: red, green, blue.
    ///
    /// # Errors
    /// [`ColourError`].
    pub fn rgb(self, frame: &Frame, bytes: &mut Vec<u8>) -> Result<(), ColourError> {
        let (width, height) = frame.plane_size(Plane::Y);
        bytes.resize(width * height * 3, 0);
        let stride = (width * 3) as u32;
        yuv420_to_rgb(&planes(frame), bytes, stride, self.range, self.matrix)?;
        Ok(())
    }
}

fn planes(frame: &Frame) -> YuvPlanarImage<'_, u8> {
    let (width, height) = frame.plane_size(Plane::Y);
    let stride = frame.size().padded_width() as u32;
    let chroma = frame.chroma_tensor();
    let (u_plane, v_plane) = chroma.split_at(chroma.len() / 2);
    YuvPlanarImage {
        y_plane: frame.luma_tensor(),
        y_stride: stride,
        u_plane,
        u_stride: stride / 2,
        v_plane,
        v_stride: stride / 2,
        width: width as u32,
        height: height as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameSize;
    use crate::video::{ChromaSiting, Fraction, FrameRate};

    fn pixel(colour_range: ColourRange, (width, height): (u32, u32), [y, u, v]: [u8; 3]) -> u32 {
        let size = FrameSize::new(width, height).unwrap();
        let mut frame = Frame::new(size);
        let luma = vec![y; size.width() * size.height()];
        let chroma = size.chroma_width() * size.chroma_height();
        frame.fill([&luma, &vec![u; chroma], &vec![v; chroma]]);
        let colours = Colours::of(&VideoFormat {
            width,
            height,
            frame_rate: FrameRate::new(30, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range,
        });
        let mut bytes = Vec::new();
        colours.bgra(&frame, &mut bytes).unwrap();
        let pixels = bytes.as_chunks::<4>().0.to_vec();
        assert_eq!(pixels.len(), luma.len());
        assert!(pixels.iter().all(|&pixel| pixel == pixels[0]));
        colours.rgb(&frame, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 3 * luma.len());
        let [blue, green, red, opaque] = pixels[0];
        assert_eq!((&bytes[..3], opaque), (&[red, green, blue][..], 255));
        u32::from_be_bytes([0, red, green, blue])
    }

    #[test]
    fn colours_are_right_in_both_ranges_and_odd_sizes() {
        let (limited, full) = (ColourRange::Limited, ColourRange::Full);
        for size in [(1, 1), (17, 31), (64, 64)] {
            assert_eq!(pixel(limited, size, [235, 128, 128]), 0xff_ffff);
            assert_eq!(pixel(limited, size, [16, 128, 128]), 0);
            assert_eq!(pixel(full, size, [255, 128, 128]), 0xff_ffff);
            assert_eq!(pixel(full, size, [16, 128, 128]), 0x10_1010);
        }
        // Pure red, limited range: Y 81, U 90, V 240 in BT.601; Y 63, U 102, V 240 in BT.709.
        for (size, sample) in [((16, 16), [81, 90, 240]), ((16, 720), [63, 102, 240])] {
            let red = pixel(limited, size, sample).to_be_bytes();
            assert!(red[1] > 250 && red[2] < 5 && red[3] < 5, "{red:?}");
        }
    }
}
