//! A video file, or a y4m stream on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use raq_shared::y4m::{self, Reader};

use super::ffmpeg::Ffmpeg;

/// Y4m from wherever.
type Pictures = Reader<Box<dyn Read + Send>>;

/// A video, read frame by frame: y4m as it is, everything else through ffmpeg.
pub struct Clip {
    name: String,
    reader: Pictures,
    ffmpeg: Option<Ffmpeg>,
}

impl Clip {
    /// Opens a file, or standard input for `-`, and reads the header.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be opened or is no video that can be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let name = "standard input".to_owned();
            let reader = Reader::new(Box::new(io::stdin()) as Box<dyn Read + Send>);
            let reader = reader.map_err(|error| failure(&name, &error))?;
            return Ok(Self {
                name,
                reader,
                ffmpeg: None,
            });
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| {
            let text = format_args!("cannot open {name}: {e}; give --input a readable file");
            Failure::new(Exit::Failure, text)
        })?;
        let (reader, ffmpeg) = match Reader::new(Box::new(file) as Box<dyn Read + Send>) {
            Ok(reader) => (reader, None),
            Err(error @ (y4m::Error::Header(_) | y4m::Error::Chroma(_))) => {
                let error = failure(&name, &error);
                let (reader, ffmpeg) = through_ffmpeg(path, error.cause())?;
                (reader, Some(ffmpeg))
            }
            Err(error) => return Err(failure(&name, &error)),
        };
        Ok(Self {
            name,
            reader,
            ffmpeg,
        })
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        self.reader.format()
    }

    /// Whole frames read or passed over so far.
    pub fn frames(&self) -> u64 {
        self.reader.frames()
    }

    /// Reads the next frame; false at the end.
    ///
    /// # Errors
    /// [`Failure`] where the stream is cut off or damaged; the frames before it are good.
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, Failure> {
        let read = self.reader.read(frame);
        self.ended(read)
    }

    /// Passes over the next frame; false at the end.
    ///
    /// # Errors
    /// As [`Clip::read`].
    pub fn skip(&mut self) -> Result<bool, Failure> {
        let read = self.reader.skip();
        self.ended(read)
    }

    /// At the end ffmpeg says whether it was one.
    fn ended(&mut self, read: Result<bool, y4m::Error>) -> Result<bool, Failure> {
        let name = &self.name;
        if let (Ok(false), Some(ffmpeg)) = (&read, &mut self.ffmpeg) {
            let well = ffmpeg.end().is_ok_and(|status| status.success());
            let frames = self.reader.frames();
            if well && frames == 0 {
                let text = format_args!("{name}: ffmpeg finds no picture in it; give another file");
                return Err(Failure::new(Exit::Failure, text));
            }
            if !well {
                return Err(Failure::new(
                    Exit::Failure,
                    format_args!(
                        "{name}: ffmpeg stopped after frame {frames} (its own words are above); \
                         the frames before are good, make the file again for the rest"
                    ),
                ));
            }
        }
        read.map_err(|error| failure(name, &error))
    }
}

/// The video in a file that is no y4m; why it is none.
fn through_ffmpeg(path: &Path, why: &str) -> Result<(Pictures, Ffmpeg), Failure> {
    let fail = |text: String| Failure::new(Exit::Failure, format_args!("{why}, and {text}"));
    let (mut ffmpeg, pictures) = Ffmpeg::start(path).map_err(|e| fail(e.to_string()))?;
    match Reader::new(Box::new(pictures) as Box<dyn Read + Send>) {
        Ok(reader) => Ok((reader, ffmpeg)),
        Err(_) => {
            let status = ffmpeg.end();
            let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            Err(fail(format!(
                "ffmpeg cannot read it either ({status}; its own words are above); give another \
                 file"
            )))
        }
    }
}

fn failure(name: &str, error: &y4m::Error) -> Failure {
    Failure::new(Exit::Failure, format_args!("{name}: {error}"))
}
