//! The functions that are fuzzed, on seeds, on inputs that once failed, and on changed ones.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use raq_fuzzed::{TARGETS, seeds};

/// Changed inputs for each target.
const CASES: u32 = 2000;

fn folder(kind: &str, target: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    fuzz.join(kind).join(target)
}

/// What is in the files of a folder; nothing where there is none.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let read = |entry: Result<fs::DirEntry, _>| fs::read(entry.unwrap().path()).unwrap();
    entries.map(read).collect()
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for (name, target) in TARGETS {
        let known = files(&folder("seeds", name));
        assert!(!known.is_empty(), "seeds of {name}");
        for bytes in known.iter().chain(&files(&folder("crashes", name))) {
            target(bytes);
        }
        target(&[]);
    }
}

/// `bytes` with some of them replaced, then cut or lengthened.
fn changed(
    bytes: &[u8],
    changes: &[(prop::sample::Index, u8)],
    more: &[u8],
    cut: usize,
) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in changes {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
    }
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes.extend_from_slice(more);
    bytes
}

#[test]
fn changed_inputs_do_not_fail() {
    for (name, target) in TARGETS {
        let mut known = files(&folder("seeds", name));
        known.extend(files(&folder("crashes", name)));
        known.push(Vec::new());
        let bytes = (
            prop::sample::select(known),
            prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6),
            prop::collection::vec(any::<u8>(), 0..120),
            prop_oneof![3 => Just(0usize), 1 => 0usize..200],
        );
        let bytes =
            bytes.prop_map(|(known, changes, more, cut)| changed(&known, &changes, &more, cut));
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(CASES)
        };
        let result = TestRunner::new(config).run(&bytes, |bytes| {
            target(&bytes);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{name}: {error}");
        }
    }
}

/// The files of seeds are those that the crate makes.
#[test]
fn seeds_are_as_they_are_made() {
    for (target, name, bytes) in seeds() {
        let file = folder("seeds", target).join(name);
        if std::env::var_os("RAQ_WRITE_SEEDS").is_some() {
            fs::create_dir_all(folder("seeds", target)).unwrap();
            fs::write(&file, &bytes).unwrap();
        }
        let made = fs::read(&file).ok() == Some(bytes);
        assert!(made, "{target}/{name}: run this with RAQ_WRITE_SEEDS=1");
    }
}
