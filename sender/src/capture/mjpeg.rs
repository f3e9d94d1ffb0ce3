//! Motion JPEG of cameras, as planar 4:2:0.

use raq_shared::frame::{Frame, Plane};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

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
    /// A row of colours, halved downwards; four times their value.
    column: Vec<i32>,
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
        self.subsample(halved(bytes), frame);
        frame.pad();
        true
    }

    /// Takes the planes apart and halves the colours. Where they came halved, the decoder has doubled
    /// them with weights 3 and 1, as libjpeg does; that is undone, so that they
    /// are what they were. Where not, two are averaged.
    fn subsample(&mut self, halved: Halved, frame: &mut Frame) {
        let (width, height) = frame.plane_size(Plane::Y);
        let pixels = &self.pixels;
        let row = |y: usize| &pixels[y.min(height - 1) * width * 3..][..width * 3];
        for y in 0..height {
            let pixels = row(y).chunks_exact(3);
            for (value, pixel) in frame.row_mut(Plane::Y, y).iter_mut().zip(pixels) {
                *value = pixel[0];
            }
        }
        let column = &mut self.column;
        for (channel, plane) in [(1, Plane::U), (2, Plane::V)] {
            for y in 0..height.div_ceil(2) {
                let rows = [(2 * y).saturating_sub(1), 2 * y, 2 * y + 1, 2 * y + 2].map(row);
                // Edges once more on either side, and an odd width filled up.
                let sums = (0..width)
                    .map(|x| halve(halved.down, rows.map(|row| row[3 * x + channel].into())));
                column.clear();
                column.push(0);
                column.extend(sums);
                column[0] = column[1];
                column.resize(width.next_multiple_of(2) + 2, column[width]);
                let fours = column.windows(4).step_by(2);
                for (value, four) in frame.row_mut(plane, y).iter_mut().zip(fours) {
                    let four = [four[0], four[1], four[2], four[3]];
                    *value = ((halve(halved.across, four) + 8) / 16).clamp(0, 255) as u8;
                }
            }
        }
    }
}

/// Four times the sample between the two in the middle: their mean, or what was there before it
/// was doubled.
fn halve(undo: bool, [before, first, second, after]: [i32; 4]) -> i32 {
    if undo {
        3 * (first + second) - before - after
    } else {
        2 * (first + second)
    }
}

/// Which ways colours have half as many samples as brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Halved {
    across: bool,
    down: bool,
}

/// As the frame header says (ITU-T T.81, B.2.2); not at all where there is none.
fn halved(jpeg: &[u8]) -> Halved {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = *rest {
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(..length).unwrap_or(rest);
        // Numbers of samples across and down, four bits each, of brightness and the colours.
        if let (0xc0..=0xc2, Some([3, _, y, _, _, u, _, _, v, _])) = (marker, segment.get(9..19)) {
            let same = u == v;
            return Halved {
                across: same && y >> 4 == 2 * (u >> 4),
                down: same && y & 15 == 2 * (u & 15),
            };
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Halved::default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use raq_shared::frame::FrameSize;

    use super::*;

    /// 38×22 pixels of a ramp, 4:2:2, without Huffman tables, as cameras send it.
    const PICTURE: &[u8] = include_bytes!("testdata/camera.mjpeg");

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
    }

    proptest! {
        /// Bytes changed, cut out and put in.
        #[test]
        fn nothing_makes_it_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, any::<[u8; 4]>()), 1..8),
            end in any::<prop::sample::Index>(), cut: bool,
        ) {
            let mut bytes = PICTURE.to_vec();
            for (at, remove, insert) in changes {
                let at = at.index(bytes.len());
                let end = (at + remove).min(bytes.len());
                bytes.splice(at..end, insert[..remove].iter().copied());
            }
            if cut {
                bytes.truncate(end.index(bytes.len()));
            }
            let mut frame = Frame::new(FrameSize::new(38, 22).unwrap());
            Mjpeg::default().decode(&bytes, &mut frame);
        }

        #[test]
        fn nor_do_bytes_that_mean_nothing(bytes: Vec<u8>) {
            let mut frame = Frame::new(FrameSize::new(5, 3).unwrap());
            prop_assert!(!Mjpeg::default().decode(&bytes, &mut frame));
            halved(&bytes);
        }
    }
}
