//! The pictures at the receiving end.
//!
//! They are judged as a viewer sees them for whom every frame comes onto the screen at its playout
//! deadline, and not earlier: what was fast would otherwise be held beside a frame that lies behind.

use std::{collections::VecDeque, sync::Arc};

use raq_shared::{
    exit::{Exit, Failure},
    frame::Frame,
    quality::{psnr_y, ssim_y},
};

use super::{Quality, film::Film};
use crate::rd::picture;

/// Decoded pictures until their playout deadlines, with the originals to hold them beside.
#[derive(Debug)]
pub struct Display {
    film: Arc<Film>,
    /// In order of their numbers.
    pictures: VecDeque<Picture>,
    /// Those at the front that came onto the screen.
    shown: usize,
}

#[derive(Debug)]
struct Picture {
    number: u32,
    frame: Frame,
    /// Against its own original.
    quality: Quality,
}

impl Display {
    /// A dark one.
    pub fn new(film: Arc<Film>) -> Self {
        Self {
            film,
            pictures: VecDeque::new(),
            shown: 0,
        }
    }

    /// Frame `number` was decoded; how close it comes to its original. Numbers rise.
    pub fn decoded(&mut self, number: u32, frame: Frame) -> Quality {
        let quality = compare(&frame, self.film.frame(number));
        self.pictures.push_back(Picture {
            number,
            frame,
            quality,
        });
        quality
    }

    /// Frame `number`, decoded before, comes onto the screen.
    pub fn show(&mut self, number: u32) {
        self.shown = self.pictures.partition_point(|it| it.number <= number);
    }

    /// What the viewer sees when `due` is due against source frame `due`; none while it is dark.
    /// `due` rises.
    pub fn against(&mut self, due: u32) -> Option<Quality> {
        let film = Arc::clone(&self.film);
        let seen = self.seen(due)?;
        // Comparing takes longer than anything else here.
        if film.index(due) == film.index(seen.number) {
            return Some(seen.quality);
        }
        Some(compare(&seen.frame, film.frame(due)))
    }

    /// What the viewer sees when `due` is due, as a PNG file; none while it is dark.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn png(&mut self, due: u32) -> Result<Option<Vec<u8>>, Failure> {
        let format = self.film.format();
        let Some(seen) = self.seen(due) else {
            return Ok(None);
        };
        let png = picture::encode(&seen.frame, &format).map_err(|error| {
            let text = format_args!("cannot make a picture: {error}; please report this");
            Failure::new(Exit::Failure, text)
        })?;
        Ok(Some(png))
    }

    /// The newest picture that is on the screen and no newer than `due`.
    fn seen(&mut self, due: u32) -> Option<&Picture> {
        let shown = self.pictures.iter().take(self.shown);
        let older = shown
            .take_while(|it| it.number <= due)
            .count()
            .saturating_sub(1);
        self.pictures.drain(..older);
        self.shown -= older;
        let oldest = self.pictures.front().filter(|_| self.shown > 0);
        oldest.filter(|it| it.number <= due)
    }
}

fn compare(picture: &Frame, original: &Frame) -> Quality {
    Quality {
        psnr_y_db: psnr_y(picture, original),
        // Pictures too small for it have none; records leave out what is no number.
        ssim: ssim_y(picture, original).unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::super::film::tests::film;
    use super::*;

    #[test]
    fn what_is_on_the_screen_is_held_beside_what_is_due() {
        let film = Arc::new(film(6));
        let mut display = Display::new(Arc::clone(&film));
        assert_eq!(display.against(0), None);
        assert!(display.png(0).unwrap().is_none());
        for number in [1, 2, 9] {
            let own = display.decoded(number, film.frame(number).clone());
            assert_eq!(own.psnr_y_db, f64::INFINITY);
        }
        assert_eq!(display.against(1), None, "not shown yet");
        display.show(2);
        assert_eq!(display.against(0), None, "nothing that old");
        let mut psnr = |due| display.against(due).unwrap().psnr_y_db;
        // What is too early waits for its deadline.
        assert_eq!([psnr(1), psnr(2)], [f64::INFINITY; 2]);
        // One and three levels off.
        assert!((psnr(3) - 48.13).abs() < 0.01 && (psnr(5) - 38.59).abs() < 0.01);
        // On its way back the clip is at frame 2 again.
        assert_eq!(psnr(8), f64::INFINITY);
        display.show(9);
        assert!(display.png(9).unwrap().unwrap().starts_with(b"\x89PNG"));
        assert_eq!(display.against(11).unwrap().psnr_y_db, f64::INFINITY);
        assert_eq!(display.pictures.len(), 1);
    }
}
