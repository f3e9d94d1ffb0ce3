//! `cargo xtask structure`: what every source file does, in `shared/docs/STRUCTURE.md`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use raq_shared::paths;

/// Where the document is.
const DOCUMENT: &str = "shared/docs/STRUCTURE.md";
/// Where source files are.
const PACKAGES: [&str; 7] = [
    "onnx", "receiver", "sender", "shared", "sim", "tests", "xtask",
];
/// What stands above the lists.
const HEAD: &str = "# Structure

What every source file does, in the words of its own first sentence; \
[CONTRIBUTING.md](../../CONTRIBUTING.md) says in
which order to read. `cargo xtask structure` writes this page, and a test holds it to the tree. \
Files of tests that
belong to one module are left out.
";

/// Writes the document.
///
/// # Errors
/// Where a file cannot be read or says nothing of itself, or the document cannot be written.
pub(crate) fn run() -> Result<()> {
    let path = paths::repository().join(DOCUMENT);
    fs::write(&path, document()?).with_context(|| format!("cannot write {}", path.display()))
}

/// The document as it has to be.
fn document() -> Result<String> {
    let mut folders: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for path in sources()? {
        let text = fs::read_to_string(paths::repository().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let said = match path.extension().is_some_and(|extension| extension == "py") {
            true => docstring(&text),
            false => module_doc(&text),
        };
        let Some(said) = said.filter(|said| !said.is_empty()) else {
            bail!(
                "{} does not say what it does; begin it with that",
                path.display()
            );
        };
        let folder = path.parent().unwrap_or(&path).display().to_string();
        let name = path.file_name().unwrap_or_default().display().to_string();
        folders.entry(folder).or_default().push((name, said));
    }
    let mut text = HEAD.to_owned();
    for (folder, mut files) in folders {
        files.sort();
        write!(text, "\n## {folder}\n\n")?;
        for (name, said) in files {
            writeln!(text, "- `{name}`: {said}")?;
        }
    }
    Ok(text)
}

/// The source files, from the root.
fn sources() -> Result<Vec<PathBuf>> {
    let root = paths::repository();
    let mut left: Vec<PathBuf> = PACKAGES.map(PathBuf::from).into();
    let mut found = Vec::new();
    while let Some(folder) = left.pop() {
        let failed = || {
            format!(
                "cannot list {}; is this the whole repository?",
                folder.display()
            )
        };
        for entry in fs::read_dir(root.join(&folder)).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let path = folder.join(entry.file_name());
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if entry.file_type().with_context(failed)?.is_dir() {
                // Environments for Python, caches: what does not belong to the tree is hidden.
                if !hidden {
                    left.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs" || e == "py") && !is_tests(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether this is part of a module's own tests, or a package's empty `__init__`.
fn is_tests(path: &Path) -> bool {
    let in_source = path.components().any(|part| part.as_os_str() == "src");
    let tests = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
    let name = path.file_name().unwrap_or_default();
    in_source && path.iter().any(tests) || name == "__init__.py"
}

/// The first sentence of a file's `//!`.
fn module_doc(text: &str) -> Option<String> {
    let doc = text.lines().map_while(|line| line.strip_prefix("//!"));
    first_sentence(doc)
}

/// The first sentence of a module's docstring.
fn docstring(text: &str) -> Option<String> {
    let text = match text.strip_prefix("#!") {
        Some(rest) => rest.split_once('\n')?.1,
        None => text,
    };
    let text = text.trim_start().strip_prefix("\"\"\"")?;
    first_sentence(text.split("\"\"\"").next()?.lines())
}

/// Up to the first full stop that ends a sentence, or the end of the paragraph.
fn first_sentence<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let paragraph: Vec<_> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    let sentence = paragraph[..end].trim_end_matches(['.', ':']);
    (!sentence.is_empty()).then(|| sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_the_files_say() {
        let written = fs::read_to_string(paths::repository().join(DOCUMENT)).unwrap();
        assert!(
            written == document().unwrap(),
            "{DOCUMENT} is out of date: run `cargo xtask structure`"
        );
    }

    #[test]
    fn first_sentences_are_found() {
        let rust = "//! Pictures, as they are.\n//! Not more. Ever.\n//!\n//! Far.\nuse std;\n";
        assert_eq!(module_doc(rust).unwrap(), "Pictures, as they are");
        assert_eq!(module_doc("use std;\n"), None);
        let python = "\"\"\"Reads things: `a.py FILE`.\n\nAnd more.\n\"\"\"\n";
        assert_eq!(docstring(python).unwrap(), "Reads things: `a.py FILE`");
        let program = format!("#!/usr/bin/env python3\n{python}");
        assert_eq!(docstring(&program), docstring(python));
        assert_eq!(docstring("import sys\n"), None);
    }

    #[test]
    fn tests_of_one_module_are_left_out() {
        for path in [
            "shared/src/tile/scene/tests.rs",
            "sender/src/session/tests/ends.rs",
        ] {
            assert!(is_tests(Path::new(path)), "{path}");
        }
        for path in [
            "tests/end_to_end/web.rs",
            "sender/tests/loss.rs",
            "shared/src/tile/mod.rs",
        ] {
            assert!(!is_tests(Path::new(path)), "{path}");
        }
    }
}
