//! A folder of pictures.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};
use raq_shared::colours::Colours;
use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, Plane};
use time::OffsetDateTime;

use super::pixels;
use super::telling::unwritable;

/// Where pictures are put, each in a file of its own that is there only when it is whole.
#[derive(Debug)]
pub(super) struct Album {
    folder: PathBuf,
    bytes: Vec<u8>,
}

impl Album {
    /// One in `folder`, which is made when the first picture comes.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            bytes: Vec::new(),
        }
    }

    /// Makes the folder, so that what hinders is known beforehand.
    ///
    /// # Errors
    /// [`Failure`] where that is not possible.
    pub(super) fn make(&self) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(|error| self.failure(error))
    }

    /// Saves a frame as a PNG named after the time of day (UTC); gives its path.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub(super) fn save(
        &mut self,
        frame: &Frame,
        colours: Colours,
        taken: OffsetDateTime,
    ) -> Result<PathBuf, Failure> {
        let converted = colours.rgb(frame, &mut self.bytes);
        converted.map_err(pixels::failure)?;
        let (width, height) = frame.plane_size(Plane::Y);
        let (year, month, day) = taken.to_calendar_date();
        let (hour, minute, second, milli) = taken.to_hms_milli();
        let name = format!(
            "raq-{year:04}{:02}{day:02}-{hour:02}{minute:02}{second:02}.{milli:03}.png",
            u8::from(month)
        );
        let path = self.folder.join(&name);
        let unfinished = self.folder.join(format!(".{name}.part"));
        let written = self
            .make()
            .map(|()| self.write(&unfinished, (width as u32, height as u32)))?
            .and_then(|()| fs::rename(&unfinished, &path));
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                Err(self.failure(error))
            }
        }
    }

    fn write(&self, path: &Path, (width, height): (u32, u32)) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut encoder = Encoder::new(&mut file, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header().map_err(plain)?;
        writer.write_image_data(&self.bytes).map_err(plain)?;
        writer.finish().map_err(plain)?;
        file.flush()
    }

    fn failure(&self, error: io::Error) -> Failure {
        let folder = self.folder.display();
        let text = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!(
                "cannot save a picture in {folder}: {error}; free space or choose another --snapshot"
            ),
            _ => format!("cannot save a picture in {folder}: {error}; choose another --snapshot"),
        };
        Failure::new(Exit::Failure, text).telling(unwritable(&error))
    }
}

/// As the system says it: the conversion that png has hides a full disk.
fn plain(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use raq_shared::frame::FrameSize;
    use raq_shared::video::{ColourRange, VideoFormat};
    use time::{Date, Month, Time};

    use super::super::stage::sample;
    use super::*;

    fn taken() -> OffsetDateTime {
        let date = Date::from_calendar_date(2026, Month::March, 4).unwrap();
        OffsetDateTime::new_utc(date, Time::from_hms_milli(5, 6, 7, 89).unwrap())
    }

    fn colours() -> Colours {
        Colours::of(&VideoFormat {
            colour_range: ColourRange::Full,
            ..sample::format()
        })
    }

    #[test]
    fn a_picture_is_named_after_its_time_and_holds_the_frame() {
        let dir = tempfile::tempdir().unwrap();
        let mut frame = Frame::new(FrameSize::new(5, 3).unwrap());
        frame.fill([&[77; 15], &[128; 6], &[128; 6]]);
        let folder = dir.path().join("not/yet");
        let mut album = Album::new(&folder);
        let path = album.save(&frame, colours(), taken()).unwrap();
        assert_eq!(path, folder.join("raq-20260304-050607.089.png"));
        let file = BufReader::new(File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (5, 3));
        assert_eq!(pixels, [77; 45]);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let mut album = Album::new(&file.join("folder"));
        let frame = sample::frame();
        let failure = album.save(&frame, colours(), taken()).unwrap_err();
        assert!(failure.message.contains("--snapshot"), "{failure}");
    }
}
