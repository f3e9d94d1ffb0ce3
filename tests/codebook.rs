//! One digest of the codebooks everywhere: releases of ONNX Runtime, threads, optimisation, and
//! the twin in plain Rust; for the model with one codebook and for a small one with several.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use raq_shared::model::{Model, ModelFolder, ModelOptions, Provider};
use raq_tests::{model, onnx_file, several, skip, twin::Twin};
use xtask::setup::{Build, library_folder};

fn folders() -> [ModelFolder; 2] {
    [model(), several()].map(|path| ModelFolder::open(&path).expect("the model folder is in order"))
}

fn digest(codebooks: &[Vec<i16>]) -> String {
    let values = codebooks.iter().flatten();
    let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    blake3::hash(&bytes).to_hex().to_string()
}

/// The codebooks that the twins make of `bases`.
fn twins(folder: &ModelFolder, bases: &[Vec<i16>]) -> Vec<Vec<i16>> {
    let adapter = fs::read(folder.path().join("adapter.onnx")).unwrap();
    let entries = folder.manifest().codebooks.iter().zip(bases);
    entries
        .map(|(entry, base)| Twin::new(&adapter, &entry.name).codebook(base, entry.max_codewords))
        .collect()
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

/// Writes `bases` below `scratch` and has ONNX Runtime make codebooks of them.
fn regenerate(
    library: &Path,
    folder: &ModelFolder,
    bases: &[Vec<i16>],
    threads: &str,
    level: &str,
) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let files = bases.iter().enumerate().map(|(number, base)| {
        let path = scratch.path().join(number.to_string());
        let bytes: Vec<u8> = base.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(&path, bytes).unwrap();
        path
    });
    let output = Command::new(env!("CARGO_BIN_EXE_raq-regenerate"))
        .args([library, &folder.path().join("adapter.onnx")])
        .args([threads, level])
        .args(files)
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
fn the_twin_in_plain_rust_makes_the_manifests_codebooks() {
    for folder in folders() {
        let codebooks = twins(&folder, &folder.base_codebooks().unwrap());
        let manifest = folder.manifest();
        assert_eq!(
            digest(&codebooks),
            manifest.codebook_digest.to_hex(),
            "{}",
            manifest.name
        );
    }
}

/// Each of them as the twin makes it, with the name and shape that the manifest gives it.
#[test]
fn the_programs_regenerate_every_codebook() {
    if library(Build::Cpu).is_none() {
        return;
    }
    let model = Model::open(&ModelOptions {
        folder: Some(several()),
        provider: Provider::Cpu,
        threads: 1,
        ..ModelOptions::default()
    })
    .unwrap();
    let made = model.regenerate().unwrap();
    assert!(made.matches_manifest);
    let folder = model.folder();
    let expected = twins(folder, &folder.base_codebooks().unwrap());
    let entries = &folder.manifest().codebooks;
    assert_eq!(made.codebooks.list().len(), entries.len());
    for ((codebook, entry), rows) in made.codebooks.list().iter().zip(entries).zip(expected) {
        assert_eq!(codebook.name(), entry.name);
        assert_eq!(codebook.shape(), entry.shape());
        assert_eq!(codebook.rows(), rows, "{}", entry.name);
    }
    let [tile, position, fine] = made.codebooks.list() else {
        panic!("three codebooks")
    };
    assert_eq!((tile.dim(), tile.codewords()), (48, 32));
    assert_eq!(made.codebooks.of_stage(1), Some(position));
    assert_eq!(made.codebooks.of_stage(3), Some(fine));
    assert_ne!(position.rows(), fine.rows());
}

#[test]
fn codebooks_are_kept_and_damaged_ones_made_anew() {
    if library(Build::Cpu).is_none() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let cache = scratch.path().join("cache");
    let codebooks = |cache: &Path| {
        let model = Model::open(&ModelOptions {
            folder: Some(several()),
            provider: Provider::Cpu,
            threads: 1,
            cache: Some(cache.to_owned()),
            ..ModelOptions::default()
        });
        let model = model.unwrap();
        let codebooks = model.codebooks().unwrap();
        assert_eq!(codebooks.digest(), model.manifest().codebook_digest);
        codebooks
    };
    let made = codebooks(&cache);
    let kept = cache.join("codebooks").join(made.digest().to_hex());
    let file = kept.join(format!("{}.i16", made.list()[0].name()));
    let whole = fs::read(&file).unwrap();
    assert_eq!(whole.len(), made.list()[0].rows().len() * 2);
    assert_eq!(codebooks(&cache).list(), made.list());
    // One bit less: another codebook, which must not be taken.
    let mut bent = whole.clone();
    bent[7] ^= 1;
    for damage in [&bent[..], &whole[..whole.len() - 2], &[]] {
        fs::write(&file, damage).unwrap();
        assert_eq!(codebooks(&cache).list(), made.list());
        assert_eq!(fs::read(&file).unwrap(), whole, "mended");
    }
    // Nothing half written is left behind.
    assert_eq!(fs::read_dir(cache.join("codebooks")).unwrap().count(), 1);
    let nowhere = scratch.path().join("file");
    fs::write(&nowhere, "").unwrap();
    assert_eq!(codebooks(&nowhere).list(), made.list());
}

fn digests_of(build: Build) {
    let Some(library) = library(build) else {
        return;
    };
    for folder in folders() {
        let expected = folder.manifest().codebook_digest.to_hex();
        let bases = folder.base_codebooks().unwrap();
        for threads in ["1", "2"] {
            for level in ["off", "all"] {
                let found = regenerate(&library, &folder, &bases, threads, level);
                let name = &folder.manifest().name;
                assert_eq!(
                    found, expected,
                    "{name}: {threads} threads, optimisation {level}"
                );
            }
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
    let [folder, _] = folders();
    let entry = &folder.manifest().codebooks[0];
    let mut bases = folder.base_codebooks().unwrap();
    let before = twins(&folder, &bases);
    let middle = bases[0].len() / 2;
    bases[0][middle] += 40;
    let after = twins(&folder, &bases);
    let dim = entry.shape().dim();
    let changed = before[0]
        .chunks(dim)
        .zip(after[0].chunks(dim))
        .filter(|(a, b)| a != b)
        .count();
    // Two rows are fed with it; the others follow because the adapter's state remembers it.
    assert!(
        changed >= entry.max_codewords / 64,
        "base codeword {} changes {changed} rows",
        middle / dim
    );

    let Some(library) = library(Build::Cpu) else {
        return;
    };
    assert_eq!(
        regenerate(&library, &folder, &bases, "1", "all"),
        digest(&after)
    );
}

/// Codebooks share Loops, not numbers: each depends on its own base alone.
#[test]
fn another_base_codeword_leaves_the_other_codebooks_alone() {
    let [_, folder] = folders();
    let Some(library) = library(Build::Cpu) else {
        return;
    };
    let bases = folder.base_codebooks().unwrap();
    let before = twins(&folder, &bases);
    for number in 0..bases.len() {
        let mut bases = bases.clone();
        bases[number][3] += 40;
        let mut expected = before.clone();
        expected[number] = twins(&folder, &bases).swap_remove(number);
        assert_ne!(expected, before);
        let found = regenerate(&library, &folder, &bases, "1", "all");
        assert_eq!(found, digest(&expected), "codebook {number}");
    }
}

/// No constant of the adapter is long enough for a table of codewords or of steps, other than the
/// weights, the look-up tables of the gates, and the order that the rows are put in.
#[test]
fn the_adapter_holds_no_table_of_codewords_or_steps() {
    let [folder, _] = folders();
    let codebooks = folder.manifest().codebooks.iter();
    let least = codebooks.map(|entry| entry.max_codewords).min().unwrap();
    let adapter = fs::read(folder.path().join("adapter.onnx")).unwrap();
    for constant in onnx_file::constants(&adapter) {
        let rows = constant.shape.first().copied().unwrap_or(1);
        if constant.name.ends_with("_order") {
            let mut places = constant.values;
            places.sort_by(f64::total_cmp);
            assert!((0..rows).eq(places.iter().map(|&place| place as usize)));
            continue;
        }
        let known = constant.name.ends_with("_weight") || constant.name.ends_with("_table");
        let small = constant.values.len() <= 1024;
        assert!(
            known || small,
            "{} holds {:?} values",
            constant.name,
            constant.shape
        );
        let gate = constant.name.ends_with("_table") && constant.shape.len() == 1;
        assert!(gate || rows < least, "{} has {rows} rows", constant.name);
    }
}
