//! `cargo xtask test`: every test of the repository.

use std::{
    env, fs,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Result, bail};
use raq_shared::paths;
use raq_skips::SKIPS;

use crate::{build::cargo, setup};

/// The benchmarks that criterion runs.
const CRITERION: [&str; 3] = ["choice", "session", "link"];

/// What the Python tests import.
const PYTHON_MODULES: [&str; 8] = [
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "vector_quantize_pytorch",
    "torchmetrics",
    "matplotlib",
    "pytest",
];

/// Sets up, builds the programs and runs all tests; goes on after a failure, so that one run
/// tells everything.
///
/// # Errors
/// Names the steps that failed.
pub fn run() -> Result<()> {
    setup::run(false, false)?;
    let mut steps = Steps::new()?;
    if let Err(error) = setup::oldest_runtime() {
        steps.skip(
            "comparison with the oldest ONNX Runtime",
            &format!("{error:#}"),
        );
    }
    // The tests start the real programs, which cargo does not build for them.
    let mut build = cargo();
    // Tests along with them: built alone, the programs would get other features of their
    // dependencies, and those would be built twice.
    build.args(["build", "--workspace", "--bins", "--tests"]);
    if !steps.step("build", &mut build) {
        bail!("the programs do not build");
    }
    steps.step(
        "documentation tests",
        cargo().args(["test", "--workspace", "--doc"]),
    );
    // Each benchmark runs once: nothing is timed.
    let mut benches = cargo();
    benches.args(["test", "-p", "raq-send", "-p", "raq-sim"]);
    for bench in CRITERION {
        benches.args(["--bench", bench]);
    }
    steps.step("benchmarks", &mut benches);
    let beside = python(&mut steps);
    steps.step("tests", &mut rust_tests());
    if let Some(beside) = beside {
        steps.end(beside);
    }
    steps.finish()
}

fn rust_tests() -> Command {
    let mut command = cargo();
    if quiet(cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        command.args([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ]);
    }
    command
}

/// Checks the Python code, and begins its tests: they take processors, which the programs hardly
/// do that the other tests start, and wait for nobody.
fn python(steps: &mut Steps) -> Option<Beside> {
    let Some(python) = interpreter() else {
        steps.skip(
            "Python tests",
            &format!(
                "no python3 with {}; `cargo xtask setup --train` makes one (5.5 GB)",
                PYTHON_MODULES.join(", ")
            ),
        );
        return None;
    };
    // From inside onnx/: at the root, the folder would hide the package of that name.
    let onnx = paths::repository().join("onnx");
    let run = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&onnx)
            .envs(paths::absolute_variables())
            .stdin(Stdio::null());
        command
    };
    if quiet(&mut run(&python, &["-m", "ruff", "--version"])) {
        steps.step(
            "ruff check",
            &mut run(&python, &["-m", "ruff", "check", "."]),
        );
        steps.step(
            "ruff format",
            &mut run(&python, &["-m", "ruff", "format", "--check", "."]),
        );
    } else {
        steps.skip(
            "ruff",
            "not in the Python environment; `cargo xtask setup --train` adds it",
        );
    }
    // The programs of the other tests send in real time: they come first.
    let mut command = run(Path::new("nice"), &["-n", "19"]);
    command
        .arg(python)
        .args(["-m", "pytest", "-ra", "--durations=10", "tests"]);
    steps.begin("Python tests", &mut command)
}

/// The training environment's interpreter, or else a python3 that has what the tests import.
fn interpreter() -> Option<PathBuf> {
    let search = format!(
        "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(name) is None for \
         name in {PYTHON_MODULES:?}))"
    );
    let python3 = PathBuf::from("python3");
    let fits = |python: &PathBuf| {
        // Neutral folder: the repository's onnx/ must not pass for the package.
        quiet(Command::new(python).args(["-c", &search]).current_dir("/"))
    };
    setup::training::interpreter()
        .into_iter()
        .chain([python3])
        .find(fits)
}

fn quiet(command: &mut Command) -> bool {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A step under way.
struct Beside {
    name: &'static str,
    child: Child,
    output: File,
}

/// Runs steps and remembers what failed and what was skipped.
struct Steps {
    failed: Vec<String>,
    skips: PathBuf,
    require_all: bool,
}

impl Steps {
    fn new() -> Result<Self> {
        let skips = env::temp_dir().join(format!("raq-skips-{}", std::process::id()));
        fs::write(&skips, "")?;
        Ok(Self {
            failed: Vec::new(),
            skips,
            require_all: raq_skips::all_required(),
        })
    }

    fn step(&mut self, name: &str, command: &mut Command) -> bool {
        eprintln!("\n=== {name}");
        let status = command.env(SKIPS, &self.skips).status();
        self.ended(name, status)
    }

    /// A step that goes on beside others; what it says is shown at its end.
    fn begin(&mut self, name: &'static str, command: &mut Command) -> Option<Beside> {
        let begun = (|| {
            let output = tempfile::tempfile()?;
            command.env(SKIPS, &self.skips);
            command
                .stdout(output.try_clone()?)
                .stderr(output.try_clone()?);
            let child = command.spawn()?;
            Ok((child, output))
        })();
        match begun {
            Ok((child, output)) => Some(Beside {
                name,
                child,
                output,
            }),
            Err(error) => {
                self.ended(name, Err(error));
                None
            }
        }
    }

    fn end(&mut self, mut beside: Beside) {
        eprintln!("\n=== {}", beside.name);
        let status = beside.child.wait();
        let shown = io::Seek::rewind(&mut beside.output)
            .and_then(|()| io::copy(&mut beside.output, &mut io::stderr()));
        self.ended(beside.name, status.and_then(|status| shown.map(|_| status)));
    }

    fn ended(&mut self, name: &str, status: io::Result<ExitStatus>) -> bool {
        let well = status.as_ref().is_ok_and(ExitStatus::success);
        if !well {
            self.failed.push(match status {
                Ok(status) => format!("{name} ({status})"),
                Err(error) => format!("{name} ({error})"),
            });
        }
        well
    }

    fn skip(&mut self, name: &str, reason: &str) {
        eprintln!("\n=== {name}: skipped: {reason}");
        if self.require_all {
            self.failed.push(format!("{name} (skipped: {reason})"));
        }
    }

    fn finish(self) -> Result<()> {
        let skips = fs::read_to_string(&self.skips).unwrap_or_default();
        let _ = fs::remove_file(&self.skips);
        for line in skips.lines() {
            eprintln!("skipped: {line}");
        }
        if !self.failed.is_empty() {
            bail!("failed: {}", self.failed.join(", "));
        }
        Ok(())
    }
}
