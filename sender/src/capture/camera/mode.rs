//! What a camera can do, and which of it comes nearest to what is wanted.

use linuxvideo::format::{FrameIntervals, FrameSizes, PixelFormat};
use linuxvideo::{BufType, Device, Fract};
use raq_shared::frame::FrameSize;
use raq_shared::video::FrameRate;

use super::pixels::Pixels;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Size of the pictures.
    pub size: FrameSize,
    /// Pictures per second.
    pub rate: FrameRate,
    /// Their format; none for the one that loses least.
    pub pixels: Option<Pixels>,
}

/// A pixel format in one size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mode {
    pub(super) pixels: Pixels,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// Its frame rates, or of a range the one that is nearest to what is wanted; none where the
    /// camera does not say.
    pub(super) rates: Vec<FrameRate>,
}

impl Mode {
    /// The frame rate nearest to `wanted`.
    pub(super) fn rate(&self, wanted: FrameRate) -> Option<FrameRate> {
        let distance = |rate: &FrameRate| (rate.as_f64() / wanted.as_f64()).ln().abs();
        let nearest = |a: &FrameRate, b: &FrameRate| distance(a).total_cmp(&distance(b));
        self.rates.iter().copied().min_by(nearest)
    }
}

/// The mode nearest to `wanted`: first by size, then by rate as far as one sees it, then the format
/// that loses least. None where there is none.
pub(super) fn nearest(modes: &[Mode], wanted: Wanted) -> Option<&Mode> {
    let (width, height) = (wanted.size.width() as u32, wanted.size.height() as u32);
    modes.iter().min_by_key(|mode| {
        let size = mode.size.0.abs_diff(width) + mode.size.1.abs_diff(height);
        // Steps of 5 %: 29.97 is no worse than 30. Cameras that say nothing have the rate.
        let off = mode.rate(wanted.rate).map_or(0.0, |rate| {
            (rate.as_f64() / wanted.rate.as_f64()).ln().abs() / 0.05
        });
        (size, off.round() as u32, mode.pixels)
    })
}

/// All modes of a camera that can be taken; of ranges what is nearest to `wanted`.
pub(super) fn modes(device: &Device, wanted: Wanted) -> Vec<Mode> {
    let (width, height) = (wanted.size.width() as u32, wanted.size.height() as u32);
    let given = formats(device);
    let mut modes = Vec::new();
    for pixels in Pixels::ALL {
        let taken = wanted.pixels.is_none_or(|only| only == pixels);
        if !taken || !given.contains(&pixels.code()) {
            continue;
        }
        let sizes = match device.frame_sizes(pixels.code()) {
            Ok(FrameSizes::Discrete(sizes)) => {
                let sizes = sizes.iter().map(|size| (size.width(), size.height()));
                sizes.collect()
            }
            Ok(FrameSizes::Stepwise(steps) | FrameSizes::Continuous(steps)) => {
                let across = (steps.min_width(), steps.max_width(), steps.step_width());
                let down = (steps.min_height(), steps.max_height(), steps.step_height());
                vec![(step(width, across), step(height, down))]
            }
            // The camera says when it is asked for one.
            Err(_) => vec![(width, height)],
        };
        modes.extend(sizes.into_iter().map(|size| Mode {
            pixels,
            size,
            rates: rates(device, pixels.code(), size, Some(wanted.rate)),
        }));
    }
    modes
}

/// The codes of all its pixel formats.
pub(super) fn formats(device: &Device) -> Vec<PixelFormat> {
    let formats = device.formats(BufType::VIDEO_CAPTURE);
    let formats = formats.map_while(Result::ok);
    formats.map(|format| format.pixel_format()).collect()
}

/// The frame rates of a size, fast ones first. Of a range the one nearest to `wanted`, or its two
/// ends.
pub(super) fn rates(
    device: &Device,
    pixels: PixelFormat,
    (width, height): (u32, u32),
    wanted: Option<FrameRate>,
) -> Vec<FrameRate> {
    let mut rates: Vec<_> = match device.frame_intervals(pixels, width, height) {
        Ok(FrameIntervals::Discrete(intervals)) => {
            let rates = intervals.iter().map(|interval| rate(*interval.fract()));
            rates.collect()
        }
        Ok(FrameIntervals::Stepwise(range) | FrameIntervals::Continuous(range)) => {
            let ends = [rate(*range.min()), rate(*range.max())];
            let [Some(fast), Some(slow)] = ends else {
                return Vec::new();
            };
            match wanted {
                Some(wanted) if wanted.as_f64() > fast.as_f64() => vec![Some(fast)],
                Some(wanted) if wanted.as_f64() < slow.as_f64() => vec![Some(slow)],
                Some(wanted) => vec![Some(wanted)],
                None => ends.to_vec(),
            }
        }
        Err(_) => Vec::new(),
    };
    rates.sort_by(|a, b| {
        let value = |rate: &Option<FrameRate>| rate.map_or(0.0, FrameRate::as_f64);
        value(b).total_cmp(&value(a))
    });
    rates.into_iter().flatten().collect()
}

/// The rate with this time from picture to picture; none where that cannot be.
pub(super) fn rate(interval: Fract) -> Option<FrameRate> {
    FrameRate::new(interval.denominator(), interval.numerator()).ok()
}

/// The step nearest to `wanted` of a range, given as its ends and the step.
fn step(wanted: u32, (least, most, step): (u32, u32, u32)) -> u32 {
    let step = step.max(1);
    let most = most.max(least);
    let above = wanted.clamp(least, most) - least;
    let steps = (above.saturating_add(step / 2) / step).min((most - least) / step);
    least + steps * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(pixels: Pixels, width: u32, height: u32, rates: &[u32]) -> Mode {
        let rates = rates.iter().map(|&rate| FrameRate::new(rate, 1).unwrap());
        Mode {
            pixels,
            size: (width, height),
            rates: rates.collect(),
        }
    }

    fn chosen(modes: &[Mode], size: &str, rate: &str) -> (Pixels, (u32, u32), f64) {
        let wanted = Wanted {
            size: size.parse().unwrap(),
            rate: rate.parse().unwrap(),
            pixels: None,
        };
        let mode = nearest(modes, wanted).unwrap();
        let rate = mode.rate(wanted.rate).map_or(f64::NAN, FrameRate::as_f64);
        (mode.pixels, mode.size, rate)
    }

    /// A usual webcam: what is large is fast only when compressed.
    fn webcam() -> Vec<Mode> {
        vec![
            mode(Pixels::MotionJpeg, 1280, 720, &[30]),
            mode(Pixels::MotionJpeg, 640, 480, &[30, 15]),
            mode(Pixels::Packed, 1280, 720, &[10, 5]),
            mode(Pixels::Packed, 640, 480, &[30, 15]),
            mode(Pixels::Packed, 320, 240, &[30]),
        ]
    }

    #[test]
    fn size_counts_before_rate_before_format() {
        use Pixels::{MotionJpeg, Packed};
        let webcam = webcam();
        for (size, rate, expected) in [
            ("640x480", "30", (Packed, (640, 480), 30.0)),
            ("640x480", "29.97", (Packed, (640, 480), 30.0)),
            ("640x360", "16", (Packed, (640, 480), 15.0)),
            ("1280x720", "30", (MotionJpeg, (1280, 720), 30.0)),
            ("1280x720", "10", (Packed, (1280, 720), 10.0)),
            ("8192x4096", "1000", (MotionJpeg, (1280, 720), 30.0)),
            ("1x1", "0.1", (Packed, (320, 240), 30.0)),
        ] {
            assert_eq!(chosen(&webcam, size, rate), expected, "{size} at {rate}");
        }
    }

    #[test]
    fn a_camera_that_says_no_rates_is_asked() {
        let modes = [
            mode(Pixels::Packed, 640, 480, &[5]),
            mode(Pixels::Jpeg, 640, 480, &[]),
        ];
        let (pixels, _, rate) = chosen(&modes, "640x480", "30");
        assert!(pixels == Pixels::Jpeg && rate.is_nan());
        let wanted = Wanted {
            size: FrameSize::new(1, 1).unwrap(),
            rate: FrameRate::new(1, 1).unwrap(),
            pixels: None,
        };
        assert_eq!(nearest(&[], wanted), None);
    }

    #[test]
    fn ranges_give_the_nearest_step() {
        for (wanted, range, expected) in [
            (640, (2, 1920, 2), 640),
            (641, (16, 1920, 16), 640),
            (1, (48, 1920, 16), 48),
            (5000, (48, 1000, 16), 992),
            (700, (0, 0, 0), 0),
            (u32::MAX, (1, u32::MAX, 1), u32::MAX),
            (7, (9, 3, 0), 9),
        ] {
            assert_eq!(step(wanted, range), expected, "{wanted} in {range:?}");
        }
    }
}
