//! A y4m file, or a y4m stream on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::Frame;
use raq_shared::video::VideoFormat;
use raq_shared::y4m::Reader;

/// A y4m stream, read frame by frame.
pub struct Clip {
    name: String,
    reader: Reader<Box<dyn Read + Send>>,
}

impl Clip {
    /// Opens a file, or standard input for `-`, and reads the header.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be opened or is no y4m of a kind that can be sent.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let (name, input): (_, Box<dyn Read + Send>) = if path == Path::new("-") {
            ("standard input".to_owned(), Box::new(io::stdin()))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|e| {
                let text = format_args!("cannot open {name}: {e}; give --input a readable file");
                Failure::new(Exit::Failure, text)
            })?;
            (name, Box::new(file))
        };
        match Reader::new(input) {
            Ok(reader) => Ok(Self { name, reader }),
            Err(error) => Err(failure(&name, &error)),
        }
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        self.reader.format()
    }

    /// Reads the next frame; false at the end.
    ///
    /// # Errors
    /// [`Failure`] where the stream is cut off or damaged; the frames before it are good.
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, Failure> {
        self.reader
            .read(frame)
            .map_err(|error| failure(&self.name, &error))
    }

    /// Passes over the next frame; false at the end.
    ///
    /// # Errors
    /// As [`Clip::read`].
    pub fn skip(&mut self) -> Result<bool, Failure> {
        self.reader
            .skip()
            .map_err(|error| failure(&self.name, &error))
    }
}

fn failure(name: &str, error: &raq_shared::y4m::Error) -> Failure {
    Failure::new(Exit::Failure, format_args!("{name}: {error}"))
}
