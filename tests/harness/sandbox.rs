//! A place for one test: its own folder and keys, and the real programs.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use xtask::program::{Ended, Program};

/// Nothing takes this long: what does has hung.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One test at a time has the machine: the programs run in real time. (nextest runs each test in
/// a process of its own and is told the same in `.config/nextest.toml`.)
static TURN: Mutex<()> = Mutex::new(());

/// A folder that vanishes after the test.
pub struct Sandbox {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty one, when its turn has come.
    ///
    /// # Panics
    /// Where no folder can be made.
    pub fn new() -> Self {
        // A test that failed leaves nothing half done behind.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            _turn: turn,
        }
    }

    /// The path of `name` in the folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// raq-send, with the sandbox's own key.
    pub fn send(&self) -> Command {
        self.program("raq-send", "own")
    }

    /// raq-recv, with the sandbox's own key, the same as raq-send's.
    pub fn recv(&self) -> Command {
        self.program("raq-recv", "own")
    }

    /// A program with the key of the person `who`, and nothing else from the environment that
    /// would change what it does.
    ///
    /// # Panics
    /// Where it is not built.
    pub fn program(&self, name: &str, who: &str) -> Command {
        let path = programs().join(name);
        assert!(
            path.exists(),
            "{} is not built: run `cargo xtask test`, or `cargo build --workspace --bins` first",
            path.display()
        );
        let mut command = Command::new(path);
        command
            .current_dir(self.folder.path())
            .env("RAQ_CONFIG_DIR", self.path(who))
            // Beside the programs, which tests may not leave anything of elsewhere.
            .env("RAQ_CACHE_DIR", programs().join("cache"));
        for variable in [
            "RAQ_MODEL",
            "ORT_DYLIB_PATH",
            "RUST_LOG",
            "DISPLAY",
            "NO_COLOR",
        ] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// The folder where cargo has put the programs, beside the running test.
///
/// # Panics
/// Where the test does not know its own path.
pub fn programs() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    test.ancestors()
        .nth(2)
        .expect("target/PROFILE/deps/TEST")
        .to_owned()
}

/// Runs `command` to its end.
///
/// # Panics
/// Where it cannot be started or hangs.
pub fn run(command: &mut Command) -> Ended {
    let name = command.get_program().to_owned();
    let name = Path::new(&name)
        .file_name()
        .map(OsStr::to_string_lossy)
        .unwrap_or_default();
    let program = Program::start(&name, command).unwrap_or_else(|error| panic!("{error}"));
    program
        .finish(PATIENCE)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Sends SIGINT, as ctrl-C does.
///
/// # Panics
/// Where the program has gone.
pub fn interrupt(program: &Program) {
    signal(program, "INT");
}

/// Sends a signal, named without SIG.
///
/// # Panics
/// Where the program has gone.
pub fn signal(program: &Program, name: &str) {
    program
        .signal(name)
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Fails unless `ended` gave this exit code and one line on standard error with all of `words`.
///
/// # Panics
/// Where it did not.
pub fn assert_error(ended: &Ended, code: i32, words: &[&str]) {
    let Ended { name, stderr, .. } = ended;
    assert_eq!(
        ended.code(),
        Some(code),
        "exit code of {name}, which wrote:\n{stderr}"
    );
    let error = stderr
        .lines()
        .find(|line| line.starts_with(&format!("{name}: ")));
    let error = error.unwrap_or_else(|| panic!("no line `{name}: …` in:\n{stderr}"));
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in: {error}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}
