//! The shipped model in the per-user data folder, for programs that are installed elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use raq_shared::{
    model::{DEFAULT_MODEL, INSTALLED_MODEL},
    paths,
};

use super::data_dir;

/// Copies the repository's model to where installed programs look, unless it is there already.
pub(super) fn install() -> Result<()> {
    let from = paths::repository().join(DEFAULT_MODEL);
    let to = data_dir()?.join(INSTALLED_MODEL);
    if same(&from, &to) {
        return Ok(());
    }
    replace(&from, &to).with_context(|| {
        format!(
            "cannot copy {} to {}; free space or set RAQ_DATA_DIR",
            from.display(),
            to.display()
        )
    })?;
    eprintln!("The model is in {}", to.display());
    Ok(())
}

/// Whether every file of `from` is in `to`, byte for byte.
fn same(from: &Path, to: &Path) -> bool {
    let equal = |path: &PathBuf| -> io::Result<bool> {
        let copy = to.join(path.file_name().unwrap_or_default());
        Ok(fs::read(path)? == fs::read(copy)?)
    };
    files(from).is_ok_and(|files| files.iter().all(|path| equal(path).unwrap_or(false)))
}

/// The copy is made beside its place and then takes it: a program that starts meanwhile finds one
/// model whole.
fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let above = to.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(above)?;
    let work = tempfile::Builder::new()
        .prefix(".setup-")
        .tempdir_in(above)?;
    let (new, old) = (work.path().join("new"), work.path().join("old"));
    fs::create_dir(&new)?;
    for path in files(from)? {
        fs::copy(&path, new.join(path.file_name().unwrap_or_default()))?;
    }
    match fs::rename(to, old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::rename(new, to),
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().map(fs::DirEntry::path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_old_or_damaged_copy_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("a/b"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("manifest.json"), "{}").unwrap();
        fs::write(from.join("decoder.onnx"), "graph").unwrap();
        assert!(!same(&from, &to));
        replace(&from, &to).unwrap();
        assert!(same(&from, &to));

        fs::write(to.join("decoder.onnx"), "grap").unwrap();
        fs::write(to.join("left.i16"), "of an older model").unwrap();
        assert!(!same(&from, &to));
        replace(&from, &to).unwrap();
        assert!(same(&from, &to));
        assert!(!to.join("left.i16").exists());
        assert_eq!(files(folder.path().join("a").as_path()).unwrap(), [to]);
    }
}
