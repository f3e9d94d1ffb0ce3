//! The nearest codeword, beside FAISS.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::{build::cargo, setup};

/// What the bench `search` of raq-send says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Search {
    pub(super) dims: u32,
    pub(super) codewords: u32,
    rounds: u32,
    pub(super) search: Vec<Row>,
}

/// So many vectors.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Row {
    pub(super) vectors: u32,
    /// Seconds of FAISS.
    pub(super) faiss_s: f64,
    /// Seconds of raq, by build of the kernel.
    pub(super) raq_s: BTreeMap<String, f64>,
    pub(super) indices_equal: bool,
}

impl Row {
    /// The fastest build.
    pub(super) fn fastest(&self) -> Option<(&str, f64)> {
        let builds = self
            .raq_s
            .iter()
            .map(|(build, &seconds)| (build.as_str(), seconds));
        builds.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Search {
    /// FAISS's time over that of the fastest build, by number of vectors.
    pub(super) fn ratios(&self) -> serde_json::Value {
        let ratio = |row: &Row| Some((row.vectors.to_string(), row.faiss_s / row.fastest()?.1));
        let ratios = self.search.iter().filter_map(ratio);
        ratios
            .map(|(vectors, ratio)| (vectors, (ratio * 100.0).round() / 100.0))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .map(|(vectors, ratio)| (vectors, serde_json::Value::from(ratio)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Builds and runs it.
pub(super) fn run() -> Result<Search> {
    let Some(python) = setup::training::interpreter() else {
        bail!("FAISS is not installed; `cargo xtask setup --train` does that");
    };
    eprintln!("Searching …");
    let output = cargo()
        .args(["bench", "--package", "raq-send", "--bench", "search", "--"])
        .arg(python)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; is it on PATH?")?;
    if !output.status.success() {
        bail!(
            "the bench failed ({}); its messages are above",
            output.status
        );
    }
    serde_json::from_slice(&output.stdout).context("the bench said something else than figures")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_fastest_build() {
        let said = r#"{"dims":32,"codewords":9,"rounds":1,"search":[
            {"vectors":7,"faiss_s":6.0,"raq_s":{"avx2":2.0,"scalar":4.0},"indices_equal":true}]}"#;
        let search: Search = serde_json::from_str(said).unwrap();
        assert_eq!(search.ratios(), serde_json::json!({ "7": 3.0 }));
    }
}
