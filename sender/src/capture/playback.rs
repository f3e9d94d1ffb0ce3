//! A file as it is played: over and over, in another size, at another rate.

use std::path::{Path, PathBuf};

use raq_shared::exit::{Exit, Failure};
use raq_shared::frame::{Frame, FrameSize};
use raq_shared::video::{FrameRate, VideoFormat};

use super::clip::Clip;
use super::scaler::{Scaler, scaled};

/// What is to be made of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Whether it begins again at its end.
    pub looped: bool,
    /// Another size.
    pub size: Option<FrameSize>,
    /// Another frame rate: frames are left out or repeated, so that it takes as long as before.
    pub rate: Option<FrameRate>,
}

/// A file that is played.
pub struct Playback {
    path: PathBuf,
    looped: bool,
    clip: Clip,
    /// The file's own format.
    original: VideoFormat,
    /// As it is played.
    format: VideoFormat,
    scaling: Option<Scaling>,
    tempo: Option<Tempo>,
    /// Frames of the file taken so far, in all rounds.
    taken: u64,
}

struct Scaling {
    scaler: Scaler,
    /// The picture as the file has it.
    picture: Frame,
}

/// Another frame rate.
struct Tempo {
    /// The number of the next frame.
    next: u64,
    /// The picture that is shown at the moment.
    shown: Frame,
}

impl Playback {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be opened or read, or standard input is to begin again.
    pub fn open(path: &Path, wishes: Wishes) -> Result<Self, Failure> {
        if wishes.looped && path == Path::new("-") {
            let text = "standard input cannot begin again; leave --loop out or give a file";
            return Err(Failure::new(Exit::Usage, text));
        }
        let clip = Clip::open(path)?;
        let original = clip.format();
        let own = original.size();
        let own = own.map_err(|e| Failure::new(Exit::Failure, e))?;
        let size = wishes.size.unwrap_or(own);
        let mut format = scaled(original, size);
        format.frame_rate = wishes.rate.unwrap_or(original.frame_rate);
        Ok(Self {
            path: path.to_owned(),
            looped: wishes.looped,
            clip,
            original,
            format,
            scaling: (size != own).then(|| Scaling {
                scaler: Scaler::new(),
                picture: Frame::new(own),
            }),
            tempo: (format.frame_rate != original.frame_rate).then(|| Tempo {
                next: 0,
                shown: Frame::new(size),
            }),
            taken: 0,
        })
    }

    /// The video's format.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// Reads the next frame; false at the end.
    ///
    /// # Errors
    /// [`Failure`] where the file is cut off or damaged, or has changed when it begins again.
    pub fn read(&mut self, frame: &mut Frame) -> Result<bool, Failure> {
        let Some(mut tempo) = self.tempo.take() else {
            return self.take(Some(frame));
        };
        let played = self.play(&mut tempo, frame);
        self.tempo = Some(tempo);
        played
    }

    /// Passes over the next frame; false at the end.
    ///
    /// # Errors
    /// As [`Playback::read`].
    pub fn skip(&mut self) -> Result<bool, Failure> {
        match &mut self.tempo {
            // The next one read shows where the file has come to.
            Some(tempo) => {
                tempo.next += 1;
                Ok(true)
            }
            None => self.take(None),
        }
    }

    /// The picture that the file shows when the next frame is due.
    fn play(&mut self, tempo: &mut Tempo, frame: &mut Frame) -> Result<bool, Failure> {
        let time = self.format.frame_rate.time_of(tempo.next);
        let wanted = self.original.frame_rate.number_at(time);
        while self.taken <= wanted {
            let picture = (self.taken == wanted).then_some(&mut tempo.shown);
            if !self.take(picture)? {
                return Ok(false);
            }
        }
        copy(&tempo.shown, frame);
        tempo.next += 1;
        Ok(true)
    }

    /// Takes the file's next frame, scaled, or passes over it.
    fn take(&mut self, mut frame: Option<&mut Frame>) -> Result<bool, Failure> {
        loop {
            let more = match (&mut frame, &mut self.scaling) {
                (None, _) => self.clip.skip()?,
                (Some(frame), None) => self.clip.read(frame)?,
                (Some(frame), Some(Scaling { scaler, picture })) => {
                    let more = self.clip.read(picture)?;
                    if more && !scaler.scale(picture, frame) {
                        let text = "the picture cannot be scaled; choose another --size";
                        return Err(Failure::new(Exit::Failure, text));
                    }
                    more
                }
            };
            if more {
                self.taken += 1;
                return Ok(true);
            }
            if self.clip.frames() == 0 {
                let name = self.path.display();
                let text = format_args!("{name} holds no frame; give another file");
                return Err(Failure::new(Exit::Failure, text));
            }
            if !self.looped {
                return Ok(false);
            }
            self.begin_again()?;
        }
    }

    fn begin_again(&mut self) -> Result<(), Failure> {
        let name = self.path.display();
        let clip = Clip::open(&self.path)?;
        if clip.format() != self.original {
            let text = format_args!("{name} has changed while it was played; start again");
            return Err(Failure::new(Exit::Failure, text));
        }
        self.clip = clip;
        Ok(())
    }
}

/// Without a new buffer, padding included.
fn copy(from: &Frame, to: &mut Frame) {
    let (luma, chroma) = to.tensors_mut();
    luma.copy_from_slice(from.luma_tensor());
    chroma.copy_from_slice(from.chroma_tensor());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use raq_shared::frame::Plane;
    use tempfile::TempDir;

    use super::*;

    /// A file of `frames` grey pictures, 10 a second, the first one of grey 10, the second of 20 …
    fn clip(folder: &TempDir, frames: u8) -> PathBuf {
        let mut bytes = b"YUV4MPEG2 W8 H6 F10:1 A1:1 C420jpeg\n".to_vec();
        for number in 1..=frames {
            bytes.extend(b"FRAME\n");
            bytes.extend([number * 10; 8 * 6 * 3 / 2]);
        }
        let path = folder.path().join("clip.y4m");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The greys of at most 12 frames, and whether it ended before.
    fn greys(path: &Path, wishes: Wishes) -> (Vec<u8>, bool) {
        let mut playback = Playback::open(path, wishes).unwrap();
        let mut frame = Frame::new(playback.format().size().unwrap());
        let mut greys = Vec::new();
        while greys.len() < 12 {
            if !playback.read(&mut frame).unwrap() {
                return (greys, true);
            }
            greys.push(frame.row(Plane::Y, 0)[0] / 10);
            assert!(Plane::ALL.iter().all(|&plane| {
                let grey = frame.row(Plane::Y, 0)[0];
                let (_, height) = frame.plane_size(plane);
                (0..height).all(|y| frame.row(plane, y).iter().all(|&value| value == grey))
            }));
        }
        (greys, false)
    }

    fn rate(num: u32, den: u32) -> Option<FrameRate> {
        Some(FrameRate::new(num, den).unwrap())
    }

    #[test]
    fn a_file_is_played_once_or_over_and_over() {
        let folder = TempDir::new().unwrap();
        let path = clip(&folder, 3);
        let looped = Wishes {
            looped: true,
            ..Wishes::default()
        };
        assert_eq!(greys(&path, Wishes::default()), (vec![1, 2, 3], true));
        let round = [1, 2, 3];
        assert_eq!(greys(&path, looped), (round.repeat(4), false));
        for wishes in [looped, Wishes::default()] {
            let empty = Playback::open(&clip(&folder, 0), wishes);
            let mut frame = Frame::new(FrameSize::new(8, 6).unwrap());
            let failure = empty.unwrap().read(&mut frame).unwrap_err();
            assert!(failure.message.contains("no frame"), "{failure}");
        }
        let failure = Playback::open(Path::new("-"), looped).err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn another_rate_leaves_out_or_repeats_but_takes_as_long() {
        let folder = TempDir::new().unwrap();
        let path = clip(&folder, 6);
        let at = |rate| {
            let wishes = Wishes {
                rate,
                ..Wishes::default()
            };
            greys(&path, wishes).0
        };
        assert_eq!(at(rate(20, 1)), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
        assert_eq!(at(rate(5, 1)), [1, 3, 5]);
        assert_eq!(at(rate(25, 2)), [1, 1, 2, 3, 4, 5, 5, 6]);
        assert_eq!(at(rate(4, 1)), [1, 3, 6]);
        let looped = Wishes {
            looped: true,
            rate: rate(4, 1),
            ..Wishes::default()
        };
        assert_eq!(greys(&path, looped).0, [1, 3, 6, 2, 5, 1, 4, 6, 3, 5, 2, 4]);
    }

    #[test]
    fn what_is_skipped_goes_by() {
        let folder = TempDir::new().unwrap();
        let path = clip(&folder, 6);
        for (rate, expected) in [(None, 30), (rate(5, 1), 50)] {
            let wishes = Wishes {
                rate,
                size: Some(FrameSize::new(20, 4).unwrap()),
                looped: false,
            };
            let mut playback = Playback::open(&path, wishes).unwrap();
            let mut frame = Frame::new(playback.format().size().unwrap());
            assert!(playback.skip().unwrap() && playback.skip().unwrap());
            assert!(playback.read(&mut frame).unwrap());
            assert_eq!(frame.row(Plane::Y, 3)[19], expected);
        }
    }

    #[test]
    fn a_file_that_changes_is_not_begun_again() {
        let folder = TempDir::new().unwrap();
        let path = clip(&folder, 1);
        let looped = Wishes {
            looped: true,
            ..Wishes::default()
        };
        let mut playback = Playback::open(&path, looped).unwrap();
        let mut frame = Frame::new(playback.format().size().unwrap());
        assert!(playback.read(&mut frame).unwrap());
        let text = fs::read(&path).unwrap();
        let other = [b"YUV4MPEG2 W8 H6 F11".as_slice(), &text[19..]].concat();
        fs::write(&path, other).unwrap();
        let failure = playback.read(&mut frame).unwrap_err();
        assert!(failure.message.contains("has changed"), "{failure}");
    }

    #[test]
    fn other_files_come_through_ffmpeg() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("-a: clip.mkv");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(clip(&folder, 5));
        ffmpeg
            .args(["-c:v", "ffv1"])
            .arg(format!("file:{}", path.display()));
        let Ok(status) = ffmpeg.status() else {
            return raq_skips::skip("ffmpeg is not installed");
        };
        assert!(status.success());
        let looped = Wishes {
            looped: true,
            ..Wishes::default()
        };
        assert_eq!(greys(&path, Wishes::default()), (vec![1, 2, 3, 4, 5], true));
        let two_rounds = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2];
        assert_eq!(greys(&path, looped), (two_rounds.to_vec(), false));
        fs::write(&path, b"no video at all").unwrap();
        let failure = Playback::open(&path, looped).err().unwrap();
        assert!(
            failure.message.contains("ffmpeg cannot read it"),
            "{failure}"
        );
    }
}
