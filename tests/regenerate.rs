//! `raq-regenerate LIBRARY ADAPTER THREADS off|all BASE...`: regenerates the codebooks in a process
//! of its own, from base codebooks in the order of the adapter's inputs, and prints their digest.
//! One process can load only one ONNX Runtime.

use std::{env, fs, io::Write as _, process::ExitCode};

use ort::{
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::Tensor,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [library, adapter, threads, level, bases @ ..] = &arguments[..] else {
        eprintln!("usage: raq-regenerate LIBRARY ADAPTER THREADS off|all BASE...");
        return ExitCode::from(2);
    };
    match regenerate(library, adapter, threads, level, bases) {
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
    threads: &str,
    level: &str,
    bases: &[String],
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
    if session.inputs().len() != bases.len() {
        return Err(format!("the adapter has {} inputs", session.inputs().len()).into());
    }
    let mut inputs: Vec<(String, SessionInputValue<'_>)> = Vec::new();
    for (port, base) in session.inputs().iter().zip(bases) {
        let base: Vec<i32> = fs::read(base)?
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into())
            .collect();
        // The graph says how many values a codeword has.
        let shape = port
            .dtype()
            .tensor_shape()
            .ok_or("the input is no tensor")?;
        let dim = usize::try_from(shape[1])?;
        let input = Tensor::from_array(([base.len() / dim, dim], base))?;
        inputs.push((port.name().to_owned(), input.into()));
    }
    let names: Vec<String> = session
        .outputs()
        .iter()
        .map(|o| o.name().to_owned())
        .collect();
    let outputs = session.run(inputs)?;
    let mut hasher = blake3::Hasher::new();
    for name in &names {
        let (_, values) = outputs[name.as_str()].try_extract_tensor::<i32>()?;
        for &value in values {
            hasher.update(&i16::try_from(value)?.to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
