//! What can be wrong with a camera: cause and cure.

use std::io;
use std::path::{Path, PathBuf};

use raq_shared::exit::{Exit, Failure};
use rustix::io::Errno;

/// A camera that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    path: PathBuf,
    cause: Cause,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// There is no such device, or no longer.
    Gone,
    /// Another program has it.
    Busy,
    /// The user may not.
    Denied,
    /// It is something else than a camera.
    NoCamera,
    /// None of its formats can be taken: which could, and which it has.
    Formats { wanted: String, given: String },
    /// It has come back with another picture; what it gives now and gave before.
    Changed(String),
    /// The USB bus carries no more.
    Bus,
    /// It gives no pictures.
    Silent,
    /// Its pictures cannot be read.
    Broken,
    /// The system says something else.
    Other(String),
}

impl Trouble {
    pub(super) fn new(path: &Path, cause: Cause) -> Self {
        let path = path.to_owned();
        Self { path, cause }
    }

    /// What the system's error means for a camera.
    pub(crate) fn of(path: &Path, error: &io::Error) -> Self {
        let cause = match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Cause::Gone,
            Some(Errno::BUSY) => Cause::Busy,
            Some(Errno::ACCESS | Errno::PERM) => Cause::Denied,
            Some(Errno::NOTTY | Errno::ISDIR) => Cause::NoCamera,
            Some(Errno::NOSPC) => Cause::Bus,
            _ => Cause::Other(error.to_string()),
        };
        Self::new(path, cause)
    }

    /// Whether it may pass by itself once the camera has worked.
    pub(crate) fn may_pass(&self) -> bool {
        !matches!(
            self.cause,
            Cause::NoCamera | Cause::Formats { .. } | Cause::Changed(_)
        )
    }

    fn cure(&self) -> &'static str {
        match self.cause {
            Cause::Gone => {
                "plug the camera in, or choose one that `raq-send --list-cameras` prints"
            }
            Cause::Busy => "close the program that uses the camera (`fuser -v` names it)",
            Cause::Denied => {
                "add yourself to the group `video` (`sudo usermod -aG video $USER`) and log in again"
            }
            Cause::NoCamera => "choose one that `raq-send --list-cameras` prints",
            Cause::Formats { .. } => {
                "leave --camera-format out, use another camera, or let ffmpeg read this one and pipe \
                 y4m into --input -"
            }
            Cause::Changed(_) => "start raq-send again",
            Cause::Bus => "plug the camera into another port, or choose a smaller --size or --fps",
            Cause::Silent => {
                "look whether its shutter or privacy switch is on, or plug it in again"
            }
            Cause::Broken => "unplug it and plug it in again, or choose another --size",
            Cause::Other(_) => "unplug the camera and plug it in again",
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.cause {
            Cause::Gone => write!(f, "there is no camera at {path}"),
            Cause::Busy => write!(f, "{path} is in use by another program"),
            Cause::Denied => write!(f, "you are not allowed to use {path}"),
            Cause::NoCamera => write!(f, "{path} is no camera"),
            Cause::Formats { wanted, given } => {
                write!(f, "{path} does not give {wanted}, only {given}")
            }
            Cause::Changed(how) => write!(f, "the camera that came back at {path} {how}"),
            Cause::Bus => write!(f, "the USB bus of {path} carries no more"),
            Cause::Silent => write!(f, "{path} gives no pictures"),
            Cause::Broken => write!(f, "no picture that {path} gives can be read"),
            Cause::Other(error) => write!(f, "cannot use {path}: {error}"),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::new(Exit::Device, format_args!("{trouble}; {}", trouble.cure()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_with_the_cure() {
        for (errno, cause, cure, passes) in [
            (Errno::NOENT, "no camera at /dev/video7", "plug", true),
            (Errno::NODEV, "no camera at /dev/video7", "plug", true),
            (Errno::BUSY, "in use", "close the program", true),
            (Errno::ACCESS, "not allowed", "group `video`", true),
            (Errno::NOTTY, "is no camera", "--list-cameras", false),
            (Errno::NOSPC, "USB bus", "--size", true),
            (Errno::IO, "error", "unplug", true),
        ] {
            let trouble = Trouble::of(Path::new("/dev/video7"), &errno.into());
            assert_eq!(trouble.may_pass(), passes, "{trouble}");
            let failure = Failure::from(trouble);
            assert_eq!(failure.exit, Exit::Device);
            assert!(failure.cause().contains(cause), "{failure}");
            assert!(failure.message.contains(cure), "{failure}");
        }
    }
}
