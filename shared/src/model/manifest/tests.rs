use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BASE: [i16; 6] = [1, -2, 300, 4, 5, -8191];
const QUARTERS: [i16; 8] = [9; 8];

/// A model of two codewords of three values, growing to four, and one that covers 2x2 positions.
fn sample() -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    let bytes =
        |values: &[i16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let mut files = serde_json::Map::new();
    for (name, bytes) in [
        ("base_position.i16", &bytes(&BASE)[..]),
        ("base_quarter.i16", &bytes(&QUARTERS)),
        ("encoder.onnx", b"network"),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let entry = json!({"bytes": bytes.len(), "blake3": Digest::of(bytes).to_string()});
        files.insert(name.to_owned(), entry);
    }
    let manifest = json!({
        "format": 2, "name": "tiny", "latent_dim": 3, "block": 8, "pad": 32,
        "codebooks": [
            {"name": "position", "cover": 1, "lead": 3, "base_codewords": 2, "max_codewords": 4,
             "base_file": "base_position.i16", "basis": "a key of a later exporter"},
            {"name": "quarter", "cover": 2, "lead": 2, "base_codewords": 1, "max_codewords": 9,
             "base_file": "base_quarter.i16"},
        ],
        "stages": [{"codebook": 0, "shift": 0}, {"codebook": 1, "shift": 3}],
        "latent_scale": 2.0, "codeword_limit": 8191,
        "unquantised_depth": 16.0, "files": files, "codebook_digest": "0".repeat(64),
        "trained_on": "a key of a later exporter",
    });
    (dir, manifest)
}

fn write(dir: &tempfile::TempDir, manifest: &Value) {
    std::fs::write(dir.path().join(MANIFEST), manifest.to_string()).unwrap();
}

#[test]
fn opens_reads_and_names_the_model() {
    let (dir, manifest) = sample();
    write(&dir, &manifest);
    let folder = ModelFolder::open(dir.path()).unwrap();
    assert_eq!(folder.manifest().name, "tiny");
    assert_eq!(folder.id().0, Digest::of(manifest.to_string().as_bytes()).0);
    assert_eq!(folder.read("encoder.onnx").unwrap(), b"network");
    let bases = folder.base_codebooks().unwrap();
    assert_eq!(bases, [BASE.to_vec(), QUARTERS.to_vec()]);
    let shapes = folder
        .manifest()
        .codebooks
        .iter()
        .map(|one| one.shape().dim());
    assert_eq!(shapes.collect::<Vec<_>>(), [3, 8]);
    assert_eq!(
        folder.manifest().stages[1],
        Stage {
            codebook: 1,
            shift: 3
        }
    );
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_its_writer() {
    let (dir, manifest) = sample();
    write(&dir, &manifest);
    let path = dir.path().join("encoder.onnx");
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = ModelFolder::open(dir.path()).map(|folder| folder.read("encoder.onnx"));
    let error = error.and_then(|read| read).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn every_bound_is_checked() {
    for (key, bad) in [
        ("format", json!(1)),
        ("format", json!(3)),
        ("latent_dim", json!(0)),
        ("latent_dim", json!(65)),
        ("block", json!(16)),
        ("pad", json!(8)),
        ("codebooks", json!([])),
        ("codebooks", json!(null)),
        ("codebooks/0/base_codewords", json!(5)),
        ("codebooks/0/base_codewords", json!(0)),
        ("codebooks/1/max_codewords", json!(4097)),
        ("codebooks/1/max_codewords", json!(-1)),
        ("codebooks/1/cover", json!(3)),
        ("codebooks/1/cover", json!(u64::MAX)),
        ("codebooks/1/lead", json!(4)),
        ("codebooks/1/lead", json!(u64::MAX)),
        ("codebooks/1/name", json!("position")),
        ("codebooks/1/name", json!("a/b")),
        ("stages", json!([])),
        ("stages/1/codebook", json!(2)),
        ("stages/1/shift", json!(5)),
        ("stages/1/shift", json!(256)),
        ("latent_scale", json!(0.0)),
        ("latent_scale", json!(1e39)),
        ("codeword_limit", json!(0)),
        ("codeword_limit", json!(40000)),
        ("unquantised_depth", json!(null)),
        ("codebook_digest", json!("abc")),
        (
            "files",
            json!({"../encoder.onnx": {"bytes": 1, "blake3": "0".repeat(64)}}),
        ),
        (
            "files",
            json!({"encoder.onnx": {"bytes": 1u64 << 40, "blake3": "0".repeat(64)}}),
        ),
    ] {
        let (dir, mut manifest) = sample();
        let key = format!("/{key}");
        *manifest.pointer_mut(&key).unwrap() = bad.clone();
        write(&dir, &manifest);
        let error = ModelFolder::open(dir.path()).unwrap_err();
        assert!(
            matches!(error, ModelError::Manifest { .. }),
            "{key} {bad}: {error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("manifest.json") && text.contains("--model DIR"),
            "{text}"
        );
    }
}

#[test]
fn another_format_is_named_even_where_keys_are_missing() {
    let reason = Manifest::parse(br#"{"format": 7}"#).unwrap_err();
    assert!(reason.contains('7') && reason.contains('2'), "{reason}");
}

#[test]
fn damaged_files_are_told_apart() {
    let (dir, manifest) = sample();
    write(&dir, &manifest);
    let folder = ModelFolder::open(dir.path()).unwrap();
    let path = dir.path().join("encoder.onnx");

    std::fs::write(&path, b"netw0rk").unwrap();
    let error = folder.read("encoder.onnx").unwrap_err();
    assert!(matches!(error, ModelError::Hash { .. }), "{error}");
    assert!(
        error.to_string().contains(&Digest::of(b"netw0rk").short()),
        "{error}"
    );

    for (content, length) in [(&b"net"[..], "3"), (&b"network and more"[..], "16")] {
        std::fs::write(&path, content).unwrap();
        let error = folder.read("encoder.onnx").unwrap_err();
        assert!(matches!(error, ModelError::Size { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("has {length} bytes")),
            "{error}"
        );
    }

    std::fs::remove_file(&path).unwrap();
    let error = folder.read("encoder.onnx").unwrap_err();
    assert!(matches!(error, ModelError::Read { .. }), "{error}");
    let error = folder.read("decoder.onnx").unwrap_err();
    assert!(
        error.to_string().contains("does not list decoder.onnx"),
        "{error}"
    );
}

#[test]
fn base_codebooks_that_do_not_fit_are_refused() {
    let (dir, mut manifest) = sample();
    manifest["codebooks"][0]["base_codewords"] = json!(3);
    write(&dir, &manifest);
    let error = ModelFolder::open(dir.path())
        .unwrap()
        .base_codebooks()
        .unwrap_err();
    assert!(error.to_string().contains("not 3 rows of 3"), "{error}");
    manifest["codebooks"][0]["base_codewords"] = json!(2);
    manifest["codeword_limit"] = json!(8190);
    write(&dir, &manifest);
    let error = ModelFolder::open(dir.path())
        .unwrap()
        .base_codebooks()
        .unwrap_err();
    assert!(error.to_string().contains("-8191"), "{error}");
    manifest["codebooks"][0]["base_file"] = json!("../base_position.i16");
    write(&dir, &manifest);
    let error = ModelFolder::open(dir.path())
        .unwrap()
        .base_codebooks()
        .unwrap_err();
    assert!(error.to_string().contains("does not list"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Manifest::parse(&bytes);
    }

    #[test]
    fn a_changed_manifest_is_read_or_refused(at in 0usize..1200, byte: u8) {
        let (_dir, manifest) = sample();
        let mut bytes = manifest.to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(manifest) = Manifest::parse(&bytes) {
            prop_assert!(manifest.check().is_ok());
        }
    }
}
