//! `raq-sim vectors`: what training learns from, gathered while clips are coded.
//!
//! A clip is coded as in `raq-sim rd`. Of every chosen refinement
//! the residual that it had to code is kept, of every datagram the symbols are counted, and of
//! every frame what a decoder gets.

use std::{fs, path::Path, sync::Arc};

use raq_send::choice::Taken;
use raq_shared::{coding::Census, exit::Failure, frame::Grid, stage::Stages, units::Bitrate};

use crate::{
    npy::{Element, NpyFile},
    options::VectorOptions,
    rd::{Clip, clip, ffmpeg::Ffmpeg, raq::Raq, report::cannot_write},
    transfer::Transfer,
};

/// Codes every clip at every rate and writes into `--out`:
///
/// - `NAME.vectors.npy` for each codebook, f32 `[vectors, 1 + dims]`: the weight 4^−shift, then the
///   residual times 2^shift, in grid units, of a block that a stage of this codebook refined;
/// - `counts.json`: tables as a model has them, counted from the datagrams, with the K̃ of the
///   model's own;
/// - for each clip and rate `CLIP.KBPS.sums.npy`, i16 `[frames, rows, columns, D]`, and
///   `CLIP.KBPS.depth.npy`, u8 `[frames, rows, columns]`: what a decoder gets, rounded.
///
/// # Errors
/// [`Failure`] where a clip or the model cannot be used or a file cannot be written.
pub fn run(options: &VectorOptions) -> Result<(), Failure> {
    clip::check(&options.input)?;
    fs::create_dir_all(&options.out).map_err(|e| cannot_write(&options.out, &e))?;
    let ffmpeg = Ffmpeg::find()?;
    let mut raq = Raq::open(&options.model)?;
    let names = raq.codebook_names().to_vec();
    let stages = Arc::clone(&raq.temporal().stages);
    let mut vectors = Vectors::create(&stages, &names, &options.out)?;
    let mut census = Census::new(&stages);
    let setup = options.setup();
    for path in &options.input {
        let clip = Clip::read(path, options.size, options.frames, ffmpeg.as_ref())?;
        eprintln!("{clip}");
        for rate in options.ascending_rates() {
            let mut transfer = raq.transfer(&clip, rate, &setup);
            transfer.record();
            let mut inputs = Inputs::create(&clip, rate, stages.dim(), &options.out)?;
            let mut latents = raq.empty_latents(clip.size());
            for frame in &clip.frames {
                raq.latents(frame, &mut latents)?;
                transfer.send(&latents, frame.luma_tensor())?;
                for (framing, updates) in transfer.coder().coded() {
                    census.count(&framing, updates);
                }
                vectors.add(transfer.coder().chooser().taken())?;
                inputs.add(&transfer)?;
            }
            inputs.finish()?;
            eprintln!("{}: raq at {rate}: {}", clip.name, transfer.tally());
        }
    }
    vectors.finish()?;
    let path = options.out.join("counts.json");
    let mut counts = census.counts(&raq.temporal().tables);
    counts
        .bands
        .iter_mut()
        .for_each(|band| spread(&mut band.base));
    let text = serde_json::to_vec(&counts).map_err(|e| cannot_write(&path, &e))?;
    fs::write(&path, text).map_err(|e| cannot_write(&path, &e))
}

/// Which bases are named depends on the way more than on the clip. So that none costs 16 bits
/// where reports are later than here, each gets a share; the floor, the only one where much gets
/// lost, a large one.
fn spread(bases: &mut [u32]) {
    let all: u32 = bases.iter().fold(0, |sum, &n| sum.saturating_add(n));
    for (symbol, count) in bases.iter_mut().enumerate() {
        let share = if symbol == 0 { all / 2 } else { all / 32 };
        *count = count.saturating_add(share);
    }
}

/// A file of residuals per codebook.
struct Vectors<'a> {
    stages: &'a Stages,
    files: Vec<NpyFile>,
    row: Vec<u8>,
}

impl<'a> Vectors<'a> {
    fn create(stages: &'a Stages, names: &[String], folder: &Path) -> Result<Self, Failure> {
        let books = stages.codebooks().iter().zip(names);
        let files: Result<Vec<_>, _> = books
            .map(|(book, name)| {
                let path = folder.join(format!("{name}.vectors.npy"));
                NpyFile::create(&path, Element::F32, &[1 + book.dims()])
            })
            .collect();
        Ok(Self {
            stages,
            files: files?,
            row: Vec::new(),
        })
    }

    fn add(&mut self, taken: &[Taken]) -> Result<(), Failure> {
        for taken in taken {
            let stage = self.stages.stage(taken.stage.into());
            let scale = f32::from(1u16 << stage.shift);
            self.row.clear();
            self.row.extend((1.0 / (scale * scale)).to_le_bytes());
            let scaled = taken.residual.iter().map(|&value| f32::from(value) * scale);
            self.row.extend(scaled.flat_map(f32::to_le_bytes));
            self.files[stage.codebook].append(&self.row)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        self.files.into_iter().try_for_each(NpyFile::finish)
    }
}

/// What a decoder gets of one clip at one rate.
struct Inputs {
    sums: NpyFile,
    depth: NpyFile,
    latents: Vec<f32>,
    depths: Vec<f32>,
}

impl Inputs {
    fn create(clip: &Clip, rate: Bitrate, dim: usize, folder: &Path) -> Result<Self, Failure> {
        let Grid { columns, rows } = clip.size().grid();
        let path = |kind: &str| {
            let kbps = rate.kilobits_per_second();
            folder.join(format!("{}.{kbps}.{kind}.npy", clip.name))
        };
        Ok(Self {
            sums: NpyFile::create(&path("sums"), Element::I16, &[rows, columns, dim])?,
            depth: NpyFile::create(&path("depth"), Element::U8, &[rows, columns])?,
            latents: vec![0.0; rows * columns * dim],
            depths: vec![0.0; rows * columns],
        })
    }

    fn add(&mut self, transfer: &Transfer) -> Result<(), Failure> {
        let intake = transfer.intake();
        intake.fill(&mut self.latents, &mut self.depths);
        let sums = self.latents.iter().map(|value| value.round() as i16);
        let bytes: Vec<u8> = sums.flat_map(i16::to_le_bytes).collect();
        self.sums.append(&bytes)?;
        let bytes: Vec<u8> = self.depths.iter().map(|&depth| depth as u8).collect();
        self.depth.append(&bytes)
    }

    fn finish(self) -> Result<(), Failure> {
        self.sums.finish()?;
        self.depth.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raq_shared::coding::tables::BASES;

    #[test]
    fn every_base_has_a_share() {
        let mut bases = [0; BASES];
        (bases[0], bases[1], bases[2]) = (100, 800, 100);
        spread(&mut bases);
        assert_eq!(bases[..4], [600, 831, 131, 31]);
        assert!(bases[4..].iter().all(|&n| n == 31));
    }
}
