//! The nearest codeword of every vector, beside FAISS's `IndexFlatL2` in the same run.
//!
//! `cargo bench -p raq-send --bench search -- PYTHON`, where PYTHON has faiss; `cargo xtask bench`
//! gives the one of training. One thread each, taking turns; the fastest of all rounds counts.
//! Prints a JSON line: seconds of both per number of vectors, and whether all indices are equal.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench measures time and prints it"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use raq_send::choice::nearest::Nearest;
use serde_json::json;

const DIMS: usize = 32;
const CODEWORDS: usize = 4096;
const VECTORS: [usize; 3] = [1024, 3600, 14400];
const ROUNDS: usize = 15;

/// FAISS in a process of its own, which answers line by line.
struct Faiss {
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Faiss {
    fn start(python: &str, folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/search/faiss_search.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder)
            .arg(DIMS.to_string())
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a python3 with faiss: `cargo xtask setup --train`");
        Self {
            to: child.stdin.take().expect("piped"),
            from: BufReader::new(child.stdout.take().expect("piped")),
            _child: child,
        }
    }

    /// Searches for so many of the vectors: seconds.
    fn search(&mut self, vectors: usize) -> f64 {
        writeln!(self.to, "{vectors}").expect("it listens");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("it answers");
        answer.trim().parse().expect("seconds; see what it said")
    }
}

fn main() {
    // cargo adds `--bench`.
    let python = env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let python = python.unwrap_or_else(|| "python3".to_owned());
    let most = VECTORS[VECTORS.len() - 1];
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = fastrand::Rng::with_seed(5);
    let codewords = draw(&mut random, CODEWORDS);
    let vectors = draw(&mut random, most);
    for (name, values) in [("codewords", &codewords), ("vectors", &vectors)] {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(folder.path().join(name), bytes).expect("it can be written");
    }
    let mut faiss = Faiss::start(&python, folder.path());
    let mut builds: BTreeMap<String, Nearest> = Nearest::new(&codewords, DIMS).builds().collect();
    let mut results = Vec::new();
    for count in VECTORS {
        let vectors = &vectors[..count * DIMS];
        let mut found = vec![0; count];
        let mut theirs = f64::INFINITY;
        let mut ours: BTreeMap<String, f64> = BTreeMap::new();
        let mut equal = true;
        for _ in 0..ROUNDS {
            theirs = theirs.min(faiss.search(count));
            let indices = indices(&folder.path().join("indices"));
            for (build, nearest) in &mut builds {
                let began = Instant::now();
                nearest.search(vectors, &[CODEWORDS], &mut found);
                let seconds = began.elapsed().as_secs_f64();
                let best = ours.entry(build.clone()).or_insert(f64::INFINITY);
                *best = best.min(seconds);
                equal &= found == indices;
            }
        }
        results.push(json!({
            "vectors": count, "faiss_s": theirs, "raq_s": ours, "indices_equal": equal,
        }));
    }
    let head = json!({ "dims": DIMS, "codewords": CODEWORDS, "rounds": ROUNDS, "search": results });
    println!("{head}");
}

/// Rows whose numbers become smaller from the first to the last, as those of codebooks do.
fn draw(random: &mut fastrand::Rng, rows: usize) -> Vec<i16> {
    let mut row = || -> Vec<i16> {
        let normal = |random: &mut fastrand::Rng| (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        let scale = |d: usize| 900.0 / (1.0 + d as f32 / 8.0);
        (0..DIMS)
            .map(|d| (normal(random) * scale(d)) as i16)
            .collect()
    };
    (0..rows).flat_map(|_| row()).collect()
}

fn indices(path: &Path) -> Vec<u32> {
    let bytes = fs::read(path).expect("FAISS's indices");
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .map(|&word| i64::from_le_bytes(word) as u32)
        .collect()
}
