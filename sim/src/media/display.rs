//! The pictures at the receiving end.

use std::{collections::VecDeque, sync::Arc};

use raq_shared::{
    exit::{Exit, Failure},
    frame::Frame,
    quality::{psnr_y, ssim_y},
};

use super::{Quality, film::Film};
use crate::rd::picture;

/// What is on the screen and what comes onto it, with the originals to hold them beside.
#[derive(Debug)]
pub struct Display {
    film: Arc<Film>,
    /// In order of their numbers.
    coming: VecDeque<Picture>,
    shown: Option<Picture>,
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
            coming: VecDeque::new(),
            shown: None,
        }
    }

    /// Frame `number` was decoded; how close it comes to its original. Numbers rise.
    pub fn decoded(&mut self, number: u32, frame: Frame) -> Quality {
        let quality = compare(&frame, self.film.frame(number));
        self.coming.push_back(Picture {
            number,
            frame,
            quality,
        });
        quality
    }

    /// Frame `number`, decoded before, comes onto the screen.
    pub fn show(&mut self, number: u32) {
        let gone = self.coming.partition_point(|it| it.number <= number);
        if let Some(newest) = self.coming.drain(..gone).next_back() {
            self.shown = Some(newest);
        }
    }

    /// What is on the screen against source frame `due`; none while it is dark.
    pub fn against(&self, due: u32) -> Option<Quality> {
        let shown = self.shown.as_ref()?;
        // Comparing takes longer than anything else here.
        if self.film.index(due) == self.film.index(shown.number) {
            return Some(shown.quality);
        }
        Some(compare(&shown.frame, self.film.frame(due)))
    }

    /// What is on the screen as a PNG file; none while it is dark.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn png(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(shown) = &self.shown else {
            return Ok(None);
        };
        let png = picture::encode(&shown.frame, &self.film.format()).map_err(|error| {
            let text = format_args!("cannot make a picture: {error}; please report this");
            Failure::new(Exit::Failure, text)
        })?;
        Ok(Some(png))
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
        assert!(display.png().unwrap().is_none());
        for number in [1, 2, 9] {
            let own = display.decoded(number, film.frame(number).clone());
            assert_eq!(own.psnr_y_db, f64::INFINITY);
        }
        assert_eq!(display.against(1), None, "not shown yet");
        display.show(2);
        let psnr = |due| display.against(due).unwrap().psnr_y_db;
        // One and three levels off.
        assert_eq!(psnr(2), f64::INFINITY);
        assert!((psnr(3) - 48.13).abs() < 0.01 && (psnr(5) - 38.59).abs() < 0.01);
        // On its way back the clip is at frame 2 again.
        assert_eq!(psnr(8), f64::INFINITY);
        display.show(9);
        assert_eq!(display.against(1).unwrap().psnr_y_db, f64::INFINITY);
        assert!(display.png().unwrap().unwrap().starts_with(b"\x89PNG"));
    }
}
