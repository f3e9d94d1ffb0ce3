//! `raq-regenerate LIBRARY ADAPTER BASE THREADS off|all`: regenerates the codebook in a process
//! of its own and prints its digest. One process can load only one ONNX Runtime.

use std::{env, fs, io::Write as _, process::ExitCode};

use ort::{
    session::{Session, builder::GraphOptimizationLevel},
    value::Tensor,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, adapter, base, threads, level] = &arguments[..] else {
        eprintln!("usage: raq-regenerate LIBRARY ADAPTER BASE THREADS off|all");
        return ExitCode::from(2);
    };
    match regenerate(library, adapter, base, threads, level) {
        Ok(line) => match writeln!(std::io::stdout(), "{line}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("raq-regenerate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn regenerate(
    library: &str,
    adapter: &str,
    base: &str,
    threads: &str,
    level: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let level = match level {
        "off" => GraphOptimizationLevel::Disable,
        _ => GraphOptimizationLevel::All,
    };
    let threads = threads.parse()?;
    let load = || -> ort::Result<Session> {
        let builder = Session::builder(&environment)?.with_optimization_level(level)?;
        builder
            .with_intra_threads(threads)?
            .commit_from_file(adapter)
    };
    let mut session = load()?;
    let base: Vec<i32> = fs::read(base)?
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into())
        .collect();
    // The graph says how many values a codeword has.
    let shape = session.inputs()[0]
        .dtype()
        .tensor_shape()
        .ok_or("the input is no tensor")?;
    let dim = usize::try_from(shape[1])?;
    let input = Tensor::from_array(([base.len() / dim, dim], base))?;
    let outputs = session.run(ort::inputs![input])?;
    let (_, values) = outputs["codebook"].try_extract_tensor::<i32>()?;
    let mut bytes = Vec::with_capacity(2 * values.len());
    for &value in values {
        bytes.extend(i16::try_from(value)?.to_le_bytes());
    }
    Ok(blake3::hash(&bytes).to_hex().to_string())
}
