//! What the temporal codec needs of a model besides its networks.

use std::sync::Arc;

use super::manifest::integers;
use super::{ModelError, ModelFolder};
use crate::codebooks::Codebooks;
use crate::coding::Tables;
use crate::coding::tables::TableCounts;
use crate::stage::{StageError, Stages};
use crate::tile::Basis;

/// The linear skip: `latent_dim` rows of 96 little-endian `i16`, Q12.
const BASIS: &str = "basis.i16";
/// The counts of symbols: [`TableCounts`] as JSON.
const TABLES: &str = "tables.json";

/// Stages, linear skip and tables of one model: what both ends of a session code updates with.
#[derive(Debug, Clone)]
pub struct Temporal {
    /// The stages, with their codebooks.
    pub stages: Arc<Stages>,
    /// The linear skip in integers.
    pub basis: Arc<Basis>,
    /// The static tables.
    pub tables: Arc<Tables>,
}

impl Temporal {
    /// Reads `basis.i16` and `tables.json` of a model whose codebooks were made already.
    ///
    /// # Errors
    /// [`ModelError::NoTemporal`] for a model without these files, [`ModelError::Temporal`] where
    /// they or the stages do not fit the codec, and what [`ModelFolder::read`] says.
    pub fn load(folder: &ModelFolder, codebooks: &Codebooks) -> Result<Self, ModelError> {
        Self::check(folder)?;
        let wrong = |file: &str, reason: &dyn std::fmt::Display| ModelError::Temporal {
            path: folder.path().join(file),
            reason: reason.to_string(),
        };
        let stages = Stages::of(codebooks).map_err(|e| wrong(super::manifest::MANIFEST, &e))?;
        let bytes = folder.read(BASIS)?;
        let basis = if bytes.len().is_multiple_of(2) {
            Basis::new(stages.dim(), &integers(&bytes)).map_err(|e| wrong(BASIS, &e))?
        } else {
            return Err(wrong(BASIS, &"it ends in the middle of a number"));
        };
        let counts: TableCounts =
            serde_json::from_slice(&folder.read(TABLES)?).map_err(|e| wrong(TABLES, &e))?;
        let tables = Tables::new(&counts, &stages).map_err(|e| wrong(TABLES, &e))?;
        Ok(Self {
            stages: Arc::new(stages),
            basis: Arc::new(basis),
            tables: Arc::new(tables),
        })
    }

    /// The same with other codebooks of the same shapes.
    ///
    /// # Errors
    /// [`StageError`] where they do not fit the codec.
    pub fn with_codebooks(&self, codebooks: &Codebooks) -> Result<Self, StageError> {
        Ok(Self {
            stages: Arc::new(Stages::of(codebooks)?),
            basis: Arc::clone(&self.basis),
            tables: Arc::clone(&self.tables),
        })
    }

    /// Whether the manifest lists the files, without reading them.
    ///
    /// # Errors
    /// [`ModelError::NoTemporal`] names the first that it does not list.
    pub fn check(folder: &ModelFolder) -> Result<(), ModelError> {
        let listed = |file: &&str| folder.manifest().files.contains_key(*file);
        match [BASIS, TABLES].into_iter().find(|file| !listed(file)) {
            Some(file) => Err(ModelError::NoTemporal {
                path: folder.path().to_owned(),
                file,
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
