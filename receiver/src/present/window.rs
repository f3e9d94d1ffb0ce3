//! A plain window.

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, Plane};
use raq_shared::video::{ColourRange, VideoFormat};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_bgra};

const TITLE: &str = "raq-recv";
/// Size before the first session, and the largest a window opens with; the user may resize it.
const WAITING: (usize, usize) = (640, 360);
const LARGEST: (usize, usize) = (1280, 720);

/// The window and the pictures on their way into it.
pub(super) struct Window {
    window: minifb::Window,
    range: YuvRange,
    bytes: Vec<u8>,
    pixels: Vec<u32>,
    size: (usize, usize),
}

impl Window {
    /// Opens an empty window.
    pub(super) fn open() -> Result<Self, Failure> {
        Ok(Self {
            window: new_window(&format!("{TITLE}: waiting"), WAITING)?,
            range: YuvRange::Limited,
            bytes: Vec::new(),
            pixels: Vec::new(),
            size: (0, 0),
        })
    }

    /// Opens it anew in the size of the frames to come.
    pub(super) fn begin(&mut self, format: VideoFormat) -> Result<(), Failure> {
        let (width, height) = (format.width as usize, format.height as usize);
        self.range = match format.colour_range {
            ColourRange::Full => YuvRange::Full,
            _ => YuvRange::Limited,
        };
        if self.size != (width, height) {
            let scale = (LARGEST.0 as f64 / width as f64)
                .min(LARGEST.1 as f64 / height as f64)
                .min(1.0);
            // Tiny video gets a window that can be grabbed.
            let side = |pixels: usize| ((pixels as f64 * scale) as usize).max(64);
            let title = format!("{TITLE}: {width}x{height}");
            self.window = new_window(&title, (side(width), side(height)))?;
            self.size = (width, height);
        }
        Ok(())
    }

    /// Shows a frame.
    pub(super) fn show(&mut self, frame: &Frame) -> Result<(), Failure> {
        convert(frame, self.range, &mut self.bytes, &mut self.pixels)
            .and_then(|()| {
                let (width, height) = (frame.size().width(), frame.size().height());
                self.window
                    .update_with_buffer(&self.pixels, width, height)
                    .map_err(|e| e.to_string())
            })
            .map_err(|e| {
                Failure::new(
                    Exit::Failure,
                    format_args!("cannot show a frame: {e}; choose --output FILE.y4m, - or null"),
                )
            })
    }

    /// Looks after the window; false when the user closed it.
    pub(super) fn update(&mut self) -> bool {
        self.window.update();
        self.window.is_open() && !self.window.is_key_down(minifb::Key::Escape)
    }
}

fn new_window(title: &str, (width, height): (usize, usize)) -> Result<minifb::Window, Failure> {
    let options = minifb::WindowOptions {
        resize: true,
        scale_mode: minifb::ScaleMode::AspectRatioStretch,
        ..Default::default()
    };
    let mut window = minifb::Window::new(title, width, height, options).map_err(|e| {
        Failure::new(
            Exit::Device,
            format_args!("cannot open a window: {e}; choose --output FILE.y4m, - or null"),
        )
    })?;
    // The sender sets the pace.
    window.set_target_fps(0);
    Ok(window)
}

/// 4:2:0 to `0xAARRGGBB`. Files do not say which matrix they use; as players do, BT.709 from 720
/// lines up and BT.601 below.
fn convert(
    frame: &Frame,
    range: YuvRange,
    bytes: &mut Vec<u8>,
    pixels: &mut Vec<u32>,
) -> Result<(), String> {
    let (width, height) = frame.plane_size(Plane::Y);
    let stride = frame.size().padded_width() as u32;
    let (u_plane, v_plane) = frame
        .chroma_tensor()
        .split_at(frame.chroma_tensor().len() / 2);
    let image = YuvPlanarImage {
        y_plane: frame.luma_tensor(),
        y_stride: stride,
        u_plane,
        u_stride: stride / 2,
        v_plane,
        v_stride: stride / 2,
        width: width as u32,
        height: height as u32,
    };
    let matrix = if height < 720 {
        YuvStandardMatrix::Bt601
    } else {
        YuvStandardMatrix::Bt709
    };
    bytes.resize(width * height * 4, 0);
    yuv420_to_bgra(&image, bytes, (width * 4) as u32, range, matrix).map_err(|e| e.to_string())?;
    pixels.clear();
    pixels.extend(
        bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&bgra| u32::from_le_bytes(bgra)),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use raq_shared::frame::FrameSize;

    use super::*;

    fn pixel(range: YuvRange, size: (u32, u32), [y, u, v]: [u8; 3]) -> u32 {
        let size = FrameSize::new(size.0, size.1).unwrap();
        let mut frame = Frame::new(size);
        let luma = vec![y; size.width() * size.height()];
        let chroma = size.chroma_width() * size.chroma_height();
        frame.fill([&luma, &vec![u; chroma], &vec![v; chroma]]);
        let (mut bytes, mut pixels) = (Vec::new(), Vec::new());
        convert(&frame, range, &mut bytes, &mut pixels).unwrap();
        assert_eq!(pixels.len(), luma.len());
        assert!(pixels.iter().all(|&pixel| pixel == pixels[0]));
        pixels[0] & 0xff_ffff
    }

    #[test]
    fn colours_are_right_in_both_ranges_and_odd_sizes() {
        for size in [(1, 1), (17, 31), (64, 64)] {
            assert_eq!(pixel(YuvRange::Limited, size, [235, 128, 128]), 0xff_ffff);
            assert_eq!(pixel(YuvRange::Limited, size, [16, 128, 128]), 0);
            assert_eq!(pixel(YuvRange::Full, size, [255, 128, 128]), 0xff_ffff);
            assert_eq!(pixel(YuvRange::Full, size, [16, 128, 128]), 0x10_1010);
        }
        // Pure red in BT.601, limited range: Y 81, U 90, V 240.
        let red = pixel(YuvRange::Limited, (16, 16), [81, 90, 240]).to_be_bytes();
        assert!(red[1] > 250 && red[2] < 5 && red[3] < 5, "{red:?}");
    }
}
