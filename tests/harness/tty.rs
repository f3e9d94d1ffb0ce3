//! A program at a terminal, with somebody who reads and types.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::sandbox::PATIENCE;

/// A program whose standard input and standard error are a terminal.
pub struct Tty {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// All that was on the screen, typed text included.
    pub shown: String,
}

impl Tty {
    /// Starts `command` at a terminal of this many rows.
    ///
    /// # Panics
    /// Where the system has no pseudo terminals, or the program cannot be started.
    pub fn start(command: &mut Command, rows: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("a terminal");
        unlockpt(&controller).expect("a terminal");
        let size = Winsize {
            ws_row: rows,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&controller, size).expect("a size");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let name = name.into_string().expect("a name in ASCII");
        let open = || {
            let file = File::options()
                .read(true)
                .write(true)
                .open(Path::new(&name));
            file.expect("the other end")
        };
        command.stdin(open()).stderr(open());
        let child = command.spawn().expect("the program starts");
        // The terminal ends with the program.
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let keyboard = File::from(controller);
        let mut reading = keyboard.try_clone().expect("another handle");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reading.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            shown: String::new(),
        }
    }

    /// Waits until `wanted` makes something of what was shown so far.
    ///
    /// # Panics
    /// Where the program ends before, or hangs.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(&self.shown) {
                return found;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("no {what} ({error}) in:\n{}", self.shown),
            }
        }
    }

    /// Types a line.
    ///
    /// # Panics
    /// Where the terminal has gone.
    pub fn type_line(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.keyboard
            .write_all(line.as_bytes())
            .expect("a keyboard");
    }

    /// The process, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; the exit code and all that was shown.
    ///
    /// # Panics
    /// Where it hangs, or was ended by a signal.
    pub fn finish(mut self) -> (i32, String) {
        while let Ok(bytes) = self.screen.recv_timeout(PATIENCE) {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        let status = self.child.wait().expect("a status");
        let shown = std::mem::take(&mut self.shown);
        let code = status.code();
        let code = code.unwrap_or_else(|| panic!("signal {:?}:\n{shown}", status.signal()));
        (code, shown)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
