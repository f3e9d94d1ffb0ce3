//! ST-LPIPS, a distance between pictures that people's judgements were taught to. A Python program
//! of the repository computes it, `onnx/raq_train/st_lpips.py`, which names the paper.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use raq_shared::{
    exit::{Exit, Failure},
    frame::FrameSize,
    paths,
};

use super::{Clip, encoded::Encoded, picture::rgb};

/// Pictures with a smaller side have no ST-LPIPS: the network leaves nothing of them.
pub const SMALLEST_SIDE: usize = 21;

/// The program, from the repository's root.
const PROGRAM: &str = "onnx/raq_train/st_lpips.py";
const OTHER_PYTHON: &str =
    "name one that has PyTorch with --python (`cargo xtask setup --train` makes one)";

/// The program with its weights, started when first needed.
#[derive(Debug)]
pub struct StLpips {
    python: PathBuf,
    weights: PathBuf,
    /// Where Python finds the program.
    folder: PathBuf,
    /// For pictures of the size asked for last.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    size: FrameSize,
    program: Child,
    pairs: ChildStdin,
    distances: BufReader<ChildStdout>,
    /// Its standard error.
    words: File,
}

impl StLpips {
    /// Takes the weights of this file, and this Python or else [`interpreter`]. Compares two grey
    /// pictures, so that what is missing is known before clips are encoded.
    ///
    /// # Errors
    /// [`Failure`] where the weights, Python, PyTorch or the program are missing or do not fit.
    pub fn open(weights: &Path, python: Option<&Path>) -> Result<Self, Failure> {
        File::open(weights).map_err(|e| {
            cannot(format_args!(
                "{} cannot be read: {e}; give --st-lpips the file alex_shift_tolerant.pth of the \
                 Python package stlpips-pytorch",
                weights.display()
            ))
        })?;
        let mut python = python.map_or_else(interpreter, Path::to_owned);
        // A bare name is looked up in PATH; another is run in another folder.
        if python.components().count() > 1 {
            python = std::path::absolute(python).map_err(cannot)?;
        }
        let mut opened = Self {
            python,
            weights: std::path::absolute(weights).map_err(cannot)?,
            folder: program_folder()?,
            running: None,
        };
        let size = FrameSize::new(32, 32).map_err(cannot)?;
        let grey = vec![128; 3 * 32 * 32];
        opened.distance(size, &grey, &grey)?;
        opened.running = None;
        Ok(opened)
    }

    /// The distance of each decoded picture from the clip's, 0 for equal ones; `None` where a side
    /// is below [`SMALLEST_SIDE`].
    ///
    /// # Errors
    /// [`Failure`] where the program fails.
    pub fn distances(
        &mut self,
        clip: &Clip,
        encoded: &Encoded,
    ) -> Result<Option<Vec<f64>>, Failure> {
        let size = clip.size();
        if size.width().min(size.height()) < SMALLEST_SIDE {
            return Ok(None);
        }
        let pairs = clip.frames.iter().zip(&encoded.frames);
        let distances = pairs.map(|(original, frame)| {
            let original = rgb(original, &clip.format).map_err(cannot)?;
            let decoded = rgb(&frame.picture, &clip.format).map_err(cannot)?;
            self.distance(size, &original, &decoded)
        });
        distances.collect::<Result<_, _>>().map(Some)
    }

    /// Of two rgb24 pictures of this size. A program that fails is started anew the next time.
    fn distance(&mut self, size: FrameSize, one: &[u8], other: &[u8]) -> Result<f64, Failure> {
        let mut running = match self.running.take() {
            Some(running) if running.size == size => running,
            _ => self.start(size)?,
        };
        let mut line = String::new();
        let sent = running.pairs.write_all(one);
        let said = sent
            .and_then(|()| running.pairs.write_all(other))
            .and_then(|()| running.pairs.flush())
            .and_then(|()| running.distances.read_line(&mut line));
        match (said, line.trim().parse::<f64>()) {
            (Ok(_), Ok(distance)) if distance.is_finite() => {
                self.running = Some(running);
                Ok(distance)
            }
            _ => Err(running.failure(&self.python, line.trim())),
        }
    }

    fn start(&self, size: FrameSize) -> Result<Running, Failure> {
        let words = tempfile::tempfile().map_err(|e| {
            cannot(format_args!(
                "a temporary file cannot be written: {e}; free space or set TMPDIR"
            ))
        })?;
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "raq_train.st_lpips", "--size", &size.to_string()])
            .arg("--weights")
            .arg(&self.weights)
            // At the root, the folder onnx/ would hide the package of that name.
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words.try_clone().map_err(cannot)?);
        let mut program = command.spawn().map_err(|e| {
            let shown = self.python.display();
            cannot(format_args!("{shown} cannot be run: {e}; {OTHER_PYTHON}"))
        })?;
        match (program.stdin.take(), program.stdout.take()) {
            (Some(pairs), Some(distances)) => Ok(Running {
                size,
                program,
                pairs,
                distances: BufReader::new(distances),
                words,
            }),
            _ => Err(cannot("Python has no pipes; please report this")),
        }
    }
}

impl Running {
    /// Why it gave `line` and no distance.
    fn failure(mut self, python: &Path, line: &str) -> Failure {
        let _ = self.program.kill();
        let status = self.program.wait();
        let mut words = String::new();
        let _ = self.words.rewind();
        let _ = self.words.read_to_string(&mut words);
        let last = words.lines().rfind(|line| !line.trim().is_empty());
        let python = python.display();
        match (last, status) {
            (Some(last), _) if last.contains("No module named") => {
                cannot(format_args!("{python} says {last:?}; {OTHER_PYTHON}"))
            }
            (Some(last), _) => cannot(format_args!("{python} says {last:?}")),
            (None, Ok(status)) => cannot(format_args!(
                "{python} gave {line:?} and ended with {status}; {OTHER_PYTHON}"
            )),
            (None, Err(error)) => cannot(error),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The training environment's Python, else `python3`.
pub fn interpreter() -> PathBuf {
    let train = paths::training_dir().map(|folder| paths::python_in(&folder));
    let python3 = PathBuf::from("python3");
    train
        .ok()
        .filter(|python| python.exists())
        .unwrap_or(python3)
}

/// The folder of Python's packages in a repository: that of the working directory, above this
/// program, or where it was built.
fn program_folder() -> Result<PathBuf, Failure> {
    let (cwd, exe) = (env::current_dir().ok(), env::current_exe().ok());
    let above = exe.iter().flat_map(|exe| exe.ancestors());
    let roots = cwd.iter().map(PathBuf::as_path).chain(above);
    let mut programs = roots
        .chain([paths::repository()])
        .map(|root| root.join(PROGRAM));
    let found = programs.find(|program| program.is_file());
    let folder = found
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent);
    folder.map(Path::to_owned).ok_or_else(|| {
        cannot(format_args!(
            "{PROGRAM} was not found; run raq-sim in the repository"
        ))
    })
}

fn cannot(why: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("cannot measure ST-LPIPS: {why}"),
    )
}
