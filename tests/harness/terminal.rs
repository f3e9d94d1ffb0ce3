//! A program on a terminal: util-linux's `script` gives it one, `stty` its width.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::{sandbox::Sandbox, skip};

/// A terminal that a program runs on; all it writes comes out.
pub struct Terminal {
    child: Child,
    /// What is typed; closed it would end the terminal.
    _typed: ChildStdin,
    written: ChildStdout,
    name: PathBuf,
}

impl Terminal {
    /// Runs `command` on a terminal of so many columns; skips the test where there are no terminals.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(sandbox: &Sandbox, command: &Command, columns: u32) -> Option<Self> {
        if Command::new("script").arg("--version").output().is_err() {
            skip("`script` is not installed");
            return None;
        }
        let name = sandbox.path("terminal");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
        let line = format!(
            "tty > {}; stty cols {columns} rows 24; exec {}",
            quoted(&name.to_string_lossy()),
            words.join(" ")
        );
        let mut script = Command::new("script");
        script
            .args(["-q", "-e", "-c", &line, "/dev/null"])
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => script.env(variable, value),
                None => script.env_remove(variable),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            script.current_dir(folder);
        }
        let mut child = script.spawn().expect("script");
        let typed = child.stdin.take().expect("its input");
        let written = child.stdout.take().expect("its output");
        Some(Self {
            child,
            _typed: typed,
            written,
            name,
        })
    }

    /// Waits for more of what is written and adds it to `written`; false when the program has ended.
    ///
    /// # Panics
    /// Where the terminal cannot be read.
    pub fn read(&mut self, written: &mut Vec<u8>) -> bool {
        let mut bytes = [0; 4096];
        let len = self.written.read(&mut bytes).expect("the terminal");
        written.extend_from_slice(&bytes[..len]);
        len > 0
    }

    /// Gives the terminal another width.
    ///
    /// # Panics
    /// Where that is not possible.
    pub fn resize(&self, columns: u32) {
        let name = std::fs::read_to_string(&self.name).expect("the terminal's name");
        let columns = columns.to_string();
        let mut stty = Command::new("stty");
        stty.arg("-F")
            .arg(Path::new(name.trim()))
            .args(["cols", &columns]);
        assert!(stty.status().expect("stty").success());
    }

    /// The exit code of the program, which has ended.
    ///
    /// # Panics
    /// Where it cannot be waited for.
    pub fn finish(mut self) -> Option<i32> {
        self.child.wait().expect("its end").code()
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The pieces of `written` between moves of the cursor, without escape sequences and blanks around.
pub fn pieces(written: &[u8]) -> Vec<String> {
    let written = String::from_utf8_lossy(written);
    let mut pieces = vec![String::new()];
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' | '\n' => pieces.push(String::new()),
            '\x1b' => {
                // CSI: parameters up to a letter. All but colours move or clear.
                let end = chars.by_ref().skip(1).find(|c| c.is_ascii_alphabetic());
                if end != Some('m') {
                    pieces.push(String::new());
                }
            }
            c => pieces.last_mut().expect("one").push(c),
        }
    }
    let trimmed = pieces.iter().map(|piece| piece.trim().to_owned());
    trimmed.filter(|piece| !piece.is_empty()).collect()
}
