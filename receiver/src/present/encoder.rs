//! ffmpeg, which encodes a y4m stream into a file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};

use super::telling::{FULL, because};

const FFMPEG: &str = "ffmpeg";
/// H.264 that looks like what came and costs little time; odd sides get a line more, as the encoder
/// needs.
const VIDEO: &str = "-c:v libx264 -preset veryfast -crf 18 -pix_fmt yuv420p \
                     -vf pad=ceil(iw/2)*2:ceil(ih/2)*2";
/// Pieces that can be played without what comes after, one a second.
const MP4: &str = "-movflags +empty_moov+default_base_moof -frag_duration 1000000 -f mp4";
const MKV: &str = "-cluster_time_limit 1000 -f matroska";
/// What is ready goes into the file at once, so that a disk that is full is known at once, too.
const PROMPT: &str = "-flush_packets 1";
/// How long it may take to write the last of it, and how often to look.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// The most that is kept of what it says, bytes.
const WORDS: u64 = 4096;

/// The running program.
#[derive(Debug)]
pub(super) struct Encoder {
    child: Child,
    words: Option<JoinHandle<String>>,
}

impl Encoder {
    /// Whether it is installed and can encode.
    ///
    /// # Errors
    /// [`Failure`] where it is not, or cannot.
    pub(super) fn check() -> Result<(), Failure> {
        let mut command = Command::new(FFMPEG);
        command.args(["-hide_banner", "-h", "encoder=libx264"]);
        let silent = command.stdin(Stdio::null()).stderr(Stdio::null());
        let help = silent.output().map_err(|error| missing(&error))?;
        if String::from_utf8_lossy(&help.stdout).contains("Encoder libx264") {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Failure,
            "this ffmpeg was built without libx264, which encodes the file; install another, or \
             record FILE.y4m instead",
        ))
    }

    /// Starts it for the file `path`; gives where the stream goes.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be started.
    pub(super) fn start(path: &Path, overwrite: bool) -> Result<(Self, File), Failure> {
        let container = match path.extension() {
            Some(end) if end.eq_ignore_ascii_case("mkv") => MKV,
            _ => MP4,
        };
        // A name with a colon is no protocol.
        let mut name = OsString::from("file:");
        name.push(path);
        let mut command = Command::new(FFMPEG);
        command
            .args(["-hide_banner", "-loglevel", "error"])
            .arg(if overwrite { "-y" } else { "-n" })
            .args(["-f", "yuv4mpegpipe", "-i", "pipe:0"])
            .args(VIDEO.split_ascii_whitespace())
            .args(container.split_ascii_whitespace())
            .args(PROMPT.split_ascii_whitespace())
            .arg(name);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::null());
        // Ctrl-C is for raq-recv; ffmpeg ends with its input.
        let mut child = piped
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| missing(&error))?;
        let words = child
            .stderr
            .take()
            .map(|pipe| thread::spawn(|| listen(pipe)));
        let Some(stdin) = child.stdin.take() else {
            return Err(missing(&ErrorKind::BrokenPipe.into()));
        };
        Ok((Self { child, words }, File::from(OwnedFd::from(stdin))))
    }

    /// Waits until the file is whole; call it when the stream has been closed.
    ///
    /// # Errors
    /// [`Failure`] with its own words where it fails.
    pub(super) fn finish(mut self, path: &Path) -> Result<(), Failure> {
        let status = self.wait();
        let words = self.words.take().and_then(|thread| thread.join().ok());
        let why = match status {
            Ok(Some(status)) if status.success() => return Ok(()),
            // What follows the first complaint follows from it.
            Ok(Some(status)) => words
                .and_then(|words| Some(words.trim().lines().next()?.to_owned()))
                .unwrap_or_else(|| status.to_string()),
            Ok(None) => "it does not come to an end".to_owned(),
            Err(error) => error.to_string(),
        };
        let told = because(if why.contains(FULL) {
            FULL
        } else {
            "ffmpeg has ended"
        });
        let text = format_args!(
            "ffmpeg cannot write {}: {why}; free space, choose another --output or record FILE.y4m",
            path.display()
        );
        Err(Failure::new(Exit::Failure, text).telling(told))
    }

    /// None where it takes too long; it is killed then, and leaves what it has written.
    fn wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut left = PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if left.is_zero() {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(None);
            }
            thread::sleep(LOOK);
            left = left.saturating_sub(LOOK);
        }
    }
}

/// What it says, up to a limit; the rest is thrown away, so that it never waits for somebody to read.
fn listen(mut pipe: ChildStderr) -> String {
    let mut words = Vec::new();
    let _ = pipe.by_ref().take(WORDS).read_to_end(&mut words);
    let _ = io::copy(&mut pipe, &mut io::sink());
    String::from_utf8_lossy(&words).into_owned()
}

fn missing(error: &io::Error) -> Failure {
    let message = match error.kind() {
        ErrorKind::NotFound => {
            "ffmpeg, which encodes the file, is not installed; install it (Debian, \
                                Ubuntu: apt-get install ffmpeg) or record FILE.y4m instead"
                .to_owned()
        }
        _ => format!("cannot start ffmpeg: {error}; record FILE.y4m instead"),
    };
    Failure::new(Exit::Failure, message)
}
