//! Where things lie: outside data, the per-user folders, ONNX Runtime.

use std::{
    env,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;

/// Names the folder of outside data (videos, pictures, traces) for tests and scenarios.
pub const DATA_VARIABLE: &str = "RAQ_DATA";
/// Where outside data lies when [`DATA_VARIABLE`] is not set, from the repository's root.
pub const DEFAULT_DATA: &str = "../shared/data";
/// Overrides the per-user folder of downloads, `…/raq`.
pub const DATA_DIR_VARIABLE: &str = "RAQ_DATA_DIR";
/// Overrides the per-user folder of identity and trust, `…/raq`.
pub const CONFIG_DIR_VARIABLE: &str = "RAQ_CONFIG_DIR";
/// Overrides the per-user folder of what can be made again, `…/raq`.
pub const CACHE_DIR_VARIABLE: &str = "RAQ_CACHE_DIR";
/// The pinned version of ONNX Runtime.
pub const ONNXRUNTIME_VERSION: &str = "1.31.1";

/// No per-user folder can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no home directory is known; set HOME or {variable}")]
pub struct NoHome {
    variable: &'static str,
}

/// The folder of outside data; it need not exist.
pub fn outside_data() -> PathBuf {
    match given(DATA_VARIABLE) {
        Some(path) => path,
        None => repository().join(DEFAULT_DATA),
    }
}

/// The repository this program was built from: for tests and chores, not for installed programs.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The per-user folder of downloads: `$RAQ_DATA_DIR`, else `raq` in `$XDG_DATA_HOME` or
/// `~/.local/share`.
///
/// # Errors
/// [`NoHome`] when no home directory is known.
pub fn data_dir() -> Result<PathBuf, NoHome> {
    per_user(DATA_DIR_VARIABLE, |strategy| strategy.data_dir())
}

/// The per-user folder of identity and trust: `$RAQ_CONFIG_DIR`, else `raq` in
/// `$XDG_CONFIG_HOME` or `~/.config`.
///
/// # Errors
/// [`NoHome`] when no home directory is known.
pub fn config_dir() -> Result<PathBuf, NoHome> {
    per_user(CONFIG_DIR_VARIABLE, |strategy| strategy.config_dir())
}

/// The per-user folder of what can be made again: `$RAQ_CACHE_DIR`, else `raq` in `$XDG_CACHE_HOME`
/// or `~/.cache`.
///
/// # Errors
/// [`NoHome`] when no home directory is known.
pub fn cache_dir() -> Result<PathBuf, NoHome> {
    per_user(CACHE_DIR_VARIABLE, |strategy| strategy.cache_dir())
}

/// Whether two names are of one file, which need not exist; hard links are. Devices and pipes are none:
/// several may use them.
pub fn same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        if let Ok(path) = path.canonicalize() {
            return path;
        }
        let name = path.file_name().unwrap_or_default();
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new(".")).canonicalize();
        folder.map_or_else(|_| path.to_owned(), |folder| folder.join(name))
    };
    let is_shared = |path: &Path| {
        let about = path.metadata();
        about.is_ok_and(|about| !about.is_file() && !about.is_dir())
    };
    let node = |path: &Path| path.metadata().ok().map(|it| (it.dev(), it.ino()));
    let linked = || node(one).is_some_and(|it| node(other) == Some(it));
    (place(one) == place(other) || linked()) && !is_shared(one)
}

/// Where set-up makes the Python environment for training.
///
/// # Errors
/// [`NoHome`] when no home directory is known.
pub fn training_dir() -> Result<PathBuf, NoHome> {
    Ok(data_dir()?.join("train"))
}

/// The Python of an environment.
pub fn python_in(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Where set-up puts ONNX Runtime's libraries.
///
/// # Errors
/// [`NoHome`] when no home directory is known.
pub fn onnxruntime_dir() -> Result<PathBuf, NoHome> {
    Ok(data_dir()?.join("onnxruntime").join(ONNXRUNTIME_VERSION))
}

/// The file name of the pinned library.
pub fn onnxruntime_library() -> String {
    format!("libonnxruntime.so.{ONNXRUNTIME_VERSION}")
}

/// The variables above that are set, made absolute: for programs started in another folder.
pub fn absolute_variables() -> impl Iterator<Item = (&'static str, PathBuf)> {
    [
        DATA_VARIABLE,
        DATA_DIR_VARIABLE,
        CONFIG_DIR_VARIABLE,
        CACHE_DIR_VARIABLE,
    ]
    .into_iter()
    .filter_map(|name| Some((name, given(name)?)))
}

fn per_user(
    variable: &'static str,
    folder: impl Fn(&etcetera::base_strategy::Xdg) -> PathBuf,
) -> Result<PathBuf, NoHome> {
    if let Some(path) = given(variable) {
        return Ok(path);
    }
    let strategy = etcetera::base_strategy::Xdg::new().map_err(|_| NoHome { variable })?;
    Ok(folder(&strategy).join("raq"))
}

/// A variable that is set and not empty, made absolute.
fn given(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable).filter(|value| !value.is_empty())?;
    Some(std::path::absolute(&value).unwrap_or_else(|_| PathBuf::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [one, linked, other] = ["one", "linked", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::fs::hard_link(&one, &linked).unwrap();
        assert!(same_file(&one, &folder.path().join("./one")));
        assert!(same_file(&one, &linked));
        assert!(!same_file(&one, &other));
        let missing = folder.path().join("missing");
        assert!(same_file(&missing, &missing) && !same_file(&missing, &one));
        assert!(!same_file(Path::new("/dev/null"), Path::new("/dev/null")));
    }
}
