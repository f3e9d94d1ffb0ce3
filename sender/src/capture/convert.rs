//! Uncompressed pictures of cameras, as planar 4:2:0.

use std::array;

use raq_shared::frame::{Frame, Plane};
use yuv::{BufferStoreMut, YuvPackedImage, YuvPlanarImageMut, yuyv422_to_yuv422};

/// Packed 4:2:2 (`YUYV`) to 4:2:0. The library could do it in one step, but takes the colours of
/// every other row as they are; here those of two rows are averaged, as ffmpeg does.
#[derive(Debug, Default)]
pub(crate) struct Yuyv {
    /// U and V of every row, width/2 bytes each.
    chroma: [Vec<u8>; 2],
}

impl Yuyv {
    /// Converts a picture with `stride` bytes per row; false where there are too few bytes.
    pub(crate) fn convert(&mut self, bytes: &[u8], stride: usize, frame: &mut Frame) -> bool {
        let size = frame.size();
        let (width, height) = (size.width(), size.height());
        let half = size.chroma_width();
        if stride < half * 4 || bytes.len() / height < stride {
            return false;
        }
        for plane in &mut self.chroma {
            plane.resize(half * height, 0);
        }
        let [u, v] = &mut self.chroma;
        let (luma, _) = frame.tensors_mut();
        let mut planar = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(luma),
            y_stride: size.padded_width() as u32,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: half as u32,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: half as u32,
            width: width as u32,
            height: height as u32,
        };
        let packed = YuvPackedImage {
            yuy: &bytes[..stride * height],
            yuy_stride: stride as u32,
            width: width as u32,
            height: height as u32,
        };
        if yuyv422_to_yuv422(&mut planar, &packed).is_err() {
            return false;
        }
        for (rows, plane) in self.chroma.iter().zip([Plane::U, Plane::V]) {
            for (y, pair) in rows.chunks(2 * half).enumerate() {
                // The last row of an odd height stands alone.
                let (above, below) = pair.split_at(half);
                let below = if below.is_empty() { above } else { below };
                let sums = above.iter().zip(below);
                let averages = sums.map(|(a, b)| (u16::from(*a) + u16::from(*b)).div_ceil(2) as u8);
                for (value, average) in frame.row_mut(plane, y).iter_mut().zip(averages) {
                    *value = average;
                }
            }
        }
        frame.pad();
        true
    }
}

/// Takes 4:2:0 with U and V side by side (`NV12`), `stride` bytes per row of either; false where
/// there are too few bytes.
pub(crate) fn nv12(bytes: &[u8], stride: usize, frame: &mut Frame) -> bool {
    let size = frame.size();
    let (half, below) = (size.chroma_width(), size.chroma_height());
    let Some((luma, chroma)) = bytes.split_at_checked(stride * size.height()) else {
        return false;
    };
    if stride < 2 * half || chroma.len() / below < stride {
        return false;
    }
    rows(luma, stride, Plane::Y, frame);
    for (y, row) in chroma.chunks_exact(stride).take(below).enumerate() {
        for (channel, plane) in [Plane::U, Plane::V].into_iter().enumerate() {
            let samples = row[channel..].iter().step_by(2);
            for (value, sample) in frame.row_mut(plane, y).iter_mut().zip(samples) {
                *value = *sample;
            }
        }
    }
    frame.pad();
    true
}

/// Takes planar 4:2:0 (`YU12`), `stride` bytes per row of Y and half of that, rounded up, of U and V;
/// false where there are too few bytes.
pub(crate) fn yu12(bytes: &[u8], stride: usize, frame: &mut Frame) -> bool {
    let size = frame.size();
    let (height, below) = (size.height(), size.chroma_height());
    let half = stride.div_ceil(2);
    let lengths = [stride * height, half * below, half * below];
    if stride < size.width() || bytes.len() < lengths.iter().sum() {
        return false;
    }
    let mut rest = bytes;
    let [y, u, v] = array::from_fn(|i| {
        let (plane, after) = rest.split_at(lengths[i]);
        rest = after;
        plane
    });
    rows(y, stride, Plane::Y, frame);
    rows(u, half, Plane::U, frame);
    rows(v, half, Plane::V, frame);
    frame.pad();
    true
}

/// Copies a plane whose rows are `stride` bytes apart.
fn rows(bytes: &[u8], stride: usize, plane: Plane, frame: &mut Frame) {
    let (width, height) = frame.plane_size(plane);
    for (y, row) in bytes.chunks_exact(stride).take(height).enumerate() {
        frame.row_mut(plane, y).copy_from_slice(&row[..width]);
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::frame::FrameSize;

    use super::*;

    fn frame(width: u32, height: u32) -> Frame {
        Frame::new(FrameSize::new(width, height).unwrap())
    }

    #[test]
    fn yuyv_becomes_planar() {
        let mut frame = frame(4, 2);
        // Rows of 4 pixels with 2 bytes of filling after each.
        let bytes = [
            10, 100, 20, 200, 30, 110, 40, 210, 0, 0, //
            50, 120, 60, 220, 70, 130, 80, 230, 0, 0,
        ];
        let mut yuyv = Yuyv::default();
        assert!(yuyv.convert(&bytes, 10, &mut frame));
        assert_eq!(frame.row(Plane::Y, 0), [10, 20, 30, 40]);
        assert_eq!(frame.row(Plane::Y, 1), [50, 60, 70, 80]);
        assert_eq!(frame.row(Plane::U, 0), [110, 120]);
        assert_eq!(frame.row(Plane::V, 0), [210, 220]);
        assert_eq!(frame.luma_tensor()[31], 40, "padded");
        assert!(!yuyv.convert(&bytes[..19], 10, &mut frame), "cut off");
        assert!(!yuyv.convert(&bytes, 7, &mut frame), "rows too short");
    }

    #[test]
    fn nv12_becomes_planar() {
        let mut frame = frame(4, 2);
        let bytes = [
            1, 2, 3, 4, 0, 0, //
            5, 6, 7, 8, 0, 0, //
            100, 200, 110, 210, 0, 0,
        ];
        assert!(nv12(&bytes, 6, &mut frame));
        assert_eq!(frame.row(Plane::Y, 1), [5, 6, 7, 8]);
        assert_eq!(frame.row(Plane::U, 0), [100, 110]);
        assert_eq!(frame.row(Plane::V, 0), [200, 210]);
        for short in [0, 5, 12, 17] {
            assert!(!nv12(&bytes[..short], 6, &mut frame), "{short} bytes");
        }
        assert!(!nv12(&bytes, 3, &mut frame), "rows too short");
    }

    #[test]
    fn planar_is_taken_as_it_is() {
        let mut frame = frame(3, 3);
        let bytes = [
            1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, //
            10, 11, 12, 13, 20, 21, 22, 23,
        ];
        assert!(yu12(&bytes, 4, &mut frame));
        assert_eq!(frame.row(Plane::Y, 2), [7, 8, 9]);
        assert_eq!(frame.row(Plane::U, 1), [12, 13]);
        assert_eq!(frame.row(Plane::V, 1), [22, 23]);
        assert!(!yu12(&bytes[..19], 4, &mut frame), "cut off");
        assert!(!yu12(&bytes, 2, &mut frame), "rows too short");
    }
}
