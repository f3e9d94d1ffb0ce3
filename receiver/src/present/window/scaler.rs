//! Pictures in the size of the window.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use raq_shared::exit::{Exit, Failure};
use raq_shared::video::Fraction;

/// A rectangle in the window, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its upper left corner.
    pub(super) left: usize,
    pub(super) top: usize,
    /// Both are at least 1.
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Place {
    /// The largest one in a `window` with the proportions of a picture of `size` whose pixels have this
    /// aspect (0:0 where it is not known), in its middle.
    pub(super) fn of(size: (usize, usize), pixel: Fraction, window: (usize, usize)) -> Self {
        let (wide, high) = proportions(size, pixel);
        let scale = (window.0 as f64 / wide).min(window.1 as f64 / high);
        let side =
            |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most.max(1));
        let (width, height) = (side(wide, window.0), side(high, window.1));
        Self {
            left: window.0.saturating_sub(width) / 2,
            top: window.1.saturating_sub(height) / 2,
            width,
            height,
        }
    }
}

/// Width and height of a picture in square pixels.
pub(super) fn proportions((width, height): (usize, usize), pixel: Fraction) -> (f64, f64) {
    let aspect = match pixel.num.min(pixel.den) {
        0 => 1.0,
        _ => f64::from(pixel.num) / f64::from(pixel.den),
    };
    (width as f64 * aspect, height as f64)
}

/// Scales pictures; its buffers are kept.
pub(super) struct Scaler {
    resizer: Resizer,
    options: ResizeOptions,
    scaled: Vec<u8>,
}

impl Scaler {
    pub(super) fn new() -> Self {
        let smooth = ResizeAlg::Convolution(FilterType::Bilinear);
        let options = ResizeOptions::new().resize_alg(smooth).use_alpha(false);
        Self {
            resizer: Resizer::new(),
            options,
            scaled: Vec::new(),
        }
    }

    /// Fills `pixels`, `[window height, window width]` of `0xAARRGGBB`, with the picture in `bgra`,
    /// `[height, width, 4]`, at `place`, and black around it.
    ///
    /// # Errors
    /// [`Failure`] where the library refuses.
    pub(super) fn fill(
        &mut self,
        (bgra, (width, height)): (&[u8], (usize, usize)),
        place: Place,
        window: (usize, usize),
        pixels: &mut Vec<u32>,
    ) -> Result<(), Failure> {
        let picture = if (width, height) == (place.width, place.height) {
            bgra
        } else {
            self.scaled.resize(place.width * place.height * 4, 0);
            self.scale(bgra, (width, height), place).map_err(failure)?;
            &self.scaled
        };
        pixels.clear();
        pixels.resize(window.0 * window.1, 0);
        let rows = pixels.chunks_exact_mut(window.0.max(1)).skip(place.top);
        for (row, picture) in rows.zip(picture.chunks_exact(place.width * 4)) {
            let row = row.iter_mut().skip(place.left);
            for (pixel, &bgra) in row.zip(picture.as_chunks::<4>().0) {
                *pixel = u32::from_le_bytes(bgra);
            }
        }
        Ok(())
    }

    fn scale(
        &mut self,
        bgra: &[u8],
        (width, height): (usize, usize),
        place: Place,
    ) -> Result<(), String> {
        let from = TypedImageRef::<U8x4>::from_buffer(width as u32, height as u32, bgra);
        let from = from.map_err(|error| error.to_string())?;
        let (across, down) = (place.width as u32, place.height as u32);
        let to = TypedImage::<U8x4>::from_buffer(across, down, &mut self.scaled);
        let mut to = to.map_err(|error| error.to_string())?;
        // `resize` would be compiled for every kind of pixel that the library knows.
        let resized = self.resizer.resize_typed(&from, &mut to, &self.options);
        resized.map_err(|error| error.to_string())
    }
}

fn failure(error: String) -> Failure {
    let text =
        format_args!("cannot scale a frame: {error}; choose --output web, FILE.y4m, - or null");
    Failure::new(Exit::Failure, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: Fraction = Fraction { num: 1, den: 1 };

    fn place(size: (usize, usize), (num, den): (u32, u32), window: (usize, usize)) -> [usize; 4] {
        let Place {
            left,
            top,
            width,
            height,
        } = Place::of(size, Fraction { num, den }, window);
        [left, top, width, height]
    }

    #[test]
    fn pictures_keep_their_proportions() {
        assert_eq!(place((640, 360), (1, 1), (640, 360)), [0, 0, 640, 360]);
        assert_eq!(place((640, 360), (0, 0), (1280, 900)), [0, 90, 1280, 720]);
        assert_eq!(place((640, 360), (1, 1), (2000, 360)), [680, 0, 640, 360]);
        // PAL in 16:9.
        assert_eq!(place((720, 576), (64, 45), (1024, 576)), [0, 0, 1024, 576]);
        assert_eq!(place((16384, 1), (1, 1), (64, 64)), [0, 31, 64, 1]);
        assert_eq!(place((3, 5), (u32::MAX, 1), (1, 1)), [0, 0, 1, 1]);
    }

    #[test]
    fn a_picture_is_scaled_smoothly_into_its_place() {
        let (size, window) = ((2, 1), (8, 5));
        let place = Place::of(size, SQUARE, window);
        let bgra = [0, 0, 0, 255, 200, 100, 40, 255];
        let mut pixels = vec![7; 99];
        let mut scaler = Scaler::new();
        scaler
            .fill((&bgra, size), place, window, &mut pixels)
            .unwrap();
        assert_eq!(pixels.len(), 40);
        let row = |y: usize| &pixels[8 * y..][..8];
        assert_eq!((row(4), place.height), (&[0; 8][..], 4));
        for y in 0..4 {
            assert_eq!((row(y)[0], row(y)[7]), (0xff00_0000, 0xff28_64c8));
            assert!(row(y).is_sorted() && row(y)[3] != row(y)[4]);
        }
    }

    #[test]
    fn a_picture_that_fits_stays_as_it_is() {
        let (size, window) = ((2, 1), (2, 2));
        let place = Place {
            left: 0,
            top: 1,
            width: 2,
            height: 1,
        };
        let bgra = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut pixels = Vec::new();
        Scaler::new()
            .fill((&bgra, size), place, window, &mut pixels)
            .unwrap();
        assert_eq!(pixels, [0, 0, 0x0403_0201, 0x0807_0605]);
    }
}
