//! raq itself: networks of a model around a [`Transfer`].

use std::time::{Duration, Instant};

use raq_recv::intake::Intake;
use raq_shared::{
    codebooks::Codebooks,
    exit::Failure,
    frame::{Frame, FrameSize},
    latent::Latents,
    model::{
        Decoder, Encoder, Model, ModelError, ModelOptions, Precision, Provider, Temporal, named,
        read_codebooks,
    },
    paths::cache_dir,
    tile::TileGrid,
    units::Bitrate,
};

use super::{
    Clip,
    encoded::{Encoded, EncodedFrame},
};
use crate::{
    options::ModelArgs,
    transfer::{Setup, Transfer},
};

/// A model with its codebooks. Its networks run on the CPU with one thread, as the other codecs do,
/// so that figures depend on no other processor and times can be compared.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// Its codebooks, made or read.
    pub codebooks: Codebooks,
    /// What goes with them.
    pub temporal: Temporal,
}

impl Opened {
    /// Opens the model that `model` names and makes its codebooks, or reads those of the folder
    /// given.
    ///
    /// # Errors
    /// [`ModelError`] where the model, ONNX Runtime or a codebook is missing or does not fit;
    /// [`ModelError::NoTemporal`] where the model codes single frames only.
    pub fn open(model: &ModelArgs) -> Result<Self, ModelError> {
        let opened = Model::open(&ModelOptions {
            folder: named(model.model.as_deref()),
            onnxruntime: None,
            provider: Provider::Cpu,
            precision: Precision::F32,
            cache: cache_dir().ok(),
            threads: 1,
        })?;
        Temporal::check(opened.folder())?;
        let codebooks = match &model.codebooks {
            Some(folder) => read_codebooks(opened.folder(), folder)?,
            None => opened.codebooks()?,
        };
        let temporal = Temporal::load(opened.folder(), &codebooks)?;
        Ok(Self {
            model: opened,
            codebooks,
            temporal,
        })
    }
}

/// A model that is ready to code clips.
pub struct Raq {
    encoder: Encoder,
    decoder: Decoder,
    temporal: Temporal,
    /// Names of the codebooks.
    names: Vec<String>,
}

impl Raq {
    /// Opens a model as [`Opened::open`] does, and loads its networks.
    ///
    /// # Errors
    /// [`ModelError`] as there, or where a network does not fit.
    pub fn open(model: &ModelArgs) -> Result<Self, ModelError> {
        let Opened {
            model,
            codebooks,
            temporal,
        } = Opened::open(model)?;
        let names = codebooks.list().iter();
        Ok(Self {
            encoder: model.encoder()?,
            decoder: model.decoder()?,
            temporal,
            names: names.map(|codebook| codebook.name().to_owned()).collect(),
        })
    }

    /// Stages, linear skip and tables.
    pub fn temporal(&self) -> &Temporal {
        &self.temporal
    }

    /// The names of the stages' codebooks, in their order.
    pub fn codebook_names(&self) -> &[String] {
        &self.names
    }

    /// Room for the latents of a frame of this size.
    pub fn empty_latents(&self, size: FrameSize) -> Latents {
        Latents::new(size.grid(), self.temporal.stages.dim())
    }

    /// The latents of a frame, rounded to the grid.
    ///
    /// # Errors
    /// [`ModelError::Run`].
    pub fn latents(&mut self, frame: &Frame, latents: &mut Latents) -> Result<(), ModelError> {
        latents.round_from(self.encoder.encode(frame)?);
        Ok(())
    }

    /// A session for a clip.
    pub fn transfer(&self, clip: &Clip, rate: Bitrate, setup: &Setup) -> Transfer {
        let grid = TileGrid::of(clip.size());
        Transfer::new(&self.temporal, grid, clip.fps(), rate, setup)
    }

    /// Sends a clip. The time for encoding is that of encoder network, choice and coding. Says on
    /// standard error how long the parts took and what got lost.
    ///
    /// # Errors
    /// [`Failure`] where a network fails or the codec makes a mistake.
    pub fn encode(
        &mut self,
        clip: &Clip,
        rate: Bitrate,
        setup: &Setup,
    ) -> Result<Encoded, Failure> {
        let size = clip.size();
        self.encoder.prepare(size)?;
        self.decoder.prepare(size)?;
        let mut latents = self.empty_latents(size);
        let mut transfer = self.transfer(clip, rate, setup);
        let mut frames = Vec::with_capacity(clip.frames.len());
        let mut encoding = Duration::ZERO;
        for frame in &clip.frames {
            let began = now();
            self.latents(frame, &mut latents)?;
            encoding += now() - began;
            let bytes = transfer.send(&latents, frame.luma_tensor())?;
            let picture = self.decode(transfer.intake(), size)?;
            frames.push(EncodedFrame { bytes, picture });
        }
        let tally = transfer.tally();
        eprintln!("{}: raq at {rate}: {tally}", clip.name);
        Ok(Encoded {
            setting: setting(rate, setup),
            frames,
            encode_time: encoding + tally.coding.iter().sum::<Duration>(),
        })
    }

    fn decode(&mut self, intake: &Intake, size: FrameSize) -> Result<Frame, ModelError> {
        let (latents, depths) = self.decoder.inputs();
        intake.fill(latents, depths);
        let mut picture = Frame::new(size);
        self.decoder.decode(&mut picture)?;
        Ok(picture)
    }
}

fn setting(rate: Bitrate, setup: &Setup) -> String {
    let mut text = format!("{} kbit/s, {}", rate.kilobits_per_second(), setup.speed);
    if let Some(datagrams) = setup.datagrams {
        text += &format!(", {datagrams} datagrams");
    }
    if setup.loss > 0.0 {
        text += &format!(", loss {} seed {}", setup.loss, setup.seed);
    }
    if !setup.feedback_delay.is_zero() {
        text += &format!(", feedback after {:?}", setup.feedback_delay);
    }
    text
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long the encoder takes is what is measured"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_tells_what_is_not_usual() {
        let rate = Bitrate::from_kilobits_per_second(60);
        let mut setup = Setup::default();
        assert_eq!(setting(rate, &setup), "60 kbit/s, medium");
        setup.loss = 0.1;
        setup.datagrams = Some(4);
        setup.feedback_delay = Duration::from_millis(100);
        let text = "60 kbit/s, medium, 4 datagrams, loss 0.1 seed 0, feedback after 100ms";
        assert_eq!(setting(rate, &setup), text);
    }
}
