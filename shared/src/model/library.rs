//! Where the library of ONNX Runtime is looked for, and where `cargo xtask setup` puts it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Environment variable that names the library, as in every program that uses the crate ort.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The flag that names the library.
pub const LIBRARY_FLAG: &str = "--onnxruntime";

const STEM: &str = "libonnxruntime.so";

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The library, or for a system library its bare name.
    pub path: PathBuf,
    /// The flag or variable that named it; such a library is not passed over when it fails.
    pub given_by: Option<&'static str>,
}

/// The places to try and those that were looked at in vain.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// In order of preference.
    pub found: Vec<Candidate>,
    /// Folders without the library, for the error message.
    pub empty: Vec<PathBuf>,
}

/// Looks for the library: flag, variable, beside the program (and in ../lib/raq), the folder that
/// set-up fills, the system loader.
pub fn search(
    flag: Option<&Path>,
    variable: Option<OsString>,
    exe: Option<&Path>,
    set_up: Option<&Path>,
) -> Search {
    let given = flag
        .map(|path| (path.to_owned(), LIBRARY_FLAG))
        .or_else(|| {
            let path = variable.filter(|value| !value.is_empty())?;
            Some((PathBuf::from(path), LIBRARY_VARIABLE))
        });
    if let Some((path, given_by)) = given {
        let path = if path.is_dir() {
            in_folder(&path).unwrap_or(path)
        } else {
            path
        };
        // ort looks for a relative path beside the executable first; a user means the cwd.
        let path = match std::path::absolute(&path) {
            Ok(absolute) if absolute.exists() => absolute,
            _ => path,
        };
        let found = vec![Candidate {
            path,
            given_by: Some(given_by),
        }];
        return Search {
            found,
            empty: Vec::new(),
        };
    }

    let mut folders = Vec::new();
    if let Some(folder) = exe.and_then(Path::parent) {
        folders.push(folder.to_owned());
        folders.extend(folder.parent().map(|prefix| prefix.join("lib/raq")));
    }
    folders.extend(set_up.map(Path::to_owned));
    let mut search = Search::default();
    for folder in folders {
        match in_folder(&folder) {
            Some(path) => search.found.push(Candidate {
                path,
                given_by: None,
            }),
            None => search.empty.push(folder),
        }
    }
    for name in [STEM.to_owned(), format!("{STEM}.1")] {
        search.found.push(Candidate {
            path: name.into(),
            given_by: None,
        });
    }
    search
}

/// libonnxruntime.so, .so.1 or .so.1.x.y in `folder`; of several releases the last by name.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    for name in [STEM.to_owned(), format!("{STEM}.1")] {
        let path = folder.join(name);
        if path.is_file() {
            return Some(path);
        }
    }
    let entries = std::fs::read_dir(folder).ok()?;
    let versioned = |name: &str| name.starts_with(&format!("{STEM}.1."));
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(versioned))
        .map(|entry| entry.path())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn a_given_library_is_the_only_candidate() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        touch(&data.join("libonnxruntime.so.1.31.1"));
        let flag = dir.path().join("missing.so");
        let both = search(Some(&flag), Some("other.so".into()), None, Some(&data));
        assert_eq!(
            both.found,
            [Candidate {
                path: flag,
                given_by: Some(LIBRARY_FLAG)
            }]
        );
        let variable = search(None, Some("other.so".into()), None, Some(&data));
        assert_eq!(variable.found[0].given_by, Some(LIBRARY_VARIABLE));
        assert_eq!(variable.found.len(), 1);
    }

    #[test]
    fn an_empty_variable_counts_as_none_and_a_folder_is_looked_into() {
        let dir = tempfile::tempdir().unwrap();
        touch(&dir.path().join("libonnxruntime.so.1.31.1"));
        let empty = search(None, Some("".into()), None, None);
        assert!(
            empty
                .found
                .iter()
                .all(|candidate| candidate.given_by.is_none())
        );
        let folder = search(Some(dir.path()), None, None, None);
        assert_eq!(
            folder.found[0].path,
            dir.path().join("libonnxruntime.so.1.31.1")
        );
    }

    #[test]
    fn the_usual_places_come_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (exe, data) = (dir.path().join("bin/raq-recv"), dir.path().join("data"));
        let user = data.join("libonnxruntime.so.1.31.1");
        touch(&user);
        let found = search(None, None, Some(&exe), Some(&data));
        assert_eq!(found.found[0].path, user);
        assert_eq!(
            found.empty,
            [dir.path().join("bin"), dir.path().join("lib/raq")]
        );
        touch(&dir.path().join("bin/libonnxruntime.so.1"));
        let found = search(None, None, Some(&exe), Some(&data));
        let names: Vec<_> = found.found.iter().map(|c| c.path.clone()).collect();
        assert_eq!(
            names,
            [
                dir.path().join("bin/libonnxruntime.so.1"),
                user,
                "libonnxruntime.so".into(),
                "libonnxruntime.so.1".into(),
            ]
        );
    }
}
