//! Test patterns: the same pictures on every machine, for every frame number.

use std::str::FromStr;

use raq_shared::frame::{Frame, FrameSize, Plane};
use raq_shared::video::{ChromaSiting, ColourRange, Fraction, FrameRate, VideoFormat};

use super::{motion::Scene, stamp};

/// Which pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// A landscape that is panned over, with things that move in it.
    #[default]
    Motion,
    /// Colour bars; only the frame number and a line move.
    Bars,
    /// Noise, new in every frame: the hardest there is.
    Noise,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "motion" => Ok(Self::Motion),
            "bars" => Ok(Self::Bars),
            "noise" => Ok(Self::Noise),
            _ => Err(format!(
                "{text:?} is no test pattern; give motion, bars or noise"
            )),
        }
    }
}

/// A pattern of some size and frame rate.
#[derive(Debug)]
pub struct Pattern {
    size: FrameSize,
    rate: FrameRate,
    drawing: Drawing,
}

#[derive(Debug)]
enum Drawing {
    Motion(Box<Scene>),
    Bars,
    Noise,
}

impl Pattern {
    /// Makes ready to draw.
    pub fn new(kind: Kind, size: FrameSize, rate: FrameRate) -> Self {
        let drawing = match kind {
            Kind::Motion => Drawing::Motion(Box::new(Scene::new(size))),
            Kind::Bars => Drawing::Bars,
            Kind::Noise => Drawing::Noise,
        };
        Self {
            size,
            rate,
            drawing,
        }
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        VideoFormat {
            width: self.size.width() as u32,
            height: self.size.height() as u32,
            frame_rate: self.rate,
            aspect: Fraction::new(1, 1),
            chroma_siting: ChromaSiting::Jpeg,
            colour_range: ColourRange::Limited,
        }
    }

    /// Draws frame `number`.
    ///
    /// # Panics
    /// When `frame` has another size.
    pub fn draw(&self, number: u32, frame: &mut Frame) {
        assert_eq!(frame.size(), self.size, "a frame of the pattern's size");
        match &self.drawing {
            Drawing::Motion(scene) => scene.draw(self.rate.time_of(number.into()), frame),
            Drawing::Bars => bars(number, frame),
            Drawing::Noise => noise(number, frame),
        }
        stamp::write(frame, number);
        frame.pad();
    }
}

/// White, yellow, cyan, green, magenta, red, blue at 75 % (ITU-R BT.601), then black.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

fn bars(number: u32, frame: &mut Frame) {
    for (index, plane) in Plane::ALL.into_iter().enumerate() {
        let (width, height) = frame.plane_size(plane);
        for y in 0..height {
            for (x, value) in frame.row_mut(plane, y).iter_mut().enumerate() {
                *value = BARS[x * BARS.len() / width][index];
            }
        }
    }
    let (_, height) = frame.plane_size(Plane::Y);
    frame
        .row_mut(Plane::Y, number as usize * 2 % height)
        .fill(235);
}

fn noise(number: u32, frame: &mut Frame) {
    // xorshift64 (Marsaglia 2003), seeded by the frame number.
    let mut state = (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for plane in Plane::ALL {
        let (_, height) = frame.plane_size(plane);
        for y in 0..height {
            for chunk in frame.row_mut(plane, y).chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Within the limited range: 16 + 0..=219.
                for (value, byte) in chunk.iter_mut().zip(state.to_le_bytes()) {
                    *value = 16 + (u16::from(byte) * 220 / 256) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(kind: Kind, width: u32, height: u32, number: u32) -> Frame {
        let size = FrameSize::new(width, height).unwrap();
        let mut frame = Frame::new(size);
        Pattern::new(kind, size, FrameRate::new(30, 1).unwrap()).draw(number, &mut frame);
        frame
    }

    #[test]
    fn every_size_can_be_drawn() {
        for kind in [Kind::Motion, Kind::Bars, Kind::Noise] {
            for (width, height) in [(1, 1), (17, 31), (2, 300), (300, 2), (640, 360)] {
                for number in [0, 1, 999_999, u32::MAX] {
                    drawn(kind, width, height, number);
                }
            }
        }
    }

    #[test]
    fn pictures_depend_on_the_number_alone() {
        for kind in [Kind::Motion, Kind::Bars, Kind::Noise] {
            assert_eq!(drawn(kind, 160, 96, 7), drawn(kind, 160, 96, 7), "{kind:?}");
            assert_ne!(drawn(kind, 160, 96, 7), drawn(kind, 160, 96, 8), "{kind:?}");
        }
    }

    #[test]
    fn the_number_can_be_read() {
        let frame = drawn(Kind::Bars, 640, 360, 407_001);
        let lit = |x: usize, y: usize| frame.row(Plane::Y, y * 5 + 2)[x * 5 + 2] == 235;
        let text: Vec<String> = (1..6)
            .map(|y| (1..24).map(|x| if lit(x, y) { '#' } else { ' ' }).collect())
            .collect();
        let expected = [
            "# # ### ### ### ###  #  ",
            "# # # #   # # # # # ##  ",
            "### # #   # # # # #  #  ",
            "  # # #  #  # # # #  #  ",
            "  # ###  #  ### ### ### ",
        ];
        for (line, expected) in text.iter().zip(expected) {
            assert_eq!(line.trim_end(), expected.trim_end());
        }
    }

    #[test]
    fn motion_moves_a_little_from_frame_to_frame() {
        use raq_shared::quality::psnr_y;
        let frame = |number| drawn(Kind::Motion, 320, 180, number);
        let next = psnr_y(&frame(30), &frame(31));
        let later = psnr_y(&frame(30), &frame(60));
        assert!(
            next > 20.0 && next > later + 3.0,
            "{next} dB, after a second {later} dB"
        );
        let spread = frame(30);
        let values = spread.row(Plane::Y, 150);
        assert!(values.iter().max().unwrap() - values.iter().min().unwrap() > 60);
    }
}
