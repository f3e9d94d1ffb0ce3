//! The Python environment for training, export and their tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use raq_shared::paths;

use super::pip;

/// What the environment holds, from the repository's root.
const REQUIREMENTS: &str = "onnx/requirements.txt";
/// BLAKE3 of the requirements that were installed in full.
const STAMP: &str = "requirements.blake3";
/// The oldest Python that the pinned packages support.
const OLDEST_PYTHON: (u32, u32) = (3, 11);

/// The environment's interpreter, where there is one.
pub fn interpreter() -> Option<PathBuf> {
    let python = paths::python_in(&paths::training_dir().ok()?);
    python.exists().then_some(python)
}

/// Makes the environment, or brings it to the pinned versions; one that fits is left alone.
pub(super) fn install() -> Result<()> {
    let requirements = paths::repository().join(REQUIREMENTS);
    let text = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let hash = blake3::hash(&text).to_hex().to_string();
    let folder = paths::training_dir()?;
    let stamp = folder.join(STAMP);
    let stamped = fs::read_to_string(&stamp).is_ok_and(|found| found.trim() == hash);
    if stamped && paths::python_in(&folder).exists() {
        return Ok(());
    }
    eprintln!(
        "Making the training environment in {}: about 5.5 GB, some minutes …",
        folder.display()
    );
    pip::check()?;
    let found = pip::version()?;
    if found < OLDEST_PYTHON {
        bail!(
            "python3 is {}.{}, training needs {}.{} or later; put a newer python3 first on PATH",
            found.0,
            found.1,
            OLDEST_PYTHON.0,
            OLDEST_PYTHON.1
        );
    }
    install_into(&folder, &requirements)?;
    fs::write(&stamp, hash).with_context(|| format!("cannot write {}", stamp.display()))?;
    eprintln!("The training environment is complete");
    Ok(())
}

fn install_into(folder: &Path, requirements: &Path) -> Result<()> {
    let python = paths::python_in(folder);
    // Only an interpreter that does not start (its base was removed) is made anew: where it
    // does, an interrupted install goes on from what it left.
    if !works(pip::python(&python).args(["-c", ""])) {
        make(folder)?;
    }
    let failure = "pip could not install the training environment";
    if works(pip::python(&python).args(["-m", "pip", "--version"])) {
        let mut install = pip::python(&python);
        install
            .args(["-m", "pip", "install", "--requirement"])
            .arg(requirements);
        return pip::run(&mut install, failure);
    }
    // Some systems ship venv without the wheels that put pip into it.
    let packages = site_packages(&python)?;
    let mut install = pip::python("python3");
    install
        .args(["-m", "pip", "install", "--upgrade", "--target"])
        .arg(packages);
    install.arg("--requirement").arg(requirements);
    pip::run(&mut install, failure)
}

/// Makes the empty environment, without pip where the system cannot put it in.
fn make(folder: &Path) -> Result<()> {
    let mut reason = String::new();
    for without_pip in [false, true] {
        let mut venv = pip::python("python3");
        venv.args(["-m", "venv", "--clear"]);
        if without_pip {
            venv.arg("--without-pip");
        }
        let output = pip::output(venv.arg(folder))?;
        if output.status.success() {
            return Ok(());
        }
        reason = pip::last_line(&[output.stdout, output.stderr].concat());
    }
    bail!(
        "python3 -m venv cannot make {} ({}); install venv (Debian, Ubuntu: apt-get install \
         python3-venv) or set RAQ_DATA_DIR to a writable folder",
        folder.display(),
        reason
    )
}

fn site_packages(python: &Path) -> Result<PathBuf> {
    let print = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let output = pip::output(pip::python(python).args(["-c", print]))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if path.is_empty() {
        bail!("{} does not tell where its packages go", python.display());
    }
    Ok(path.into())
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
