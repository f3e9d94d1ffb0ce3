use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::codebook::Codebook;
use crate::codebooks::Stage;
use crate::model::{Digest, read_codebooks};
use crate::tile::basis::PATCH;

const DIM: usize = 2;
const ROWS: [i16; 8] = [1, -2, 300, 4, 5, -8191, 0, 7];

/// Two unit rows.
fn basis() -> Vec<i16> {
    let mut values = vec![0; DIM * PATCH];
    (values[3], values[PATCH + 70]) = (4096, -4096);
    values
}

fn bytes(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn codebooks() -> Codebooks {
    let codebook = Codebook::new(DIM, ROWS.to_vec()).unwrap();
    let stage = |shift| Stage { codebook: 0, shift };
    Codebooks::new(DIM, vec![codebook], vec![stage(0), stage(1)]).unwrap()
}

fn tables() -> Value {
    let stages = Stages::of(&codebooks()).unwrap();
    serde_json::to_value(TableCounts::flat(&stages)).unwrap()
}

/// A model folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> (TempDir, ModelFolder) {
    let dir = tempfile::tempdir().unwrap();
    let mut listed = serde_json::Map::new();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
        let entry = json!({"bytes": content.len(), "blake3": Digest::of(content).to_string()});
        listed.insert((*name).to_owned(), entry);
    }
    let manifest = json!({
        "format": 2, "name": "tiny", "latent_dim": DIM, "block": 8, "pad": 32,
        "codebooks": [{"name": "position", "cover": 1, "lead": DIM, "base_codewords": 2,
            "max_codewords": 4, "base_file": "base_position.i16"}],
        "stages": [{"codebook": 0, "shift": 0}, {"codebook": 0, "shift": 1}],
        "latent_scale": 2.0, "codeword_limit": 8191, "unquantised_depth": 16.0,
        "files": listed, "codebook_digest": "0".repeat(64),
    });
    fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
    let folder = ModelFolder::open(dir.path()).unwrap();
    (dir, folder)
}

fn load(basis: Vec<u8>, tables: &str) -> Result<Temporal, ModelError> {
    let files = [(BASIS, basis), (TABLES, tables.as_bytes().to_vec())];
    let (_dir, folder) = folder(&files);
    Temporal::load(&folder, &codebooks())
}

#[test]
fn the_parts_are_read_and_fit_together() {
    let temporal = load(bytes(&basis()), &tables().to_string()).unwrap();
    assert_eq!((temporal.stages.dim(), temporal.stages.len()), (DIM, 2));
    assert_eq!(temporal.basis.dim(), DIM);
    assert_eq!(temporal.tables.band(0).codewords[..2], [4, 4]);
}

#[test]
fn a_model_without_them_says_so() {
    let given = [(BASIS, bytes(&basis()))];
    for (files, missing) in [(&[][..], BASIS), (&given[..], TABLES)] {
        let (_dir, folder) = folder(files);
        let error = Temporal::load(&folder, &codebooks()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ModelError::NoTemporal { file, .. } if file == missing),
            "{text}"
        );
        let says = format!("has no temporal codec: {missing} is not in its manifest; export");
        assert!(text.contains(&says), "{text}");
    }
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    let good = tables().to_string();
    let mut odd = bytes(&basis());
    odd.push(0);
    let mut skewed = basis();
    skewed[PATCH + 3] = 4096;
    let mut few = tables();
    few["bands"][1]["blocks"] = json!([]);
    let mut none = tables();
    none["bands"][0]["codewords"][1] = json!(0);
    for (basis, tables, file) in [
        (odd, good.clone(), BASIS),
        (bytes(&basis()[1..]), good.clone(), BASIS),
        (bytes(&skewed), good, BASIS),
        (bytes(&basis()), "{".to_owned(), TABLES),
        (bytes(&basis()), few.to_string(), TABLES),
        (bytes(&basis()), none.to_string(), TABLES),
        (bytes(&basis()), json!({"bands": [-1]}).to_string(), TABLES),
    ] {
        let error = load(basis, &tables).unwrap_err();
        let fits = matches!(&error, ModelError::Temporal { path, .. } if path.ends_with(file));
        assert!(fits, "{file}: {error}");
        assert!(error.to_string().contains("export the model again"));
    }
}

#[test]
fn codebooks_of_a_folder_stand_in_for_the_adapters() {
    let (_dir, folder) = folder(&[]);
    let given = tempfile::tempdir().unwrap();
    let path = given.path().join("position.i16");
    let refused = |says: &str| {
        let error = read_codebooks(&folder, given.path()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ModelError::Codebook { .. }), "{text}");
        assert!(text.contains(says), "{text}");
    };
    refused("position.i16");
    fs::write(&path, bytes(&ROWS)).unwrap();
    let read = read_codebooks(&folder, given.path()).unwrap();
    assert_eq!(read, codebooks());
    fs::write(&path, bytes(&ROWS[2..])).unwrap();
    refused("12 bytes, not 4 rows of 2");
    let mut wide = ROWS;
    wide[7] = i16::MIN;
    fs::write(&path, bytes(&wide)).unwrap();
    refused("-32768");
}
