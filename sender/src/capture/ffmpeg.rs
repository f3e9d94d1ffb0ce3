//! ffmpeg at the other end of a pipe: anything it reads, as y4m.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A running ffmpeg; ended when it is dropped.
#[derive(Debug)]
pub(super) struct Ffmpeg(Child);

/// ffmpeg cannot be run.
#[derive(Debug)]
pub(super) enum StartError {
    /// It is not installed.
    Missing,
    /// The system says why.
    System(io::Error),
}

impl Ffmpeg {
    /// Starts to read the first video of a file; the stream of pictures, 4:2:0 at a constant rate.
    pub(super) fn start(path: &Path) -> Result<(Self, ChildStdout), StartError> {
        // A file name may look like a protocol or an option.
        let absolute = std::path::absolute(path).map_err(StartError::System)?;
        let mut command = Command::new("ffmpeg");
        // What the file refers to is to be files, too: a playlist must not reach into the network.
        command.args([
            "-nostdin",
            "-v",
            "error",
            "-protocol_whitelist",
            "file,crypto,data",
        ]);
        command
            .arg("-i")
            .arg(format!("file:{}", absolute.display()));
        command.args(["-map", "0:v:0", "-pix_fmt", "yuv420p"]);
        command.args(["-f", "yuv4mpegpipe", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // An interrupt is for raq-send, which then reads no more.
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StartError::Missing,
            _ => StartError::System(error),
        })?;
        let pictures = child.stdout.take();
        let ffmpeg = Self(child);
        let pictures = pictures.ok_or_else(|| StartError::System(io::ErrorKind::Other.into()))?;
        Ok((ffmpeg, pictures))
    }

    /// How it ended, once its stream of pictures has.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "ffmpeg, which might read it, is not installed; install it (Debian, Ubuntu: \
                 apt-get install ffmpeg) or give a .y4m file",
            ),
            Self::System(error) => write!(
                f,
                "ffmpeg, which might read it, cannot be run ({error}); give a .y4m file"
            ),
        }
    }
}
