//! A display without a screen.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use xtask::program::Program;

use crate::{sandbox::Sandbox, skip};

/// Xvfb, which keeps its picture in a file.
pub struct Display {
    _server: Program,
    name: String,
    picture: PathBuf,
}

impl Display {
    /// Starts it; skips the test where it is not installed.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn start(sandbox: &Sandbox) -> Option<Self> {
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "640x480x24",
            "-nolisten",
            "tcp",
        ]);
        command
            .arg("-fbdir")
            .arg(sandbox.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let Ok(mut server) = Program::start("Xvfb", &mut command) else {
            skip("Xvfb is not installed (Debian, Ubuntu: apt-get install xvfb)");
            return None;
        };
        // It says which display it took once it can be used.
        let mut name = String::new();
        BufReader::new(server.stdout()?)
            .read_line(&mut name)
            .unwrap();
        assert!(!name.trim().is_empty(), "Xvfb does not start");
        let name = format!(":{}", name.trim());
        Some(Self {
            _server: server,
            name,
            picture: sandbox.path("Xvfb_screen0"),
        })
    }

    /// Its name, as the variable DISPLAY takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many colours the screen shows now.
    ///
    /// # Panics
    /// Where the picture cannot be read.
    pub fn colours(&self) -> usize {
        self.pixels().into_iter().collect::<HashSet<_>>().len()
    }

    /// What the screen shows now: 480 rows of 640 pixels, `0xRRGGBB`. The file is in xwd's format: a
    /// header whose first word is its length and whose 20th the number of colour table entries of 12
    /// bytes, then pixels of four bytes.
    ///
    /// # Panics
    /// Where the picture cannot be read.
    pub fn pixels(&self) -> Vec<u32> {
        let bytes = fs::read(&self.picture).unwrap();
        let word = |n: usize| u32::from_be_bytes(bytes[4 * n..][..4].try_into().unwrap()) as usize;
        let pixels = bytes[word(0) + 12 * word(19)..].as_chunks::<4>().0;
        assert_eq!(pixels.len(), 640 * 480);
        let colour = |&pixel: &[u8; 4]| u32::from_le_bytes(pixel) & 0xff_ffff;
        pixels.iter().map(colour).collect()
    }

    /// Types a key into the window in the middle of the screen, where the pointer goes.
    ///
    /// # Panics
    /// Where xdotool fails.
    pub fn press(&self, key: &str) {
        let mut command = Command::new("xdotool");
        command.args(["mousemove", "320", "240", "key", key]);
        let status = command.env("DISPLAY", &self.name).status().unwrap();
        assert!(status.success(), "xdotool ends with {status}");
    }
}

/// Whether keys can be typed; skips the test where not.
pub fn xdotool() -> bool {
    let mut command = Command::new("xdotool");
    let found = command
        .arg("version")
        .stdout(Stdio::null())
        // It wants a display even for that.
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        skip("xdotool is not installed (Debian, Ubuntu: apt-get install xdotool)");
    }
    found
}
