//! The encoder and the decoder as ONNX Runtime sessions with reusable buffers.

use ndarray::{ArrayView, Dimension, IntoDimension};
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{DynValue, Tensor, TensorElementType, TensorRef};

use super::session::{Network, Port};
use super::{Model, ModelError, Precision, Provider, ProviderUsed, quick_bytes};
use crate::frame::{BLOCK, Frame, FrameSize, Grid};

const LUMA: Port<'static> = ("luma", TensorElementType::Uint8, 4);
const CHROMA: Port<'static> = ("chroma", TensorElementType::Uint8, 4);
const LATENTS: Port<'static> = ("latents", TensorElementType::Float32, 4);
const DEPTH: Port<'static> = ("depth", TensorElementType::Float32, 3);

const DECODER: &str = "decoder.onnx";
const DECODER_INT8: &str = "decoder_int8.onnx";

/// Pictures to latents.
pub struct Encoder {
    network: Network,
    dim: usize,
    buffers: Option<EncoderBuffers>,
}

struct EncoderBuffers {
    size: FrameSize,
    options: RunOptions<HasSelectedOutputs>,
    latents: Option<DynValue>,
}

impl Encoder {
    pub(super) fn load(model: &Model) -> Result<Self, ModelError> {
        let ports = (&[LUMA, CHROMA][..], &[LATENTS][..]);
        let network = model.network("encoder.onnx", ports, model.provider())?;
        Ok(Self {
            network,
            dim: model.manifest().latent_dim,
            buffers: None,
        })
    }

    /// Makes the buffers for frames of `size` and runs once, so that the first real frame takes
    /// no longer than the others.
    ///
    /// # Errors
    /// [`ModelError::Run`].
    pub fn prepare(&mut self, size: FrameSize) -> Result<(), ModelError> {
        self.encode(&Frame::new(size)).map(|_| ())
    }

    /// The latents of `frame`, `[positions, dim]`, in grid units and not rounded.
    ///
    /// # Errors
    /// [`ModelError::Run`].
    pub fn encode(&mut self, frame: &Frame) -> Result<&[f32], ModelError> {
        self.run(frame).map_err(|e| self.network.failed(&e))?;
        let latents = self
            .buffers
            .as_ref()
            .and_then(|buffers| buffers.latents.as_ref());
        let values = latents.map(|value| value.try_extract_tensor::<f32>());
        match values {
            Some(Ok((_, values))) => Ok(values),
            Some(Err(e)) => Err(self.network.failed(&e)),
            None => Ok(&[]),
        }
    }

    fn run(&mut self, frame: &Frame) -> ort::Result<()> {
        let size = frame.size();
        let (w, h) = (size.padded_width(), size.padded_height());
        if self
            .buffers
            .as_ref()
            .is_none_or(|buffers| buffers.size != size)
        {
            let Grid { columns, rows } = size.grid();
            let memory = self.network.host_memory();
            let latents = Tensor::<f32>::new(&memory, [1, rows, columns, self.dim])?;
            let outputs = OutputSelector::default().preallocate(LATENTS.0, latents);
            let options = RunOptions::new()?.with_outputs(outputs);
            self.buffers = Some(EncoderBuffers {
                size,
                options,
                latents: None,
            });
        }
        let Some(buffers) = &mut self.buffers else {
            return Ok(());
        };
        let inputs = ort::inputs![
            TensorRef::from_array_view(view([1, 1, h, w], frame.luma_tensor())?)?,
            TensorRef::from_array_view(view([1, 2, h / 2, w / 2], frame.chroma_tensor())?)?,
        ];
        let mut outputs = self
            .network
            .session
            .run_with_options(inputs, &buffers.options)?;
        // The same buffer after every run: it was preallocated.
        buffers.latents = outputs.remove(LATENTS.0);
        Ok(())
    }

    /// Where the network runs.
    pub fn provider(&self) -> ProviderUsed {
        self.network.provider
    }
}

/// Latents to pictures.
pub struct Decoder {
    network: Network,
    dim: usize,
    buffers: Option<DecoderBuffers>,
}

struct DecoderBuffers {
    size: FrameSize,
    /// Rows of positions that show: those of padding below them are not decoded.
    rows: usize,
    latents: Tensor<f32>,
    depth: Tensor<f32>,
    options: RunOptions<HasSelectedOutputs>,
}

impl Decoder {
    pub(super) fn load(model: &Model) -> Result<Self, ModelError> {
        Ok(Self {
            network: Self::network(model)?,
            dim: model.manifest().latent_dim,
            buffers: None,
        })
    }

    /// The network that the precision asked for leads to.
    fn network(model: &Model) -> Result<Network, ModelError> {
        let load =
            |file, provider| model.network(file, (&[LATENTS, DEPTH], &[LUMA, CHROMA]), provider);
        let provider = model.provider();
        match (model.precision(), provider) {
            (Precision::Int8, Provider::Cuda(_)) => {
                let reason = format!("{DECODER_INT8} is for the CPU");
                return Err(ModelError::Provider { provider, reason });
            }
            (Precision::Int8, _) => return load(DECODER_INT8, Provider::Cpu),
            (Precision::Auto, Provider::Auto | Provider::Cpu)
                if quick_bytes() && model.manifest().files.contains_key(DECODER_INT8) => {}
            _ => return load(DECODER, provider),
        }
        if provider == Provider::Auto && model.runtime().without_cuda().is_none() {
            let network = load(DECODER, provider)?;
            if network.provider != ProviderUsed::Cpu {
                return Ok(network);
            }
        }
        load(DECODER_INT8, Provider::Cpu)
    }

    /// Makes the buffers for frames of `size` and runs once, so that the first real frame takes
    /// no longer than the others.
    ///
    /// # Errors
    /// [`ModelError::Run`].
    pub fn prepare(&mut self, size: FrameSize) -> Result<(), ModelError> {
        self.allocate(size).map_err(|e| self.network.failed(&e))?;
        self.decode(&mut Frame::new(size))
    }

    fn allocate(&mut self, size: FrameSize) -> ort::Result<()> {
        let Grid { columns, rows } = size.grid();
        let visible = size.height().div_ceil(BLOCK as usize);
        let (w, h) = (size.padded_width(), visible * BLOCK as usize);
        let memory = self.network.host_memory();
        let mut latents = Tensor::<f32>::new(&memory, [1, rows, columns, self.dim])?;
        let mut depth = Tensor::<f32>::new(&memory, [1, rows, columns])?;
        latents.extract_tensor_mut().1.fill(0.0);
        depth.extract_tensor_mut().1.fill(0.0);
        let outputs = OutputSelector::default()
            .preallocate(LUMA.0, Tensor::<u8>::new(&memory, [1, 1, h, w])?)
            .preallocate(CHROMA.0, Tensor::<u8>::new(&memory, [1, 2, h / 2, w / 2])?);
        let options = RunOptions::new()?.with_outputs(outputs);
        self.buffers = Some(DecoderBuffers {
            size,
            rows: visible,
            latents,
            depth,
            options,
        });
        Ok(())
    }

    /// The inputs of the next [`Self::decode`], to be filled in full: latents `[positions, dim]`
    /// in grid units and depths `[positions]`, 0 to 96. Empty before [`Self::prepare`].
    pub fn inputs(&mut self) -> (&mut [f32], &mut [f32]) {
        match &mut self.buffers {
            Some(buffers) => (
                buffers.latents.extract_tensor_mut().1,
                buffers.depth.extract_tensor_mut().1,
            ),
            None => (&mut [], &mut []),
        }
    }

    /// Decodes the inputs into `frame`, which has the prepared size. Its padding below the picture
    /// keeps what it was.
    ///
    /// # Errors
    /// [`ModelError::Run`], also where `frame` has another size than the prepared one.
    pub fn decode(&mut self, frame: &mut Frame) -> Result<(), ModelError> {
        self.run(frame).map_err(|e| self.network.failed(&e))
    }

    fn run(&mut self, frame: &mut Frame) -> ort::Result<()> {
        let Some(buffers) = self.buffers.as_ref().filter(|b| b.size == frame.size()) else {
            return Err(ort::Error::new(
                "the decoder was not prepared for this size",
            ));
        };
        let (rows, columns) = (buffers.rows, buffers.size.grid().columns);
        let latents = &buffers.latents.extract_tensor().1[..rows * columns * self.dim];
        let depth = &buffers.depth.extract_tensor().1[..rows * columns];
        let inputs = ort::inputs![
            TensorRef::from_array_view(view([1, rows, columns, self.dim], latents)?)?,
            TensorRef::from_array_view(view([1, rows, columns], depth)?)?,
        ];
        let outputs = self
            .network
            .session
            .run_with_options(inputs, &buffers.options)?;
        let (luma, chroma) = frame.tensors_mut();
        for (port, plane) in [(LUMA, luma), (CHROMA, chroma)] {
            let (shape, values) = outputs[port.0].try_extract_tensor::<u8>()?;
            let planes = shape[1] as usize;
            let each = values.len() / planes;
            for (plane, values) in plane
                .chunks_exact_mut(plane.len() / planes)
                .zip(values.chunks_exact(each))
            {
                plane[..each].copy_from_slice(values);
            }
        }
        Ok(())
    }

    /// What it calculates with, never [`Precision::Auto`].
    pub fn precision(&self) -> Precision {
        match self.network.file {
            DECODER_INT8 => Precision::Int8,
            _ => Precision::F32,
        }
    }

    /// Where the network runs.
    pub fn provider(&self) -> ProviderUsed {
        self.network.provider
    }
}

/// A tensor's shape over a slice, without a copy.
fn view<T, D: Dimension>(
    shape: impl IntoDimension<Dim = D>,
    values: &[T],
) -> ort::Result<ArrayView<'_, T, D>> {
    ArrayView::from_shape(shape.into_dimension(), values)
        .map_err(|e| ort::Error::new(e.to_string()))
}
