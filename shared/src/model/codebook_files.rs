//! Codebooks in files: given in place of those that the adapter makes, or kept from the last time.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

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

/// Codebooks that the adapter made before: making them takes a second. A folder for each digest, laid
/// out as [`read_codebooks`] wants it.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.join("codebooks"),
        }
    }

    /// The codebooks of a model, where they are kept and have the digest that its manifest names.
    pub(super) fn load(&self, model: &ModelFolder) -> Option<Codebooks> {
        let wanted = model.manifest().codebook_digest;
        let kept = self.folder.join(wanted.to_hex());
        if !kept.is_dir() {
            return None;
        }
        let found = read_codebooks(model, &kept);
        if let Ok(codebooks) = found
            && codebooks.digest() == wanted
        {
            return Some(codebooks);
        }
        tracing::debug!("{} is damaged and goes", kept.display());
        // What cannot be removed is found again the next time, and costs that second.
        let _ = fs::remove_dir_all(&kept);
        None
    }

    /// Keeps them. A full disk or a folder that cannot be written costs the next start a second.
    pub(super) fn store(&self, codebooks: &Codebooks) {
        if let Err(error) = self.write(codebooks) {
            tracing::debug!(
                "codebooks are not kept in {}: {error}",
                self.folder.display()
            );
        }
    }

    fn write(&self, codebooks: &Codebooks) -> io::Result<()> {
        let name = codebooks.digest().to_hex();
        // Other programs see all of it or nothing.
        let partial = self.folder.join(format!(".{name}.{}", process::id()));
        fs::create_dir_all(&partial)?;
        let written = codebooks.list().iter().try_for_each(|codebook| {
            let rows = codebook.rows().iter();
            let bytes: Vec<u8> = rows.flat_map(|value| value.to_le_bytes()).collect();
            fs::write(partial.join(format!("{}.i16", codebook.name())), bytes)
        });
        let kept = written.and_then(|()| fs::rename(&partial, self.folder.join(name)));
        if kept.is_err() {
            let _ = fs::remove_dir_all(&partial);
        }
        kept
    }
}
