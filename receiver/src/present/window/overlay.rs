//! Figures written over the picture.

use std::convert::Infallible;
use std::fmt::Write as _;

use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_9X15_BOLD, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::raw::RawU24;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Dimensions, DrawTarget, Drawable, Pixel, Point, RawData, Size};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use crate::figures::Figures;

/// Pixels between the text and the edge of what lies under it, and half of those to the edge of the
/// window.
const MARGIN: u32 = 8;
/// Letters that labels have, the space behind them included.
const LABEL: usize = 11;
const FAINT: Rgb888 = Rgb888::new(0xa8, 0xb4, 0xc4);
/// What an empty window says.
const WELCOME: &str = "waiting for a sender\n\no figures   s save picture   q end";

/// A picture to draw on, `[height, width]` of `0xAARRGGBB`.
struct Canvas<'a> {
    pixels: &'a mut [u32],
    size: Size,
}

impl Dimensions for Canvas<'_> {
    fn bounding_box(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(point, colour) in pixels {
            if self.bounding_box().contains(point) {
                let place = point.y as usize * self.size.width as usize + point.x as usize;
                self.pixels[place] = RawU24::from(colour).into_inner();
            }
        }
        Ok(())
    }
}

/// The overlay; its text is made anew only when the figures are.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// Lines of a label and what it has.
    text: String,
}

impl Overlay {
    /// Takes new figures.
    pub(super) fn tell(&mut self, figures: &Figures) {
        self.text.clear();
        // Writing into a text cannot fail.
        let _ = write_figures(&mut self.text, figures);
    }

    /// Draws it into the upper left corner of `[height, width]` pixels.
    pub(super) fn draw(&self, pixels: &mut [u32], (width, height): (usize, usize)) {
        let size = Size::new(width as u32, height as u32);
        let font = font(width);
        let Size {
            width: letter,
            height: line,
        } = font.character_size;
        let longest = self.text.lines().map(str::len).max().unwrap_or(0) as u32;
        let lines = self.text.lines().count() as u32;
        let corner = MARGIN / 2;
        let right = (corner + longest * letter + 2 * MARGIN).min(size.width) as usize;
        let bottom = (corner + lines * line + 2 * MARGIN).min(size.height) as usize;
        let corner = corner as usize;
        for row in pixels.chunks_exact_mut(width).take(bottom).skip(corner) {
            for pixel in row.iter_mut().take(right).skip(corner) {
                // A quarter of each colour is left.
                *pixel = (*pixel >> 2) & 0x3f_3f3f;
            }
        }
        let mut canvas = Canvas { pixels, size };
        let (faint, bright) = (
            MonoTextStyle::new(font, FAINT),
            MonoTextStyle::new(font, Rgb888::WHITE),
        );
        let mut at = Point::new_equal((corner as u32 + MARGIN) as i32);
        for text in self.text.lines() {
            let (label, value) = text.split_at(LABEL.min(text.len()));
            for (text, style) in [(label, faint), (value, bright)] {
                let drawn = Text::with_baseline(text, at, style, Baseline::Top).draw(&mut canvas);
                let Ok(_) = drawn;
                at.x += (LABEL as u32 * letter) as i32;
            }
            at.x = (corner as u32 + MARGIN) as i32;
            at.y += line as i32;
        }
    }
}

/// Says in the middle of `[height, width]` pixels that there is nothing yet, and what may be typed.
pub(super) fn welcome(pixels: &mut [u32], (width, height): (usize, usize)) {
    let size = Size::new(width as u32, height as u32);
    let style = MonoTextStyle::new(font(width), FAINT);
    let middle = TextStyleBuilder::new()
        .alignment(Alignment::Center)
        .baseline(Baseline::Middle)
        .build();
    let lines = WELCOME.lines().count() as i32;
    let above = (lines - 1) * style.font.character_size.height as i32 / 2;
    let at = Point::new(width as i32 / 2, height as i32 / 2 - above);
    let mut canvas = Canvas { pixels, size };
    let Ok(_) = Text::with_text_style(WELCOME, at, style, middle).draw(&mut canvas);
}

/// One that 40 letters of fit beside each other, if any does.
fn font(width: usize) -> &'static MonoFont<'static> {
    match width {
        0..400 => &FONT_6X10,
        400..1000 => &FONT_9X15_BOLD,
        _ => &FONT_10X20,
    }
}

fn write_figures(text: &mut String, figures: &Figures) -> std::fmt::Result {
    let Figures {
        fps,
        kbps,
        level,
        codewords,
        rtt_ms,
        delay_ms,
        loss,
        concealed,
        ..
    } = figures;
    match codewords {
        Some([least, median, _]) => writeln!(text, "codewords  {median} (least {least})")?,
        None => writeln!(text, "codewords  -")?,
    }
    match level {
        Some(level) => writeln!(text, "quality    {level} of 96")?,
        None => writeln!(text, "quality    -")?,
    }
    writeln!(text, "bitrate    {kbps:.0} kbit/s")?;
    writeln!(text, "frames     {fps:.1} per second")?;
    match delay_ms {
        Some(delay) => write!(text, "delay      +{delay:.0} ms")?,
        None => write!(text, "delay      -")?,
    }
    writeln!(text, ", round trip {rtt_ms:.0} ms")?;
    for (label, share) in [("loss       ", loss), ("concealed  ", concealed)] {
        match share {
            Some(share) => writeln!(text, "{label}{:.1} %", 100.0 * share)?,
            None => writeln!(text, "{label}-")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        Figures {
            fps: 29.96,
            kbps: 612.4,
            level: Some(38),
            codewords: Some([1024, 2048, 4096]),
            rtt_ms: 21.0,
            delay_ms: Some(7.6),
            loss: Some(0.0125),
            concealed: Some(0.0),
            ..Figures::default()
        }
    }

    #[test]
    fn the_text_has_the_figures_or_says_that_there_are_none() {
        let mut overlay = Overlay::default();
        overlay.tell(&figures());
        assert_eq!(
            overlay.text,
            "codewords  2048 (least 1024)\nquality    38 of 96\nbitrate    612 kbit/s\n\
             frames     30.0 per second\ndelay      +8 ms, round trip 21 ms\nloss       1.2 %\n\
             concealed  0.0 %\n"
        );
        overlay.tell(&Figures::default());
        assert_eq!(
            overlay.text,
            "codewords  -\nquality    -\nbitrate    0 kbit/s\nframes     0.0 per second\n\
             delay      -, round trip 0 ms\nloss       -\nconcealed  -\n"
        );
    }

    #[test]
    fn it_fits_pictures_of_any_size_and_stays_in_its_corner() {
        let mut overlay = Overlay::default();
        overlay.tell(&figures());
        for (width, height) in [
            (1, 1),
            (3, 200),
            (200, 3),
            (64, 48),
            (640, 360),
            (1920, 1080),
        ] {
            let mut pixels = vec![0x80_8080; width * height];
            welcome(&mut pixels, (width, height));
            pixels.fill(0x80_8080);
            overlay.draw(&mut pixels, (width, height));
            if width >= 640 {
                let count = |colour| pixels.iter().filter(|&&pixel| pixel == colour).count();
                assert!(count(0xff_ffff) > 500 && count(0x20_2020) > 5000);
                assert!(count(0x80_8080) > pixels.len() / 2);
                assert_eq!(pixels[width * height - 1], 0x80_8080);
            }
        }
    }
}
