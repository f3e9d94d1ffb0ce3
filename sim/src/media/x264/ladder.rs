//! The clip at several rates.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::{Frame, Plane},
    units::Bitrate,
};
use tempfile::TempDir;

use super::{
    preset::Preset,
    rung::{Kind, Raw, Rung},
};
use crate::{media::film::Film, rd::ffmpeg::Ffmpeg};

/// The most rungs.
const RUNGS: u32 = 10;
/// With a buffer of one frame x264 takes less than the rate it is given: the highest rung is given
/// so much more than is ever sent.
const ABOVE: f64 = 1.4;
/// Rungs are no closer than this.
const STEP: f64 = 1.2;
/// Frames before the ones that are used, until rate control has settled.
const LEAD: usize = 30;
/// A key frame may take so many frames' worth of its rung's rate: with fewer it looks much worse
/// than the frames that build on it, as WebRTC's encoders, which give it several times a frame's
/// worth, see to.
const KEY_FRAMES: f64 = 3.0;

/// The same clip at rates that rise, as frames that follow each other and as key frames.
#[derive(Debug)]
pub(super) struct Ladder {
    film: Arc<Film>,
    ffmpeg: Ffmpeg,
    steps: Vec<Step>,
    /// Frames of the predicted encode before frame 0.
    lead: usize,
    _folder: TempDir,
}

#[derive(Debug)]
struct Step {
    predicted: Rung,
    keys: Rung,
    /// Mean bytes of a predicted frame.
    mean: f64,
}

impl Ladder {
    /// Encodes `film` at up to 10 rates from `least` to a little above `most`, evenly spaced in
    /// their logarithm.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where temporary files cannot be written.
    pub(super) fn encode(
        film: &Arc<Film>,
        ffmpeg: Ffmpeg,
        preset: Preset,
        least: Bitrate,
        most: Bitrate,
    ) -> Result<Self, Failure> {
        let ffmpeg = ffmpeg.with_cure("try another version of ffmpeg, or another media.source");
        let failed = |error: io::Error| {
            let text =
                format_args!("cannot write a temporary file: {error}; free space or set TMPDIR");
            Failure::new(Exit::Failure, text)
        };
        let folder = tempfile::tempdir().map_err(failed)?;
        let round = film.round();
        let lead = LEAD.min(round);
        let frame_rate = film.format().frame_rate;
        let fraction = frame_rate.fraction();
        let raw = |name: &str, frames: &mut dyn Iterator<Item = &Frame>| {
            let path = folder.path().join(name);
            let frames = write(frames, &path).map_err(failed)?;
            Ok::<_, Failure>(Raw {
                path,
                size: film.size(),
                fps: frame_rate.as_f64(),
                frame_rate: format!("{}/{}", fraction.num, fraction.den),
                frames,
            })
        };
        let following = (round - lead..2 * round).map(|number| film.frame(number as u32));
        let following = raw("following.yuv", &mut { following })?;
        let alone = raw("alone.yuv", &mut film.clip().frames.iter())?;
        let mut steps = Vec::new();
        let most = most.scaled(ABOVE);
        for (number, rate) in rates(least, most).into_iter().enumerate() {
            let encode = |raw, kind, rate: Bitrate| {
                let bitstream = folder.path().join(format!("{kind:?}-{number}.nut"));
                Rung::encode(&ffmpeg, raw, preset, kind, rate, bitstream)
            };
            let predicted = encode(&following, Kind::Predicted, rate)?;
            steps.push(Step {
                mean: predicted.mean(lead),
                predicted,
                keys: encode(&alone, Kind::Key, rate.scaled(KEY_FRAMES))?,
            });
        }
        // An encoder that cannot get down to a rate, or has no use for it, may overtake another.
        steps.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        Ok(Self {
            film: Arc::clone(film),
            ffmpeg,
            steps,
            lead,
            _folder: folder,
        })
    }

    /// The rung for a frame: the highest whose frames take at most `best` bytes in the mean and of
    /// which this one takes at most `largest`; else the lowest. Its number and this frame's bytes.
    pub(super) fn choose(&self, frame: u32, key: bool, best: f64, largest: f64) -> (usize, usize) {
        let fits = |&rung: &usize| {
            self.steps[rung].mean <= best && self.bytes(rung, frame, key) as f64 <= largest
        };
        let rung = (0..self.steps.len()).rfind(fits).unwrap_or(0);
        (rung, self.bytes(rung, frame, key))
    }

    fn bytes(&self, rung: usize, frame: u32, key: bool) -> usize {
        let step = &self.steps[rung];
        match key {
            true => step.keys.bytes(self.film.index(frame)),
            false => step.predicted.bytes(self.position(frame)),
        }
    }

    /// Time that encoding takes for a frame of a rung.
    pub(super) fn encoding(&self, rung: usize, key: bool) -> Duration {
        let step = &self.steps[rung];
        match key {
            true => step.keys.encoding(),
            false => step.predicted.encoding(),
        }
    }

    /// A frame of a rung as it is decoded, and how long that takes.
    ///
    /// # Errors
    /// [`Failure`] with ffmpeg's own words, or where temporary files cannot be written.
    pub(super) fn picture(
        &mut self,
        rung: usize,
        frame: u32,
        key: bool,
    ) -> Result<(Frame, Duration), Failure> {
        let (index, position) = (self.film.index(frame), self.position(frame));
        let step = &mut self.steps[rung];
        match key {
            true => step.keys.picture(&self.ffmpeg, index),
            false => step.predicted.picture(&self.ffmpeg, position),
        }
    }

    fn position(&self, frame: u32) -> usize {
        self.lead + frame as usize % self.film.round()
    }
}

/// Rates from `least` to `most`, both among them.
fn rates(least: Bitrate, most: Bitrate) -> Vec<Bitrate> {
    let least = least.min(most);
    let [low, high] = [least, most].map(|rate| rate.bits_per_second().max(1) as f64);
    let steps = ((high / low).ln() / STEP.ln())
        .floor()
        .min(f64::from(RUNGS - 1));
    if steps < 1.0 {
        return vec![most];
    }
    let step = (high / low).powf(1.0 / steps);
    (0..=steps as i32)
        .map(|n| least.scaled(step.powi(n)))
        .collect()
}

/// Writes planes without padding, frame after frame; how many frames there were.
fn write(frames: &mut dyn Iterator<Item = &Frame>, path: &Path) -> io::Result<usize> {
    let mut output = BufWriter::new(File::create(path)?);
    let mut plane = Vec::new();
    let mut count = 0;
    for frame in frames {
        for which in Plane::ALL {
            plane.clear();
            frame.crop_into(which, &mut plane);
            output.write_all(&plane)?;
        }
        count += 1;
    }
    output.flush()?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_evenly_spread() {
        let kilobits = |least, most| -> Vec<f64> {
            let [least, most] = [least, most].map(Bitrate::from_kilobits_per_second);
            let rates = rates(least, most).into_iter();
            rates
                .map(|rate| rate.kilobits_per_second().round())
                .collect()
        };
        let wide = kilobits(10, 5120);
        assert_eq!((wide.len(), wide[0], wide[9]), (10, 10.0, 5120.0));
        assert!(wide.iter().zip([10.0, 20.0, 40.0]).all(|(a, b)| a == &b));
        assert_eq!(kilobits(100, 150), [100.0, 122.0, 150.0]);
        assert_eq!(kilobits(100, 100), [100.0]);
        assert_eq!(kilobits(100, 50), [50.0]);
    }
}
