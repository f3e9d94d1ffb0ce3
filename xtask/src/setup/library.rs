//! ONNX Runtime in the per-user data folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use raq_shared::paths::ONNXRUNTIME_VERSION;
use serde::{Deserialize, Serialize};

use super::{
    data_dir, pip,
    wheel::{Wheel, wheels},
};

/// The oldest release that the programs accept.
pub(super) const OLDEST_VERSION: &str = "1.24.4";

/// Which ONNX Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The pinned release.
    Cpu,
    /// The pinned release built for CUDA, with NVIDIA's libraries beside it; runs on the CPU too.
    Cuda,
    /// The oldest release that the programs accept: for tests.
    Oldest,
}

impl Build {
    fn version(self) -> &'static str {
        match self {
            Self::Cpu | Self::Cuda => ONNXRUNTIME_VERSION,
            Self::Oldest => OLDEST_VERSION,
        }
    }
}

/// The folder of `build`'s libraries; it may not be there yet.
///
/// # Errors
/// Where no home directory is known.
pub fn library_folder(build: Build) -> Result<PathBuf> {
    Ok(data_dir()?.join("onnxruntime").join(build.version()))
}

/// The record of what was installed, written last: without it nothing is complete.
const RECORD: &str = "setup.json";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// SHA-256 of each wheel by project.
    wheels: BTreeMap<String, String>,
    /// Size of each library by file name.
    files: BTreeMap<String, u64>,
}

impl Record {
    /// Whether `folder` holds every one of `wheels` in full. A cut or deleted file shows.
    fn complete(folder: &Path, wheels: &[Wheel]) -> bool {
        let Ok(text) = fs::read(folder.join(RECORD)) else {
            return false;
        };
        let Ok(record) = serde_json::from_slice::<Self>(&text) else {
            return false;
        };
        let pinned = |wheel: &Wheel| {
            record
                .wheels
                .get(wheel.project)
                .is_some_and(|sha256| sha256 == wheel.sha256)
        };
        let whole = |(name, bytes): (&String, &u64)| {
            fs::metadata(folder.join(name)).is_ok_and(|file| file.len() == *bytes)
        };
        wheels.iter().all(pinned) && !record.files.is_empty() && record.files.iter().all(whole)
    }
}

/// Puts `build` into its folder unless it is there.
pub(super) fn install(build: Build) -> Result<()> {
    let folder = library_folder(build)?;
    // The build for CUDA does all that the plain one does.
    let sufficient = if build == Build::Cpu {
        &[build, Build::Cuda][..]
    } else {
        &[build]
    };
    for &build in sufficient {
        if wheels(build).is_ok_and(|wheels| Record::complete(&folder, wheels)) {
            return Ok(());
        }
    }
    let wheels = wheels(build)?;
    let megabytes: u32 = wheels.iter().map(|wheel| wheel.megabytes).sum();
    eprintln!(
        "Fetching ONNX Runtime {} ({megabytes} MB) …",
        build.version()
    );
    pip::check()?;
    fetch(wheels, &folder)?;
    eprintln!(
        "ONNX Runtime {} is in {}",
        build.version(),
        folder.display()
    );
    Ok(())
}

/// Downloads and checks everything beside the final place, then renames it file by file: a
/// program that runs meanwhile keeps the library it has, and a broken download leaves nothing.
fn fetch(wheels: &[Wheel], folder: &Path) -> Result<()> {
    let failed = || {
        format!(
            "cannot write to {}; free space or set RAQ_DATA_DIR",
            folder.display()
        )
    };
    fs::create_dir_all(folder).with_context(failed)?;
    let work = tempfile::Builder::new()
        .prefix(".setup-")
        .tempdir_in(folder)
        .with_context(failed)?;
    let (downloads, unpacked) = (work.path().join("wheels"), work.path().join("libraries"));
    fs::create_dir(&downloads)
        .and_then(|()| fs::create_dir(&unpacked))
        .with_context(failed)?;
    pip::download(wheels, &downloads)?;
    pip::unpack(wheels, &downloads, &unpacked)?;
    let mut record = Record::default();
    for wheel in wheels {
        record
            .wheels
            .insert(wheel.project.to_owned(), wheel.sha256.to_owned());
    }
    move_all(&unpacked, folder, &mut record).with_context(failed)?;
    let text = serde_json::to_vec_pretty(&record)?;
    let temporary = work.path().join(RECORD);
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, folder.join(RECORD)))
        .with_context(failed)
}

fn move_all(from: &Path, to: &Path, record: &mut Record) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        record.files.insert(name, entry.metadata()?.len());
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(folder: &Path, wheels: &[Wheel]) {
        fs::write(folder.join("libonnxruntime.so.1"), "library").unwrap();
        let record = Record {
            wheels: wheels
                .iter()
                .map(|w| (w.project.into(), w.sha256.into()))
                .collect(),
            files: BTreeMap::from([("libonnxruntime.so.1".to_owned(), 7)]),
        };
        fs::write(folder.join(RECORD), serde_json::to_vec(&record).unwrap()).unwrap();
    }

    #[test]
    fn complete_means_these_wheels_in_full() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (cpu, oldest) = (wheels(Build::Cpu).unwrap(), wheels(Build::Oldest).unwrap());
        assert!(!Record::complete(folder, cpu));
        installed(folder, cpu);
        assert!(Record::complete(folder, cpu));
        assert!(!Record::complete(folder, oldest));
        fs::write(folder.join("libonnxruntime.so.1"), "libr").unwrap();
        assert!(
            !Record::complete(folder, cpu),
            "a cut library is fetched again"
        );
        installed(folder, cpu);
        fs::write(folder.join(RECORD), "{").unwrap();
        assert!(
            !Record::complete(folder, cpu),
            "a broken record counts as none"
        );
    }
}
