//! `raq-sim rd`: what quality each codec gives for which rate.
//!
//! ```text
//! Clip ─► a codec at a rate ─► Encoded (bytes, pictures) ─► measure ─► FrameRecord, Point ─► Report
//! ```
//!
//! A codec gives bytes and pictures ([`encoded::Encoded`]); all figures are then computed by the
//! same code from those and the clip. One encode runs at a time, so that times can be compared.

pub mod bd_rate;
pub mod bracket;
pub mod clip;
mod codec;
pub mod comparator;
pub mod comparison;
pub mod curve;
pub mod encoded;
pub mod ffmpeg;
mod page;
pub mod picture;
pub mod raq;
pub mod record;
pub mod report;
pub mod svg;

use std::fs;

use raq_shared::{
    exit::{Exit, Failure},
    units::Bitrate,
};

use self::{
    bracket::{Tried, next_rate},
    comparator::{Comparators, Setting},
    comparison::Comparison,
    encoded::Encoded,
    ffmpeg::{Ffmpeg, HOW_TO_GET},
    picture::{Picture, shown_frames},
    raq::Raq,
    record::{FrameRecord, Point, measure},
    report::{Report, cannot_write},
};
pub use self::{clip::Clip, codec::Codec};
use crate::{options::RdOptions, transfer::Setup};

/// The first frame, counted from 0, that means and rates include.
pub const FIRST_MEASURED: usize = 5;
/// A codec whose lowest measured rate is above the lowest asked for by more than this factor cannot
/// reach it.
const OUT_OF_REACH: f64 = 1.1;

/// Encodes every clip with every codec at every rate and writes the files into `--out`.
///
/// Says on standard error what it is doing and what it leaves out.
///
/// # Errors
/// [`Failure`] where options contradict each other, a clip cannot be read, a codec fails or the
/// files cannot be written.
pub fn run(options: &RdOptions) -> Result<Report, Failure> {
    options.check()?;
    clip::check(&options.input)?;
    fs::create_dir_all(&options.out).map_err(|e| cannot_write(&options.out, &e))?;
    let ffmpeg = Ffmpeg::find()?;
    let (raq, codecs) = open_ours(options)?;
    let codecs = usable(codecs, ffmpeg.as_ref())?;
    let mut run = Run {
        raq,
        setup: options.setup(),
        rates: options.ascending_rates(),
        pictures_per_clip: options.pictures.into(),
        frames: Vec::new(),
        points: Vec::new(),
        pictures: Vec::new(),
    };
    for path in &options.input {
        let clip = Clip::read(path, options.size, options.frames, ffmpeg.as_ref())?;
        run.add(&clip, &codecs, ffmpeg.as_ref())?;
    }
    let max_kbps = options.bd_max_kbps.map(Bitrate::kilobits_per_second);
    let report = Report {
        comparison: Comparison::new(&run.points, max_kbps),
        frames: run.frames,
        points: run.points,
        pictures: run.pictures,
    };
    report.write(&options.out)?;
    let page = options.out.join("index.html");
    eprintln!("The report is in {}", page.display());
    Ok(report)
}

/// Opens the model if raq is to be measured. Where that fails, raq is left out with a line for
/// people, unless it was asked for by name.
fn open_ours(options: &RdOptions) -> Result<(Option<Raq>, Vec<Codec>), Failure> {
    let mut codecs = options.distinct_codecs();
    if !codecs.iter().any(|codec| codec.is_ours()) {
        return Ok((None, codecs));
    }
    match Raq::open(&options.model) {
        Ok(raq) => Ok((Some(raq), codecs)),
        Err(error) if options.asks_for_raq() => Err(error.into()),
        Err(error) => {
            eprintln!("Leaving out raq: {error}");
            codecs.retain(|codec| !codec.is_ours());
            Ok((None, codecs))
        }
    }
}

/// Leaves out, with a line for people, what cannot be used here.
fn usable(codecs: Vec<Codec>, ffmpeg: Option<&Ffmpeg>) -> Result<Vec<Codec>, Failure> {
    let missing = |codec: &Codec| {
        let encoder = comparator::encoder(*codec);
        encoder.is_some_and(|name| ffmpeg.is_none_or(|ffmpeg| !ffmpeg.has_encoder(name)))
    };
    let (left_out, usable): (Vec<_>, Vec<_>) = codecs.into_iter().partition(missing);
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(|codec| codec.name()).collect();
        eprintln!(
            "Leaving out {}: {}; {HOW_TO_GET}",
            names.join(", "),
            match ffmpeg {
                Some(_) => "this ffmpeg cannot encode them",
                None => "ffmpeg is not installed",
            }
        );
    }
    if usable.is_empty() {
        return Err(Failure::new(
            Exit::Failure,
            format_args!("no codec is left to measure; {HOW_TO_GET}"),
        ));
    }
    Ok(usable)
}

/// What a run has measured so far.
struct Run {
    /// Open where it is among the codecs.
    raq: Option<Raq>,
    setup: Setup,
    /// Ascending.
    rates: Vec<Bitrate>,
    pictures_per_clip: usize,
    frames: Vec<FrameRecord>,
    points: Vec<Point>,
    pictures: Vec<Picture>,
}

impl Run {
    /// Measures all codecs on one clip.
    fn add(
        &mut self,
        clip: &Clip,
        codecs: &[Codec],
        ffmpeg: Option<&Ffmpeg>,
    ) -> Result<(), Failure> {
        eprintln!("{clip}");
        for number in shown_frames(clip.frames.len(), self.pictures_per_clip) {
            self.pictures.push(Picture::original(clip, number)?);
        }
        let mut comparators = match ffmpeg {
            Some(ffmpeg) => Some(Comparators::new(ffmpeg, clip)?),
            None => None,
        };
        for &codec in codecs {
            let odd =
                !(clip.size().width().is_multiple_of(2) && clip.size().height().is_multiple_of(2));
            if odd && codec.needs_even_sides() {
                eprintln!("Leaving out {codec}: it takes even sides only; give --size");
                continue;
            }
            let first = self.points.len();
            for rate in self.rates.clone() {
                eprintln!("{}: {codec} at {rate} …", clip.name);
                let encoded = self.at_rate(clip, codec, rate, comparators.as_mut())?;
                self.keep(clip, codec, Some(rate), &encoded)?;
            }
            match &mut comparators {
                Some(comparators) if !codec.is_ours() => {
                    self.bracket(clip, codec, comparators, first)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds points until a comparator's curve covers the rates asked for, as far as it can; its
    /// points begin with number `first`.
    fn bracket(
        &mut self,
        clip: &Clip,
        codec: Codec,
        comparators: &mut Comparators<'_>,
        first: usize,
    ) -> Result<(), Failure> {
        let asked = self.rates.clone();
        let measured = self.points[first..].iter().map(|point| point.kbps);
        let mut tried: Vec<Tried> = asked.iter().copied().zip(measured).collect();
        while let Some(rate) = next_rate(&asked, &tried) {
            eprintln!("{}: {codec} at {rate}, to cover the rates …", clip.name);
            let encoded = comparators.at_rate(codec, rate)?;
            tried.push((rate, self.keep_new(clip, codec, &encoded, first)?));
        }
        let lowest = tried.iter().map(|(_, kbps)| *kbps).min_by(f64::total_cmp);
        let reachable = lowest
            .zip(asked.first())
            .is_some_and(|(lowest, asked)| lowest <= OUT_OF_REACH * asked.kilobits_per_second());
        if !reachable {
            for &quality in comparator::sweep(codec) {
                eprintln!("{}: {codec} at quality {quality} …", clip.name);
                let encoded = comparators.with(codec, Setting::Quality(quality))?;
                self.keep_new(clip, codec, &encoded, first)?;
            }
        }
        Ok(())
    }

    /// Measures an encode that no `--rates` asked for and gives its rate in kbit/s; does not keep
    /// what is there already.
    fn keep_new(
        &mut self,
        clip: &Clip,
        codec: Codec,
        encoded: &Encoded,
        first: usize,
    ) -> Result<f64, Failure> {
        let known = &self.points[first..];
        if let Some(point) = known.iter().find(|point| point.setting == encoded.setting) {
            return Ok(point.kbps);
        }
        self.keep(clip, codec, None, encoded)
    }

    /// Measures an encode and gives its rate in kbit/s; keeps its pictures where it is of the
    /// middle rate.
    fn keep(
        &mut self,
        clip: &Clip,
        codec: Codec,
        target: Option<Bitrate>,
        encoded: &Encoded,
    ) -> Result<f64, Failure> {
        let (records, point) = measure(clip, codec, target, encoded)?;
        let middle = self.rates.get((self.rates.len() - 1) / 2);
        if target.is_some() && target.as_ref() == middle {
            for number in shown_frames(clip.frames.len(), self.pictures_per_clip) {
                let record = &records[number];
                self.pictures
                    .push(Picture::decoded(clip, encoded, record, point.kbps)?);
            }
        }
        let kbps = point.kbps;
        self.frames.extend(records);
        self.points.push(point);
        Ok(kbps)
    }
    /// One encode.
    fn at_rate(
        &mut self,
        clip: &Clip,
        codec: Codec,
        rate: Bitrate,
        comparators: Option<&mut Comparators<'_>>,
    ) -> Result<Encoded, Failure> {
        match (codec, &mut self.raq, comparators) {
            (Codec::Raq, Some(raq), _) => raq.encode(clip, rate, &self.setup),
            (_, _, Some(comparators)) if !codec.is_ours() => comparators.at_rate(codec, rate),
            // Codecs that need ffmpeg or a model were left out where there is none.
            _ => Err(Failure::new(Exit::Failure, HOW_TO_GET)),
        }
    }
}
