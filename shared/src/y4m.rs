//! Reading and writing `.y4m` files (YUV4MPEG2), 4:2:0 with 8 bits.
//!
//! Around the crate `y4m`: headers come from strangers, so sizes are checked before anything is
//! allocated, and a file cut short is told apart from one that ends.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ::y4m::{Colorspace, Decoder, Encoder, EncoderBuilder, Ratio, VendorExtensionString};

use crate::{
    frame::{Frame, FrameSize, Plane, SizeError},
    video::{ChromaSiting, ColourRange, FormatError, Fraction, FrameRate, VideoFormat},
};

/// The longest header line the crate `y4m` reads.
const MAX_HEADER: u64 = 1024;

/// A y4m stream that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a y4m stream, or its header is broken.
    #[error("not a y4m stream: {0}; make one with `ffmpeg -i CLIP -pix_fmt yuv420p out.y4m`")]
    Header(String),
    /// Not 4:2:0 with 8 bits.
    #[error(
        "chroma format C{0} is not supported, only 4:2:0 with 8 bits is; \
         convert with `ffmpeg -i CLIP -pix_fmt yuv420p out.y4m`"
    )]
    Chroma(String),
    /// Frames too large.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// A frame rate that cannot be.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The stream ends inside a frame, or what follows is no frame.
    #[error(
        "the y4m stream is {} after frame {frames}; \
         the frames before are good, make the file again for the rest",
        if *.cut { "cut off" } else { "broken" }
    )]
    Damaged {
        /// Whole frames read before.
        frames: u64,
        /// Whether the end is missing (else there is something else than a frame).
        cut: bool,
    },
    /// The file system or pipe says no.
    #[error("{0}; give a readable y4m stream")]
    Io(#[from] io::Error),
}

/// The stream with its first line, already read, put back in front.
type WithHeader<R> = io::Chain<Cursor<Vec<u8>>, BufReader<R>>;

/// Reads frames.
pub struct Reader<R: Read> {
    decoder: Decoder<Counted<WithHeader<R>>>,
    format: VideoFormat,
    size: FrameSize,
    frames: u64,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error`] when the stream is not y4m, not 4:2:0 with 8 bits, or too large.
    pub fn new(input: R) -> Result<Self, Error> {
        let mut input = BufReader::with_capacity(1 << 16, input);
        // The crate multiplies sides unchecked, so the header is looked at before it.
        let mut header = Vec::new();
        (&mut input)
            .take(MAX_HEADER)
            .read_until(b'\n', &mut header)?;
        if header.is_empty() {
            return Err(Error::Header("it is empty".into()));
        }
        if !header.starts_with(b"YUV4MPEG2 ") {
            return Err(Error::Header("it does not begin with YUV4MPEG2".into()));
        }
        if header.last() != Some(&b'\n') {
            return Err(Error::Header(
                "its first line is cut off or over 1024 bytes".into(),
            ));
        }
        let (size, chroma) = check_header(&header)?;
        let bytes = Arc::new(AtomicU64::new(0));
        let input = Counted {
            inner: Cursor::new(header).chain(input),
            bytes: bytes.clone(),
        };
        let decoder = Decoder::new(input).map_err(|error| match error {
            ::y4m::Error::IoError(error) => Error::Io(error),
            ::y4m::Error::UnknownColorspace => Error::Chroma(chroma.clone()),
            error => Error::Header(error.to_string()),
        })?;
        let format = VideoFormat {
            width: size.width() as u32,
            height: size.height() as u32,
            frame_rate: frame_rate(decoder.get_framerate())?,
            aspect: fraction(decoder.get_pixel_aspect()).unwrap_or(Fraction::new(0, 0)),
            chroma_siting: match decoder.get_colorspace() {
                Colorspace::C420 => ChromaSiting::Unspecified,
                Colorspace::C420jpeg => ChromaSiting::Jpeg,
                Colorspace::C420mpeg2 => ChromaSiting::Mpeg2,
                Colorspace::C420paldv => ChromaSiting::Paldv,
                _ => return Err(Error::Chroma(chroma)),
            },
            colour_range: colour_range(decoder.get_raw_params()),
        };
        Ok(Self {
            decoder,
            format,
            size,
            frames: 0,
            bytes,
        })
    }

    /// What the header says.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// The frames' size.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// Whole frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Reads the next frame into `frame`; false at the end of the stream.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the stream ends inside a frame or holds something else; what was
    /// read before is good.
    ///
    /// # Panics
    /// When `frame` has another size.
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, Error> {
        assert_eq!(frame.size(), self.size, "a frame of the stream's size");
        self.next(Some(frame))
    }

    /// Passes over the next frame; false at the end of the stream.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn skip(&mut self) -> Result<bool, Error> {
        self.next(None)
    }

    fn next(&mut self, frame: Option<&mut Frame>) -> Result<bool, Error> {
        let frames = self.frames;
        let before = self.bytes.load(Ordering::Relaxed);
        match self.decoder.read_frame() {
            Ok(planes) => {
                if let Some(frame) = frame {
                    frame.fill([
                        planes.get_y_plane(),
                        planes.get_u_plane(),
                        planes.get_v_plane(),
                    ]);
                }
                self.frames += 1;
                Ok(true)
            }
            // The crate says "end of file" for a missing frame and for the missing rest of one.
            Err(::y4m::Error::EOF) if self.bytes.load(Ordering::Relaxed) == before => Ok(false),
            Err(::y4m::Error::EOF) => Err(Error::Damaged { frames, cut: true }),
            Err(::y4m::Error::IoError(error)) => Err(Error::Io(error)),
            Err(_) => Err(Error::Damaged { frames, cut: false }),
        }
    }
}

/// Writes frames; every frame is on its way when [`Writer::write`] returns, so that a file cut
/// short stays readable. Give it an unbuffered output.
pub struct Writer<W: Write> {
    encoder: Encoder<W>,
    size: FrameSize,
    planes: [Vec<u8>; 3],
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`Error::Size`] for an impossible size, [`Error::Io`] when writing fails.
    pub fn new(output: W, format: &VideoFormat) -> Result<Self, Error> {
        let size = format.size()?;
        let ratio = |f: Fraction| Ratio::new(f.num as usize, f.den as usize);
        let rate = ratio(format.frame_rate.fraction());
        let mut builder = EncoderBuilder::new(size.width(), size.height(), rate)
            .with_pixel_aspect(ratio(format.aspect))
            .with_colorspace(match format.chroma_siting {
                ChromaSiting::Unspecified => Colorspace::C420,
                ChromaSiting::Jpeg => Colorspace::C420jpeg,
                ChromaSiting::Mpeg2 => Colorspace::C420mpeg2,
                ChromaSiting::Paldv => Colorspace::C420paldv,
            });
        let range = match format.colour_range {
            ColourRange::Unspecified => None,
            ColourRange::Limited => Some("COLORRANGE=LIMITED"),
            ColourRange::Full => Some("COLORRANGE=FULL"),
        };
        if let Some(range) = range {
            let extension = VendorExtensionString::new(range.into()).map_err(written)?;
            builder = builder.append_vendor_extension(extension);
        }
        let encoder = builder.write_header(output).map_err(written)?;
        Ok(Self {
            encoder,
            size,
            planes: Default::default(),
        })
    }

    /// Writes one frame, without its padding.
    ///
    /// # Errors
    /// [`Error::Io`] when writing fails.
    ///
    /// # Panics
    /// When `frame` has another size than the header.
    pub fn write(&mut self, frame: &Frame) -> Result<(), Error> {
        assert_eq!(frame.size(), self.size, "a frame of the stream's size");
        for (buffer, plane) in self.planes.iter_mut().zip(Plane::ALL) {
            buffer.clear();
            frame.crop_into(plane, buffer);
        }
        let [y, u, v] = &self.planes;
        self.encoder
            .write_frame(&::y4m::Frame::new([y, u, v], None))
            .map_err(written)
    }
}

/// Counts the bytes read, so that an end inside a frame is told from one between frames.
struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            // The crate takes an interrupted call for a failure.
            match self.inner.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => {
                    self.bytes.fetch_add(read as u64, Ordering::Relaxed);
                    return Ok(read);
                }
                failure => return failure,
            }
        }
    }
}

/// The size, within limits, and the name of the chroma format.
fn check_header(header: &[u8]) -> Result<(FrameSize, String), Error> {
    let line = String::from_utf8_lossy(header);
    let (mut width, mut height, mut chroma) = (0u64, 0u64, "420");
    for tag in line
        .trim_end_matches('\n')
        .split(' ')
        .skip(1)
        .filter(|tag| !tag.is_empty())
    {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Error::Header(format!("the size `{tag}` is no number")))
        };
        match tag.split_at_checked(1) {
            Some(("W", value)) => width = number(value)?,
            Some(("H", value)) => height = number(value)?,
            Some(("C", value)) => chroma = value,
            Some(("I", "t" | "b" | "m")) => {
                tracing::warn!("the y4m stream is interlaced; its fields are sent as one picture");
            }
            _ => {}
        }
        // Each tag on its own too: the crate computes with whichever comes last.
        if width > u64::from(u32::MAX) || height > u64::from(u32::MAX) {
            return Err(SizeError::OutOfRange { width, height }.into());
        }
    }
    Ok((
        FrameSize::new(width as u32, height as u32)?,
        chroma.to_owned(),
    ))
}

/// The stream's rate; y4m's "unknown" counts as 25, as in ffmpeg.
fn frame_rate(ratio: Ratio) -> Result<FrameRate, Error> {
    match fraction(ratio) {
        Some(Fraction { num: 0, den: 0 }) => Ok(FrameRate::new(25, 1)?),
        Some(Fraction { num, den }) => Ok(FrameRate::new(num, den)?),
        None => Err(Error::Header(
            "its frame rate is no pair of 32-bit numbers".into(),
        )),
    }
}

fn fraction(ratio: Ratio) -> Option<Fraction> {
    Some(Fraction {
        num: ratio.num.try_into().ok()?,
        den: ratio.den.try_into().ok()?,
    })
}

fn colour_range(params: &[u8]) -> ColourRange {
    let tags = params.split(|&byte| byte == b' ');
    tags.filter_map(|tag| tag.strip_prefix(b"XCOLORRANGE="))
        .map(|value| match value {
            b"LIMITED" => ColourRange::Limited,
            b"FULL" => ColourRange::Full,
            _ => ColourRange::Unspecified,
        })
        .next_back()
        .unwrap_or(ColourRange::Unspecified)
}

fn written(error: ::y4m::Error) -> Error {
    match error {
        ::y4m::Error::IoError(error) => Error::Io(error),
        error => Error::Io(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clip(header: &str, frames: usize, bytes: usize) -> Vec<u8> {
        let mut clip = format!("YUV4MPEG2 {header}\n").into_bytes();
        for n in 0..frames {
            clip.extend_from_slice(b"FRAME\n");
            clip.extend((0..bytes).map(|i| (i + n) as u8));
        }
        clip
    }

    fn copy(clip: &[u8]) -> Result<Vec<u8>, Error> {
        let mut reader = Reader::new(clip)?;
        let mut frame = Frame::new(reader.size());
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, &reader.format())?;
        while reader.read(&mut frame)? {
            writer.write(&frame)?;
        }
        Ok(out)
    }

    #[test]
    fn everything_in_the_header_is_carried_both_ways() {
        for header in [
            "W5 H3 F30000:1001 A40:33 XCOLORRANGE=FULL C420jpeg",
            "W5 H3 F25:1 A0:0 XCOLORRANGE=LIMITED C420mpeg2",
            "W5 H3 F24:1 C420paldv",
            "W5 H3 F24:1 C420",
        ] {
            let clip = clip(header, 3, 15 + 12);
            assert_eq!(
                String::from_utf8_lossy(&copy(&clip).unwrap()),
                String::from_utf8_lossy(&clip)
            );
        }
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        for (header, says) in [
            ("W4 H4 F25:1 C444", "C444"),
            ("W4 H4 F25:1 C420p10", "C420p10"),
            ("W4 H4 F25:1 Cstrange", "Cstrange"),
            ("W4 H4 F25:1 Cmono", "Cmono"),
            ("H4 F25:1", "0x4"),
            ("W99999999999999999999 H4", "W99999999999999999999"),
            (
                "W18446744073709551615 H18446744073709551615",
                "18446744073709551615",
            ),
            ("W16384 H16384", "16384x16384"),
            ("W4 H4 F0:1", "0:1"),
            ("W4 H4 F5", "y4m"),
        ] {
            let text = copy(&clip(header, 1, 24)).unwrap_err().to_string();
            assert!(text.contains(says), "{header}: {text}");
        }
        for junk in ["", "RIFF", "YUV4MPEG2 W4", &"YUV4MPEG2 ".repeat(200)] {
            let Err(error) = Reader::new(junk.as_bytes()) else {
                panic!("{junk}")
            };
            assert!(error.to_string().starts_with("not a y4m stream"), "{error}");
        }
    }

    #[test]
    fn a_cut_stream_keeps_what_was_whole() {
        let whole = clip("W4 H4 F25:1", 3, 24);
        let header = whole.len() - 3 * 30;
        for cut in header..=whole.len() {
            let mut reader = Reader::new(&whole[..cut]).unwrap();
            let mut frame = Frame::new(reader.size());
            let outcome = loop {
                match reader.read(&mut frame) {
                    Ok(true) => {}
                    other => break other,
                }
            };
            assert_eq!(reader.frames(), ((cut - header) / 30) as u64);
            match outcome {
                Ok(_) => assert_eq!((cut - header) % 30, 0),
                Err(error) => {
                    let says = format!("is cut off after frame {}", reader.frames());
                    assert!(error.to_string().contains(&says), "{error}");
                }
            }
        }
    }

    #[test]
    fn something_else_than_a_frame_is_damage() {
        let mut broken = clip("W4 H4 F25:1", 2, 24);
        let len = broken.len();
        broken[len - 30] = b'X';
        let error = copy(&broken).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Damaged {
                    frames: 1,
                    cut: false
                }
            ),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_frames(
            tags in "( [WHFACIX][0-9a-zA-Z:=]{0,8}){0,6}", rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = format!("YUV4MPEG2 W2 H2{tags}\nFRAME\n").into_bytes();
            bytes.extend(rest);
            if let Ok(mut reader) = Reader::new(&bytes[..]) {
                let mut frame = Frame::new(reader.size());
                while matches!(reader.read(&mut frame), Ok(true)) {}
            }
        }
    }
}
