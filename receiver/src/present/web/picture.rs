//! A picture as the page takes it.

use bytes::{BufMut, Bytes, BytesMut};
use raq_shared::frame::Plane;
use raq_shared::video::ColourRange;

use super::Newest;

/// Bytes before the samples.
const HEADER: usize = 12;
const FULL_RANGE: u8 = 1;
const BT709: u8 = 2;

/// `[number u32, width u16, height u16, flags u8, 3 bytes 0]`, little-endian, then Y, U and V,
/// visible samples only. Flags: 1 full range, 2 BT.709 rather than BT.601, which files do not
/// say: as players do, from 720 lines up. `buffer` is used again once earlier pictures are sent.
pub(super) fn message(newest: &Newest, buffer: &mut BytesMut) -> Bytes {
    let Newest {
        number,
        range,
        frame,
    } = newest;
    let (width, height) = frame.plane_size(Plane::Y);
    let samples: usize = Plane::ALL
        .iter()
        .map(|&plane| {
            let (width, height) = frame.plane_size(plane);
            width * height
        })
        .sum();
    buffer.reserve(HEADER + samples);
    buffer.put_u32_le(*number);
    buffer.put_u16_le(width as u16);
    buffer.put_u16_le(height as u16);
    let range = if *range == ColourRange::Full {
        FULL_RANGE
    } else {
        0
    };
    let matrix = if height < 720 { 0 } else { BT709 };
    buffer.put_u8(range | matrix);
    buffer.put_bytes(0, 3);
    for plane in Plane::ALL {
        let (_, rows) = frame.plane_size(plane);
        for y in 0..rows {
            buffer.put_slice(frame.row(plane, y));
        }
    }
    buffer.split().freeze()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raq_shared::frame::{Frame, FrameSize};

    use super::*;

    fn newest(number: u32, frame: Frame, range: ColourRange) -> Newest {
        Newest {
            number,
            range,
            frame: Arc::new(frame),
        }
    }

    #[test]
    fn a_picture_is_a_header_and_its_visible_samples() {
        let mut frame = Frame::new(FrameSize::new(5, 3).unwrap());
        let [y, u, v] = [vec![1; 15], vec![2; 6], vec![3; 6]];
        frame.fill([&y, &u, &v]);
        let mut buffer = BytesMut::new();
        let sent = message(&newest(0x0102, frame, ColourRange::Full), &mut buffer);
        assert_eq!(sent[..HEADER], [2, 1, 0, 0, 5, 0, 3, 0, 1, 0, 0, 0]);
        assert_eq!(sent[HEADER..], [y, u, v].concat());
        let large = Frame::new(FrameSize::new(16, 720).unwrap());
        let large = newest(0, large, ColourRange::Unspecified);
        assert_eq!(message(&large, &mut buffer)[8], BT709);
    }

    #[test]
    fn the_memory_of_sent_pictures_is_used_again() {
        let frame = Frame::new(FrameSize::new(64, 64).unwrap());
        let newest = newest(0, frame, ColourRange::Full);
        let mut buffer = BytesMut::new();
        let mut send = || message(&newest, &mut buffer).as_ptr();
        let first = send();
        let places = [first, send(), send(), send()];
        assert!(places.iter().all(|&place| place == first), "{places:?}");
    }
}
