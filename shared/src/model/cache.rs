//! Codebooks kept from one start to the next, by their digest.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

use super::{ModelFolder, read_codebooks};
use crate::codebooks::Codebooks;

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
