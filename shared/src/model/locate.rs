//! Where the model folder is looked for.

use std::path::{Path, PathBuf};

use super::ModelError;
use crate::paths;

/// The model that programs take when none is named, relative to the repository.
pub const DEFAULT_MODEL: &str = "onnx/models/base";

/// Where set-up puts that model, relative to the per-user folder of downloads.
pub const INSTALLED_MODEL: &str = "models/base";

/// Names the model folder where `--model` does not.
pub const MODEL_VARIABLE: &str = "RAQ_MODEL";

/// The folder that `--model` names, or else [`MODEL_VARIABLE`]; none where neither does.
pub fn named(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(MODEL_VARIABLE).filter(|value| !value.is_empty());
    flag.map(Path::to_owned)
        .or_else(|| variable().map(PathBuf::from))
}

/// The folder `given` (by `--model` or RAQ_MODEL), or else the first of the usual places that
/// holds a manifest.
///
/// # Errors
/// [`ModelError::NotFound`] with every place. A folder that was given is never passed over.
pub fn locate(given: Option<&Path>) -> Result<PathBuf, ModelError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let cwd = std::env::current_dir().ok();
    let exe = std::env::current_exe().ok();
    let data = paths::data_dir().ok();
    let places = candidates(cwd.as_deref(), exe.as_deref(), data.as_deref());
    first_with_manifest(places)
}

fn first_with_manifest(tried: Vec<PathBuf>) -> Result<PathBuf, ModelError> {
    match tried
        .iter()
        .find(|path| path.join("manifest.json").is_file())
    {
        Some(path) => Ok(path.clone()),
        None => Err(ModelError::NotFound { tried }),
    }
}

/// Working directory, beside the executable, an installation's share folder, every folder above the
/// executable (which finds the repository from target/release), then where `cargo xtask setup` puts
/// it for programs that were installed elsewhere.
fn candidates(cwd: Option<&Path>, exe: Option<&Path>, data: Option<&Path>) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(cwd) = cwd {
        places.push(cwd.join(DEFAULT_MODEL));
    }
    if let Some(folder) = exe.and_then(Path::parent) {
        places.push(folder.join("models/base"));
        if let Some(prefix) = folder.parent() {
            places.push(prefix.join("share/raq/models/base"));
        }
        places.extend(folder.ancestors().map(|above| above.join(DEFAULT_MODEL)));
    }
    places.extend(data.map(|data| data.join(INSTALLED_MODEL)));
    let mut seen = std::collections::HashSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_in_order_and_above_the_executable() {
        let places = candidates(
            Some(Path::new("/home/u")),
            Some(Path::new("/r/target/release/raq-recv")),
            Some(Path::new("/home/u/.local/share/raq")),
        );
        let places: Vec<_> = places.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(
            places,
            [
                "/home/u/onnx/models/base",
                "/r/target/release/models/base",
                "/r/target/share/raq/models/base",
                "/r/target/release/onnx/models/base",
                "/r/target/onnx/models/base",
                "/r/onnx/models/base",
                "/onnx/models/base",
                "/home/u/.local/share/raq/models/base",
            ]
        );
    }

    #[test]
    fn the_error_lists_every_place_and_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let places = vec![dir.path().join("a"), dir.path().join("b")];
        let text = first_with_manifest(places.clone()).unwrap_err().to_string();
        for part in ["/a", "/b", "cargo xtask setup", "--model DIR"] {
            assert!(text.contains(part), "{text}");
        }
        std::fs::create_dir(&places[1]).unwrap();
        std::fs::write(places[1].join("manifest.json"), "{}").unwrap();
        assert_eq!(first_with_manifest(places.clone()).unwrap(), places[1]);
    }
}
