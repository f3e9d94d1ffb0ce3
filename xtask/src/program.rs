//! Running a program: its standard error is kept and watched, and it never outlives its owner.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// A started program.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    stderr: String,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What it was started as.
    pub name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All that it wrote on standard error.
    pub stderr: String,
}

/// A program that could not be started, did not do what was expected, or did not end in time.
#[derive(Debug)]
pub struct ProgramError {
    name: String,
    reason: String,
    stderr: String,
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.reason)?;
        if !self.stderr.is_empty() {
            write!(f, "; it wrote:\n{}", self.stderr.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// Starts `command`. Its standard output goes where the caller has set it to go.
    ///
    /// # Errors
    /// Where the system cannot start it.
    pub fn start(name: &str, command: &mut Command) -> Result<Self, ProgramError> {
        let error = |reason: String| ProgramError {
            name: name.to_owned(),
            reason,
            stderr: String::new(),
        };
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| {
            error(format!(
                "({}) cannot be started: {e}",
                command.get_program().display()
            ))
        })?;
        let Some(pipe) = child.stderr.take() else {
            return Err(error("has no standard error".to_owned()));
        };
        let (sender, lines) = channel();
        // Ends with the pipe, which ends with the program.
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes > 0)
            {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
                line.clear();
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            stderr: String::new(),
        })
    }

    /// The process id, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once, where the caller has piped it.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, once, where the caller has piped it.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Sends it a signal, named without SIG.
    ///
    /// # Errors
    /// Where it has gone.
    pub fn signal(&self, name: &str) -> Result<(), ProgramError> {
        let script = format!("kill -s {name} \"$0\"");
        let mut kill = Command::new("sh");
        kill.args(["-c", &script, &self.child.id().to_string()]);
        match kill.status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(ProgramError {
                name: self.name.clone(),
                reason: format!("is not there for SIG{name}"),
                stderr: self.stderr.clone(),
            }),
        }
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for a line on standard error of which `wanted` makes something.
    ///
    /// # Errors
    /// Where the program ends, or `patience` does, before such a line.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, ProgramError> {
        let deadline = deadline(patience);
        loop {
            match self.lines.recv_timeout(remaining(deadline)) {
                Ok(line) => {
                    self.stderr.push_str(&line);
                    if let Some(found) = wanted(line.trim_end()) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(self.error(format!("did not say {what} within {patience:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = match self.child.wait() {
                        Ok(status) => format!("ended ({status}) before it said {what}"),
                        Err(e) => format!("cannot be waited for: {e}"),
                    };
                    return Err(self.error(reason));
                }
            }
        }
    }

    /// Waits until it ends by itself, calling `meanwhile` a few times a second.
    ///
    /// # Errors
    /// Where it has not ended after `patience`; it is killed then.
    pub fn finish_with(
        mut self,
        patience: Duration,
        mut meanwhile: impl FnMut(),
    ) -> Result<Ended, ProgramError> {
        let deadline = deadline(patience);
        loop {
            let left = remaining(deadline);
            match self
                .lines
                .recv_timeout(left.min(Duration::from_millis(100)))
            {
                Ok(line) => self.stderr.push_str(&line),
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => meanwhile(),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(self.error(format!("did not end within {patience:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.child.wait() {
            Ok(status) => Ok(Ended {
                name: std::mem::take(&mut self.name),
                status,
                stderr: std::mem::take(&mut self.stderr),
            }),
            Err(e) => Err(self.error(format!("cannot be waited for: {e}"))),
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// As [`Self::finish_with`].
    pub fn finish(self, patience: Duration) -> Result<Ended, ProgramError> {
        self.finish_with(patience, || {})
    }

    fn error(&mut self, reason: String) -> ProgramError {
        self.stderr.extend(self.lines.try_iter());
        ProgramError {
            name: self.name.clone(),
            reason,
            stderr: std::mem::take(&mut self.stderr),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Ended {
    /// The exit code; none for an end by a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// An error with what it wrote, unless it ended well.
    ///
    /// # Errors
    /// Where it ended otherwise than with 0.
    pub fn well(self) -> Result<Self, ProgramError> {
        if self.status.success() {
            return Ok(self);
        }
        let reason = format!("failed ({})", self.status);
        Err(ProgramError {
            name: self.name,
            reason,
            stderr: self.stderr,
        })
    }
}

#[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
fn deadline(patience: Duration) -> Instant {
    Instant::now() + patience
}

#[allow(clippy::disallowed_methods, reason = "real programs run in real time")]
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Program {
        Program::start(
            "sh",
            Command::new("sh").args(["-c", script]).stdin(Stdio::null()),
        )
        .unwrap()
    }

    #[test]
    fn a_failure_tells_the_exit_code_and_what_was_written() {
        let ended = shell("echo one >&2; echo two >&2; exit 3")
            .finish(PATIENCE)
            .unwrap();
        assert_eq!(ended.code(), Some(3));
        let text = ended.well().unwrap_err().to_string();
        assert_eq!(text, "sh failed (exit status: 3); it wrote:\none\ntwo");
    }

    #[test]
    fn waits_for_a_line_and_no_longer_than_the_program_lives() {
        let mut program = shell("echo port 7 >&2; read line <&2");
        let port = program.wait_for("its port", PATIENCE, |line| {
            line.strip_prefix("port ")?.parse::<u16>().ok()
        });
        assert_eq!(port.unwrap(), 7);
        let error = shell("echo bye >&2")
            .wait_for("hello", PATIENCE, |line| (line == "hello").then_some(()));
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            "sh ended (exit status: 0) before it said hello; it wrote:\nbye"
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = shell("exec sleep 600")
            .finish(Duration::from_millis(1))
            .unwrap_err();
        assert!(
            error.to_string().contains("did not end within 1ms"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Program::start("x", &mut Command::new("/no/such/program")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("x (/no/such/program) cannot be started"),
            "{error}"
        );
    }
}
