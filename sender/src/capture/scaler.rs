//! Pictures in another size.

use fast_image_resize::images::{
    TypedCroppedImage, TypedCroppedImageMut, TypedImage, TypedImageRef,
};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use raq_shared::frame::{Frame, FrameSize, Plane};
use raq_shared::video::{Fraction, VideoFormat};

/// Scales pictures, bicubically, without keeping their proportions: as ffmpeg's `-s` does.
pub(super) struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    pub(super) fn new() -> Self {
        Self {
            resizer: Resizer::new(),
        }
    }

    /// Fills `to` with the picture in `from`; false where the library cannot.
    pub(super) fn scale(&mut self, from: &Frame, to: &mut Frame) -> bool {
        let well = Plane::ALL.map(|plane| self.scale_plane(plane, from, to).is_some());
        to.pad();
        well == [true; 3]
    }

    /// Chroma is taken to lie in the middle of its luma: where it lies to the left, colours move by a
    /// quarter of a pixel at most.
    fn scale_plane(&mut self, plane: Plane, from: &Frame, to: &mut Frame) -> Option<()> {
        let (width, height) = from.plane_size(plane);
        let bicubic = ResizeAlg::Convolution(FilterType::CatmullRom);
        let options = ResizeOptions::new().resize_alg(bicubic);
        let (across, down) = padded(from.size(), plane);
        let pixels = match plane {
            Plane::Y => from.luma_tensor(),
            Plane::U => from.chroma_tensor().split_at(across * down).0,
            Plane::V => from.chroma_tensor().split_at(across * down).1,
        };
        let whole = TypedImageRef::<U8>::from_buffer(across as u32, down as u32, pixels).ok()?;
        // Not the option `crop`, which lets the padding in at the edges.
        let source = TypedCroppedImage::from_ref(&whole, 0, 0, width as u32, height as u32).ok()?;
        let (width, height) = to.plane_size(plane);
        let (across, down) = padded(to.size(), plane);
        let (luma, chroma) = to.tensors_mut();
        let pixels = match plane {
            Plane::Y => luma,
            Plane::U => chroma.split_at_mut(across * down).0,
            Plane::V => chroma.split_at_mut(across * down).1,
        };
        let whole = TypedImage::<U8>::from_buffer(across as u32, down as u32, pixels).ok()?;
        let mut target =
            TypedCroppedImageMut::new(whole, 0, 0, width as u32, height as u32).ok()?;
        // `resize` would be compiled for every kind of pixel that the library knows.
        self.resizer
            .resize_typed(&source, &mut target, &options)
            .ok()
    }
}

/// Width and height of a plane with its padding.
fn padded(size: FrameSize, plane: Plane) -> (usize, usize) {
    let (width, height) = (size.padded_width(), size.padded_height());
    match plane {
        Plane::Y => (width, height),
        Plane::U | Plane::V => (width / 2, height / 2),
    }
}

/// The format of pictures scaled to `size`: pixels get the shape that keeps the picture's.
pub(super) fn scaled(format: VideoFormat, size: FrameSize) -> VideoFormat {
    let (width, height) = (size.width() as u64, size.height() as u64);
    let (num, den) = (
        u64::from(format.aspect.num) * u64::from(format.width) * height,
        u64::from(format.aspect.den) * u64::from(format.height) * width,
    );
    let divisor = greatest_common_divisor(num, den).max(1);
    let (num, den) = (num / divisor, den / divisor);
    VideoFormat {
        width: width as u32,
        height: height as u32,
        aspect: match (u32::try_from(num), u32::try_from(den)) {
            (Ok(num), Ok(den)) => Fraction::new(num, den),
            // Too fine to be written: unknown.
            _ => Fraction::new(0, 0),
        },
        ..format
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use raq_shared::video::{ChromaSiting, ColourRange, FrameRate};

    use super::*;

    fn frame(text: &str) -> Frame {
        Frame::new(text.parse().unwrap())
    }

    #[test]
    fn nothing_comes_in_from_the_padding() {
        let mut from = frame("50x30");
        for plane in Plane::ALL {
            let (_, height) = from.plane_size(plane);
            (0..height).for_each(|y| from.row_mut(plane, y).fill(50));
        }
        // No `pad`: other values lie there.
        assert!(from.luma_tensor().contains(&128));
        for size in ["100x60", "25x15", "33x77"] {
            let mut to = frame(size);
            assert!(Scaler::new().scale(&from, &mut to));
            let (luma, chroma) = (to.luma_tensor(), to.chroma_tensor());
            assert!(
                luma.iter().chain(chroma).all(|&value| value == 50),
                "{size}"
            );
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp() {
        let mut from = frame("50x30");
        for plane in Plane::ALL {
            let (_, height) = from.plane_size(plane);
            for y in 0..height {
                let row = from.row_mut(plane, y).iter_mut().enumerate();
                row.for_each(|(x, value)| *value = (20 + 4 * x) as u8);
            }
        }
        for size in ["100x60", "25x15", "33x77", "50x30", "1x1"] {
            let mut to = frame(size);
            assert!(Scaler::new().scale(&from, &mut to));
            for plane in Plane::ALL {
                let (width, height) = to.plane_size(plane);
                let (before, _) = from.plane_size(plane);
                for (x, value) in to.row(plane, height / 2).iter().enumerate() {
                    let place = (x as f64 + 0.5) * before as f64 / width as f64 - 0.5;
                    let expected = 20.0 + 4.0 * place;
                    let off = (f64::from(*value) - expected).abs();
                    // Edges have neighbours on one side only.
                    let inside = 1.5..=before as f64 - 2.5;
                    let most = if inside.contains(&place) { 1.5 } else { 8.0 };
                    assert!(off < most, "{size} {plane:?} {x}: {value} for {expected}");
                }
            }
        }
    }

    #[test]
    fn pixels_change_their_shape_so_that_the_picture_keeps_its_own() {
        let format = VideoFormat {
            width: 640,
            height: 480,
            frame_rate: FrameRate::new(25, 1).unwrap(),
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range: ColourRange::Limited,
        };
        let aspect = |format, size: &str| scaled(format, size.parse().unwrap()).aspect;
        assert_eq!(aspect(format, "320x240"), Fraction::new(1, 1));
        assert_eq!(aspect(format, "640x360"), Fraction::new(3, 4));
        let unknown = VideoFormat {
            aspect: Fraction::new(0, 0),
            ..format
        };
        assert_eq!(aspect(unknown, "64x360"), Fraction::new(0, 0));
        let fine = VideoFormat {
            aspect: Fraction::new(4_294_967_291, 4_294_967_279),
            ..format
        };
        assert_eq!(aspect(fine, "641x359"), Fraction::new(0, 0));
    }
}
