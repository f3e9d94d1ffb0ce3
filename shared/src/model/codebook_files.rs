//! Codebooks in files: given in place of those that the adapter makes, or kept from the last time.

use std::path::Path;

use super::manifest::{integers, read_bounded};
use super::{CodebookEntry, ModelError, ModelFolder};
use crate::codebook::Codebook;
use crate::codebooks::Codebooks;

const MAX_CODEBOOK_BYTES: u64 = 1 << 22;

/// Codebooks from files in place of those that the adapter makes: for training, and to measure
/// what the adapter costs. `dir` holds `NAME.i16` for each codebook of the model: all
/// `max_codewords` rows, row-major little-endian `i16`.
///
/// # Errors
/// [`ModelError::Codebook`] names the file that is missing or does not fit.
pub fn read_codebooks(folder: &ModelFolder, dir: &Path) -> Result<Codebooks, ModelError> {
    let manifest = folder.manifest();
    let list: Result<Vec<_>, _> = manifest
        .codebooks
        .iter()
        .map(|entry| read_codebook(entry, manifest.codeword_limit, dir))
        .collect();
    Codebooks::new(manifest.latent_dim, list?, manifest.stages.clone()).map_err(|e| {
        ModelError::Codebook {
            path: dir.to_owned(),
            reason: e.to_string(),
        }
    })
}

fn read_codebook(entry: &CodebookEntry, limit: i16, dir: &Path) -> Result<Codebook, ModelError> {
    let path = dir.join(format!("{}.i16", entry.name));
    let wrong = |reason: String| ModelError::Codebook {
        path: path.clone(),
        reason,
    };
    let bytes = read_bounded(&path, MAX_CODEBOOK_BYTES).map_err(wrong)?;
    let (rows, dim) = (entry.max_codewords, entry.shape().dim());
    if bytes.len() != rows * dim * 2 {
        return Err(wrong(format!(
            "it has {} bytes, not {rows} rows of {dim} i16",
            bytes.len()
        )));
    }
    let values = integers(&bytes);
    if let Some(value) = values
        .iter()
        .find(|value| value.unsigned_abs() > limit.unsigned_abs())
    {
        return Err(wrong(format!(
            "it holds {value}, beyond codeword_limit {limit}"
        )));
    }
    Codebook::named(&entry.name, entry.shape(), values).map_err(|e| wrong(e.to_string()))
}
