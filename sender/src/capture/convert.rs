//! What cameras give, as planar 4:2:0.

use raq_shared::frame::{Frame, Plane};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Converts packed 4:2:2 (`YUYV`) with `stride` bytes per row, averaging the chroma of two rows;
/// false where there are too few bytes.
pub(crate) fn yuyv(bytes: &[u8], stride: usize, frame: &mut Frame) -> bool {
    let (width, height) = frame.plane_size(Plane::Y);
    let packed = width.next_multiple_of(2) * 2;
    if stride < packed || bytes.len() < stride * (height - 1) + packed {
        return false;
    }
    let row = |y: usize| &bytes[y * stride..][..packed];
    for y in 0..height {
        for (value, pixel) in frame
            .row_mut(Plane::Y, y)
            .iter_mut()
            .zip(row(y).chunks_exact(2))
        {
            *value = pixel[0];
        }
    }
    for (channel, plane) in [(1, Plane::U), (3, Plane::V)] {
        for y in 0..height.div_ceil(2) {
            let (above, below) = (row(2 * y), row((2 * y + 1).min(height - 1)));
            let pairs = above.chunks_exact(4).zip(below.chunks_exact(4));
            for (value, (above, below)) in frame.row_mut(plane, y).iter_mut().zip(pairs) {
                *value = above[channel].midpoint(below[channel]);
            }
        }
    }
    frame.pad();
    true
}

/// The segment by which the decoder knows that missing Huffman tables are the usual ones; not
/// every camera sends it.
const MOTION_JPEG: &[u8; 18] = b"\xff\xe0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

/// Decodes motion JPEG.
#[derive(Debug, Default)]
pub(crate) struct Mjpeg {
    /// The picture as it came, with [`MOTION_JPEG`] put in.
    marked: Vec<u8>,
    /// The picture as the decoder gives it: Y, U and V of every pixel.
    pixels: Vec<u8>,
}

impl Mjpeg {
    /// Decodes a picture of the frame's size; false where it is broken or of another size.
    pub(crate) fn decode(&mut self, bytes: &[u8], frame: &mut Frame) -> bool {
        let size = frame.size();
        let Some((start, rest)) = bytes.split_at_checked(2) else {
            return false;
        };
        self.marked.clear();
        self.marked.extend_from_slice(start);
        self.marked.extend_from_slice(MOTION_JPEG);
        self.marked.extend_from_slice(rest);
        let options = DecoderOptions::default()
            .set_max_width(size.width())
            .set_max_height(size.height())
            .set_strict_mode(false)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&self.marked), options);
        if decoder.decode_headers().is_err()
            || decoder.dimensions() != Some((size.width(), size.height()))
            || decoder.input_colorspace() != Some(ColorSpace::YCbCr)
        {
            return false;
        }
        self.pixels.resize(size.width() * size.height() * 3, 0);
        if decoder.decode_into(&mut self.pixels).is_err() {
            return false;
        }
        self.subsample(frame);
        frame.pad();
        true
    }

    /// Takes the planes apart and averages chroma over 2×2 pixels.
    fn subsample(&self, frame: &mut Frame) {
        let (width, height) = frame.plane_size(Plane::Y);
        let row = |y: usize| &self.pixels[y * width * 3..][..width * 3];
        for y in 0..height {
            let pixels = row(y).chunks_exact(3);
            for (value, pixel) in frame.row_mut(Plane::Y, y).iter_mut().zip(pixels) {
                *value = pixel[0];
            }
        }
        for (channel, plane) in [(1, Plane::U), (2, Plane::V)] {
            for y in 0..height.div_ceil(2) {
                let (above, below) = (row(2 * y), row((2 * y + 1).min(height - 1)));
                let pairs = above.chunks(6).zip(below.chunks(6));
                for (value, (above, below)) in frame.row_mut(plane, y).iter_mut().zip(pairs) {
                    // The last column of an odd width stands for its missing neighbour.
                    let sum = |pair: &[u8]| {
                        let left = u16::from(pair[channel]);
                        left + pair.get(3 + channel).map_or(left, |&right| right.into())
                    };
                    *value = ((sum(above) + sum(below) + 2) / 4) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::frame::FrameSize;

    use super::*;

    /// 38×22 pixels of a ramp, 4:2:2, without Huffman tables, as cameras send it.
    const PICTURE: &[u8] = include_bytes!("testdata/camera.mjpeg");

    #[test]
    fn yuyv_becomes_planar() {
        let size = FrameSize::new(4, 2).unwrap();
        let mut frame = Frame::new(size);
        // Rows of 4 pixels with 2 bytes of filling after each.
        let bytes = [
            10, 100, 20, 200, 30, 110, 40, 210, 0, 0, //
            50, 120, 60, 220, 70, 130, 80, 230, 0, 0,
        ];
        assert!(yuyv(&bytes, 10, &mut frame));
        assert_eq!(frame.row(Plane::Y, 0), [10, 20, 30, 40]);
        assert_eq!(frame.row(Plane::Y, 1), [50, 60, 70, 80]);
        assert_eq!(frame.row(Plane::U, 0), [110, 120]);
        assert_eq!(frame.row(Plane::V, 0), [210, 220]);
        assert_eq!(frame.luma_tensor()[31], 40, "padded");
        assert!(!yuyv(&bytes[..17], 10, &mut frame), "cut off");
    }

    #[test]
    fn motion_jpeg_without_tables_is_decoded() {
        assert!(
            !PICTURE.windows(2).any(|pair| pair == [0xff, 0xc4]),
            "it has no tables"
        );
        let mut frame = Frame::new(FrameSize::new(38, 22).unwrap());
        let mut decoder = Mjpeg::default();
        assert!(decoder.decode(PICTURE, &mut frame));
        for (plane, expected) in [
            (Plane::Y, (|x, _| 40 + 5 * x) as fn(usize, usize) -> usize),
            (Plane::U, |_, y| 80 + 8 * y),
            (Plane::V, |x, _| 200 - 4 * x),
        ] {
            let (width, height) = frame.plane_size(plane);
            for y in 0..height {
                for x in 0..width {
                    let (found, expected) = (frame.row(plane, y)[x], expected(x, y) as u8);
                    let off = found.abs_diff(expected);
                    assert!(off <= 6, "{plane:?} {x},{y}: {found} for {expected}");
                }
            }
        }
    }

    #[test]
    fn broken_pictures_are_told() {
        let mut frame = Frame::new(FrameSize::new(38, 22).unwrap());
        let mut decoder = Mjpeg::default();
        assert!(!decoder.decode(&PICTURE[..60], &mut frame));
        assert!(!decoder.decode(b"", &mut frame));
        assert!(!decoder.decode(&[0xff; 500], &mut frame));
        let mut other = Frame::new(FrameSize::new(38, 24).unwrap());
        assert!(!decoder.decode(PICTURE, &mut other), "another size");
        // Whatever is flipped, nothing panics.
        for at in 0..PICTURE.len() {
            let mut flipped = PICTURE.to_vec();
            flipped[at] ^= 0x55;
            decoder.decode(&flipped, &mut frame);
        }
    }
}
