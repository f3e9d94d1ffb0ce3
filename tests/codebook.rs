//! One digest of the codebook everywhere: releases of ONNX Runtime, threads, optimisation, and
//! the twin in plain Rust.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use raq_shared::model::{Manifest, ModelFolder};
use raq_tests::{model, onnx_file, skip, twin::Twin};
use xtask::setup::{Build, library_folder};

fn folder() -> ModelFolder {
    ModelFolder::open(&model()).expect("the model folder is in order")
}

fn digest(rows: &[i16]) -> String {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    blake3::hash(&bytes).to_hex().to_string()
}

fn twin(base: &[i16], manifest: &Manifest) -> Vec<i16> {
    let adapter = fs::read(model().join("adapter.onnx")).unwrap();
    Twin::new(&adapter).codebook(base, manifest.max_codewords)
}

/// The library of `build`, or a skip.
fn library(build: Build) -> Option<PathBuf> {
    let folder = library_folder(build).unwrap();
    let entries = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let library = entries.into_iter().find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
    });
    if library.is_none() {
        skip(&format!(
            "no ONNX Runtime in {}; `cargo xtask test` fetches it",
            folder.display()
        ));
    }
    library
}

fn regenerate(library: &Path, base: &Path, threads: &str, level: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_raq-regenerate"))
        .args([library, &model().join("adapter.onnx"), base])
        .args([threads, level])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_twin_in_plain_rust_makes_the_manifests_codebook() {
    let folder = folder();
    let rows = twin(&folder.base_codebook().unwrap(), folder.manifest());
    assert_eq!(digest(&rows), folder.manifest().codebook_digest.to_hex());
}

fn digests_of(build: Build) {
    let Some(library) = library(build) else {
        return;
    };
    let expected = folder().manifest().codebook_digest.to_hex();
    let base = model().join("base_codebook.i16");
    for threads in ["1", "2"] {
        for level in ["off", "all"] {
            let found = regenerate(&library, &base, threads, level);
            assert_eq!(found, expected, "{threads} threads, optimisation {level}");
        }
    }
}

#[test]
fn the_pinned_release_makes_it_with_any_threads_and_optimisation() {
    digests_of(Build::Cpu);
}

#[test]
fn the_oldest_release_makes_it_with_any_threads_and_optimisation() {
    digests_of(Build::Oldest);
}

/// Generated, not stored: no file of the model may hold the result.
#[test]
fn another_base_codeword_makes_another_codebook() {
    let folder = folder();
    let (manifest, mut base) = (folder.manifest(), folder.base_codebook().unwrap());
    let before = twin(&base, manifest);
    let middle = base.len() / 2;
    base[middle] += 40;
    let after = twin(&base, manifest);
    let (dim, row) = (manifest.latent_dim, middle / manifest.latent_dim);
    let changed = before
        .chunks(dim)
        .zip(after.chunks(dim))
        .filter(|(a, b)| a != b)
        .count();
    // Two rows are fed with it; the others follow because the adapter's state remembers it.
    assert!(
        changed >= manifest.max_codewords / 64,
        "base codeword {row} changes {changed} rows"
    );

    let Some(library) = library(Build::Cpu) else {
        return;
    };
    let bytes: Vec<u8> = base.iter().flat_map(|value| value.to_le_bytes()).collect();
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(path.path(), bytes).unwrap();
    assert_eq!(
        regenerate(&library, path.path(), "1", "all"),
        digest(&after)
    );
}

/// No constant of the adapter is long enough for a table of codewords or of steps, other than the
/// weights and the look-up tables of the gates.
#[test]
fn the_adapter_holds_no_table_of_codewords_or_steps() {
    let folder = folder();
    let manifest = folder.manifest();
    let adapter = fs::read(model().join("adapter.onnx")).unwrap();
    for constant in onnx_file::constants(&adapter) {
        let rows = constant.shape.first().copied().unwrap_or(1);
        let known = constant.name.ends_with("_weight") || constant.name.ends_with("_table");
        let small = constant.values.len() <= 1024;
        assert!(
            known || small,
            "{} holds {:?} values",
            constant.name,
            constant.shape
        );
        assert!(
            rows < manifest.max_codewords,
            "{} has {rows} rows",
            constant.name
        );
    }
}
