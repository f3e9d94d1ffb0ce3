//! `raq-sim rd`: what quality each codec gives for which rate.
//!
//! ```text
//! Clip ─► a codec at a rate ─► Encoded (bytes, pictures) ─► measure ─► FrameRecord, Point ─► Report
//! ```
//!
//! A codec gives bytes and pictures ([`encoded::Encoded`]); all figures are then computed by the
//! same code from those and the clip. One encode runs at a time, so that times can be compared.
//! What fails is left out ([`missing::Missing`]); the rest goes on.

pub mod bd_rate;
pub mod bracket;
pub mod clip;
mod codec;
pub mod comparator;
pub mod comparison;
pub mod curve;
pub mod encoded;
pub mod ffmpeg;
pub mod missing;
mod page;
pub mod picture;
pub mod raq;
pub mod record;
pub mod report;
pub mod st_lpips;

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
    missing::Missing,
    picture::{Picture, shown_frames},
    raq::Raq,
    record::{FrameRecord, Point, add_st_lpips, measure},
    report::{Report, cannot_write},
    st_lpips::StLpips,
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
/// Says on standard error what it is doing and what it leaves out. A clip or an encode that fails
/// is left out, and named in [`Report::missing`].
///
/// # Errors
/// [`Failure`] where options contradict each other, what they ask for is missing, nothing could be
/// measured or the files cannot be written.
pub fn run(options: &RdOptions) -> Result<Report, Failure> {
    options.check()?;
    clip::check(&options.input)?;
    fs::create_dir_all(&options.out).map_err(|e| cannot_write(&options.out, &e))?;
    let ffmpeg = Ffmpeg::find()?;
    let (raq, codecs) = open_ours(options)?;
    let codecs = usable(codecs, ffmpeg.as_ref())?;
    let st_lpips = options.st_lpips.as_deref();
    let mut run = Run {
        raq,
        st_lpips: st_lpips
            .map(|weights| StLpips::open(weights, options.python.as_deref()))
            .transpose()?,
        setup: options.setup(),
        rates: options.ascending_rates(),
        pictures_per_clip: options.pictures.into(),
        frames: Vec::new(),
        points: Vec::new(),
        pictures: Vec::new(),
        missing: Missing::default(),
    };
    for path in &options.input {
        let added = Clip::read(path, options.size, options.frames, ffmpeg.as_ref())
            .and_then(|clip| run.add(&clip, &codecs, ffmpeg.as_ref()));
        if let Err(failure) = added {
            run.missing.note(path.display(), failure);
        }
    }
    if let (true, Some(failure)) = (run.points.is_empty(), run.missing.first()) {
        return Err(failure.clone());
    }
    let max_kbps = options.bd_max_kbps.map(Bitrate::kilobits_per_second);
    let report = Report {
        comparison: Comparison::new(&run.points, max_kbps),
        frames: run.frames,
        points: run.points,
        pictures: run.pictures,
        missing: run.missing,
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
    /// Where it was asked for.
    st_lpips: Option<StLpips>,
    setup: Setup,
    /// Ascending.
    rates: Vec<Bitrate>,
    pictures_per_clip: usize,
    frames: Vec<FrameRecord>,
    points: Vec<Point>,
    pictures: Vec<Picture>,
    missing: Missing,
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
        let sides = clip.size().width().min(clip.size().height());
        if self.st_lpips.is_some() && sides < st_lpips::SMALLEST_SIDE {
            let smallest = st_lpips::SMALLEST_SIDE;
            eprintln!(
                "Leaving out ST-LPIPS: it takes sides from {smallest} pixels on; give --size"
            );
        }
        for &codec in codecs {
            let odd =
                !(clip.size().width().is_multiple_of(2) && clip.size().height().is_multiple_of(2));
            if odd && codec.needs_even_sides() {
                eprintln!("Leaving out {codec}: it takes even sides only; give --size");
                continue;
            }
            let first = self.points.len();
            let mut tried: Vec<Tried> = Vec::new();
            for rate in self.rates.clone() {
                let what = format!("{}: {codec} at {rate}", clip.name);
                eprintln!("{what} …");
                let kept = self
                    .at_rate(clip, codec, rate, comparators.as_mut())
                    .and_then(|encoded| self.keep(clip, codec, Some(rate), &encoded));
                match kept {
                    Ok(kbps) => tried.push((rate, kbps)),
                    Err(failure) => self.missing.note(what, failure),
                }
            }
            match &mut comparators {
                Some(comparators) if !codec.is_ours() && !tried.is_empty() => {
                    self.bracket(clip, codec, comparators, tried, first);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds points until a comparator's curve covers the rates asked for and `tried`, as far as it
    /// can; its points begin with number `first`.
    fn bracket(
        &mut self,
        clip: &Clip,
        codec: Codec,
        comparators: &mut Comparators<'_>,
        mut tried: Vec<Tried>,
        first: usize,
    ) {
        let asked: Vec<_> = tried.iter().map(|(rate, _)| *rate).collect();
        while let Some(rate) = next_rate(&asked, &tried) {
            let what = format!("{}: {codec} at {rate}, to cover the rates", clip.name);
            eprintln!("{what} …");
            let kept = comparators
                .at_rate(codec, rate)
                .and_then(|encoded| self.keep_new(clip, codec, &encoded, first));
            match kept {
                Ok(kbps) => tried.push((rate, kbps)),
                Err(failure) => {
                    self.missing.note(what, failure);
                    break;
                }
            }
        }
        let lowest = tried.iter().map(|(_, kbps)| *kbps).min_by(f64::total_cmp);
        let reachable = lowest
            .zip(asked.first())
            .is_some_and(|(lowest, asked)| lowest <= OUT_OF_REACH * asked.kilobits_per_second());
        if !reachable {
            for &quality in comparator::sweep(codec) {
                let what = format!("{}: {codec} at quality {quality}", clip.name);
                eprintln!("{what} …");
                let kept = comparators
                    .with(codec, Setting::Quality(quality))
                    .and_then(|encoded| self.keep_new(clip, codec, &encoded, first));
                if let Err(failure) = kept {
                    self.missing.note(what, failure);
                }
            }
        }
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
        let (mut records, mut point) = measure(clip, codec, target, encoded)?;
        if let Some(st_lpips) = &mut self.st_lpips {
            match st_lpips.distances(clip, encoded) {
                Ok(Some(distances)) => add_st_lpips(&mut records, &mut point, &distances),
                Ok(None) => {}
                Err(failure) => {
                    let what = format!("{}: ST-LPIPS of {codec}, {}", clip.name, point.setting);
                    self.missing.note(what, failure);
                }
            }
        }
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
