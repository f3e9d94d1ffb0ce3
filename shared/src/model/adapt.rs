//! The adapter as an ONNX Runtime session: base codebooks to codebooks.

use ndarray::Array2;
use ort::session::SessionInputValue;
use ort::value::{Tensor, TensorElementType};

use super::session::{Network, Port};
use super::{CodebookEntry, ModelError, ModelFolder, Provider, ProviderUsed, Runtime};
use crate::codebook::{Codebook, CodebookError};
use crate::codebooks::Codebooks;

const FILE: &str = "adapter.onnx";

/// Runs the model's adapter on `bases` (of each codebook `base_codewords` rows, in the manifest's
/// order); tells also where it ran.
pub(super) fn adapt(
    runtime: &Runtime,
    folder: &ModelFolder,
    bases: &[Vec<i16>],
    provider: Provider,
    threads: usize,
) -> Result<(Codebooks, ProviderUsed), ModelError> {
    let manifest = folder.manifest();
    let entries = &manifest.codebooks;
    let names = |kind: &str| -> Vec<String> {
        entries
            .iter()
            .map(|entry| format!("{kind}_{}", entry.name))
            .collect()
    };
    let (inputs, outputs) = (names("base"), names("codebook"));
    let mut network = Network::load(
        runtime,
        folder,
        FILE,
        (&ports(&inputs), &ports(&outputs)),
        provider,
        threads,
    )?;
    let rows = run(&mut network, entries, &inputs, &outputs, bases)
        .map_err(|error| network.failed(&error))?;
    let misfit = |error: CodebookError| ModelError::Network {
        file: FILE,
        reason: error.to_string(),
    };
    let mut list = Vec::with_capacity(entries.len());
    for (entry, rows) in entries.iter().zip(rows) {
        let rows = narrow(&rows, manifest.codeword_limit)?;
        list.push(Codebook::named(&entry.name, entry.shape(), rows).map_err(misfit)?);
    }
    let codebooks = Codebooks::new(manifest.latent_dim, list, manifest.stages.clone());
    Ok((codebooks.map_err(misfit)?, network.provider))
}

/// The adapter's inputs or outputs: `[rows, dim]` of whole numbers.
fn ports(names: &[String]) -> Vec<Port<'_>> {
    names
        .iter()
        .map(|name| (name.as_str(), TensorElementType::Int32, 2))
        .collect()
}

fn run(
    network: &mut Network,
    entries: &[CodebookEntry],
    inputs: &[String],
    outputs: &[String],
    bases: &[Vec<i16>],
) -> ort::Result<Vec<Vec<i32>>> {
    let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(entries.len());
    for ((entry, name), base) in entries.iter().zip(inputs).zip(bases) {
        let shape = (entry.base_codewords, entry.shape().dim());
        let base = Array2::from_shape_vec(shape, base.iter().map(|&v| v.into()).collect())
            .map_err(|e| ort::Error::new(e.to_string()))?;
        values.push((name, Tensor::<i32>::from_array(base)?.into()));
    }
    let made = network.session.run(values)?;
    let mut codebooks = Vec::with_capacity(entries.len());
    for (entry, name) in entries.iter().zip(outputs) {
        let (shape, values) = made[name.as_str()].try_extract_tensor::<i32>()?;
        if shape[..] != [entry.max_codewords as i64, entry.shape().dim() as i64] {
            return Err(ort::Error::new(format!("{name} has the shape {shape:?}")));
        }
        codebooks.push(values.to_vec());
    }
    Ok(codebooks)
}

fn narrow(values: &[i32], limit: i16) -> Result<Vec<i16>, ModelError> {
    let limit = i32::from(limit);
    let narrow = |&value: &i32| match i16::try_from(value) {
        Ok(narrow) if value.abs() <= limit => Ok(narrow),
        _ => {
            let reason = format!("it gives {value}, beyond codeword_limit {limit}");
            Err(ModelError::Network { file: FILE, reason })
        }
    };
    values.iter().map(narrow).collect()
}
