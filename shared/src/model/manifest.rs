//! The model folder: manifest.json and the files it vouches for by size and BLAKE3.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Digest, ModelError};
use crate::codebook::{CodebookDigest, CodewordShape, MAX_CODEWORDS};
use crate::codebooks::{self, Stage};
use crate::frame::{BLOCK, PAD};
use crate::stage::MAX_LATENT;
use crate::wire::message::ModelId;

/// The manifest format that this program reads.
pub const MANIFEST_FORMAT: u32 = 2;

pub(super) const MANIFEST: &str = "manifest.json";
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const MAX_FILE_BYTES: u64 = 1 << 28;

/// What manifest.json says; keys not named here are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// Format of this file, [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Name of the model, as shown in messages.
    pub name: String,
    /// D, values in one latent.
    pub latent_dim: usize,
    /// Side of the luma block that one position covers, in pixels.
    pub block: usize,
    /// Frame sides are padded to multiples of this many pixels.
    pub pad: usize,
    /// Grid units of a latent per 8-bit pixel unit.
    pub latent_scale: f32,
    /// Bound on the absolute value of every codeword component.
    pub codeword_limit: i16,
    /// The codebooks; what [`codebooks::check`] demands holds.
    pub codebooks: Vec<CodebookEntry>,
    /// The stages; likewise.
    pub stages: Vec<Stage>,
    /// Depth (log2 K̃) that tells the decoder that a latent was not quantised.
    pub unquantised_depth: f32,
    /// Size and digest of every file of the model.
    pub files: BTreeMap<String, FileEntry>,
    /// Digest of the regenerated codebooks, all rows of each.
    #[serde(deserialize_with = "hex_digest")]
    pub codebook_digest: CodebookDigest,
}

/// One codebook of the model.
#[derive(Clone, Debug, Deserialize)]
pub struct CodebookEntry {
    /// Its name, of which the adapter's input and output have theirs.
    pub name: String,
    /// Positions on a side of the square that a codeword covers.
    pub cover: usize,
    /// Leading components that a codeword has of each position.
    pub lead: usize,
    /// K, rows of the base codebook.
    pub base_codewords: usize,
    /// K_max, rows that the adapter emits; 1..=4096.
    pub max_codewords: usize,
    /// The file with the base codebook.
    pub base_file: String,
}

impl CodebookEntry {
    /// What one codeword stands for.
    pub fn shape(&self) -> CodewordShape {
        CodewordShape {
            cover: self.cover,
            lead: self.lead,
        }
    }
}

/// Size and digest of one file of the model.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the content.
    pub blake3: Digest,
}

impl Manifest {
    /// Reads a manifest and checks every bound that later code relies on.
    ///
    /// # Errors
    /// The reason in words, without the file's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        // The format first: a later one may lack keys that this program wants.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if format != MANIFEST_FORMAT {
            return Err(format!(
                "its format is {format}, this program reads {MANIFEST_FORMAT}"
            ));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        let within = |key: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{key} is {value}, outside {low}..={high}"))
            }
        };
        within("latent_dim", self.latent_dim, 1, MAX_LATENT)?;
        let (block, pad) = (BLOCK as usize, PAD as usize);
        within("block", self.block, block, block)?;
        within("pad", self.pad, pad, pad)?;
        let shapes: Vec<_> = self
            .codebooks
            .iter()
            .map(|entry| (entry.name.as_str(), entry.shape()))
            .collect();
        codebooks::check(self.latent_dim, &shapes, &self.stages).map_err(|e| e.to_string())?;
        for entry in &self.codebooks {
            let (base, max) = (entry.base_codewords, entry.max_codewords);
            let of = |key: &str| format!("{key} of codebook {}", entry.name);
            within(&of("max_codewords"), max, 1, MAX_CODEWORDS)?;
            within(&of("base_codewords"), base, 1, max)?;
        }
        within(
            "codeword_limit",
            usize::try_from(self.codeword_limit).unwrap_or(0),
            1,
            32767,
        )?;
        if !(self.latent_scale.is_finite() && self.latent_scale > 0.0) {
            return Err(format!(
                "latent_scale is {}, not positive",
                self.latent_scale
            ));
        }
        if !self.unquantised_depth.is_finite() {
            return Err(format!("unquantised_depth is {}", self.unquantised_depth));
        }
        for (name, entry) in &self.files {
            // Names are joined to the folder: never leave it.
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
                return Err(format!("{name:?} is not a plain file name"));
            }
            if entry.bytes > MAX_FILE_BYTES {
                return Err(format!(
                    "{name} has {} bytes, over {MAX_FILE_BYTES}",
                    entry.bytes
                ));
            }
        }
        Ok(())
    }
}

/// An opened model folder: its manifest is read and checked, its files are checked as they are read.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    path: PathBuf,
    manifest: Manifest,
    id: ModelId,
}

impl ModelFolder {
    /// Reads `path`/manifest.json.
    ///
    /// # Errors
    /// [`ModelError::Read`] or [`ModelError::Manifest`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let file = path.join(MANIFEST);
        let bytes = read_bounded(&file, MAX_MANIFEST_BYTES).map_err(|reason| ModelError::Read {
            path: file.clone(),
            reason,
        })?;
        let manifest = Manifest::parse(&bytes)
            .map_err(|reason| ModelError::Manifest { path: file, reason })?;
        Ok(Self {
            path: path.to_owned(),
            manifest,
            id: ModelId(Digest::of(&bytes).0),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Model id: the digest of manifest.json, and through it of every file.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// Reads one file of the model and checks its size and digest against the manifest.
    ///
    /// # Errors
    /// [`ModelError::Read`], [`ModelError::Size`], [`ModelError::Hash`], or
    /// [`ModelError::Manifest`] where the manifest does not list the file.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ModelError> {
        let path = self.path.join(name);
        let Some(entry) = self.manifest.files.get(name) else {
            return Err(ModelError::Manifest {
                path: self.path.join(MANIFEST),
                reason: format!("it does not list {name}"),
            });
        };
        // One byte more than listed tells a file that is too long from one that fits.
        let bytes = read_bounded(&path, entry.bytes + 1).map_err(|reason| ModelError::Read {
            path: path.clone(),
            reason,
        })?;
        if bytes.len() as u64 != entry.bytes {
            let found = std::fs::metadata(&path).map_or(bytes.len() as u64, |m| m.len());
            return Err(ModelError::Size {
                path,
                expected: entry.bytes,
                found,
            });
        }
        let found = Digest::of(&bytes);
        if found != entry.blake3 {
            return Err(ModelError::Hash {
                path,
                expected: entry.blake3,
                found,
            });
        }
        Ok(bytes)
    }

    /// The base codebooks in the manifest's order: of each `base_codewords` rows.
    ///
    /// # Errors
    /// As [`Self::read`]; [`ModelError::Manifest`] where the size or a value does not fit.
    pub fn base_codebooks(&self) -> Result<Vec<Vec<i16>>, ModelError> {
        let entries = self.manifest.codebooks.iter();
        entries.map(|entry| self.base_codebook(entry)).collect()
    }

    fn base_codebook(&self, entry: &CodebookEntry) -> Result<Vec<i16>, ModelError> {
        let (file, rows, dim) = (&entry.base_file, entry.base_codewords, entry.shape().dim());
        let limit = self.manifest.codeword_limit;
        let bytes = self.read(file)?;
        let values = integers(&bytes);
        let reason = if bytes.len() != rows * dim * 2 {
            format!(
                "{file} has {} bytes, not {rows} rows of {dim} i16",
                bytes.len()
            )
        } else if let Some(value) = values
            .iter()
            .find(|v| v.unsigned_abs() > limit.unsigned_abs())
        {
            format!("{file} holds {value}, beyond codeword_limit {limit}")
        } else {
            return Ok(values);
        };
        Err(ModelError::Manifest {
            path: self.path.join(MANIFEST),
            reason,
        })
    }
}

fn hex_digest<'de, D: serde::Deserializer<'de>>(d: D) -> Result<CodebookDigest, D::Error> {
    Digest::deserialize(d).map(|digest| CodebookDigest(digest.0))
}

/// Little-endian integers; a byte left over is ignored.
pub(super) fn integers(bytes: &[u8]) -> Vec<i16> {
    let (pairs, _) = bytes.as_chunks();
    pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

/// Reads at most `limit` bytes, whatever the file claims to be (a device, a pipe, a growing file).
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    // Before it is opened: opening a pipe waits for whoever writes to it.
    let meta = path.metadata().map_err(|e| e.to_string())?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::with_capacity(meta.len().min(limit) as usize);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
