//! The line on a terminal that is drawn again and again.
//!
//! A thread draws, so that a terminal that is held (ctrl-S) holds up nothing else. It draws no colours.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::worker;

/// Standard error: the log, and below it the status line where there is one.
#[derive(Clone, Debug)]
pub struct Console {
    /// Hidden where there is no status line.
    bar: ProgressBar,
}

impl Console {
    /// With a status line where standard error is a terminal that can be drawn on, and it is `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        let target = match wanted && io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // Cut off where the terminal ends. The template is sound.
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Writes text for whoever sits there.
    pub fn print(&self, text: &str) {
        // Where standard error is closed nobody reads it.
        let _ = self.write(text.as_bytes());
    }

    /// Keeps the status line away until the answer is dropped: somebody types.
    pub fn hold(&self) -> Held<'_> {
        if self.bar.is_hidden() {
            return Held(None);
        }
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        // What was drawn last.
        let _ = io::stderr().write_all(b"\r\x1b[K");
        Held(Some(&self.bar))
    }

    /// Writes lines of the log, which the status line makes room for.
    fn write(&self, lines: &[u8]) -> io::Result<()> {
        if self.bar.is_hidden() {
            return io::stderr().write_all(lines);
        }
        self.bar.suspend(|| io::stderr().write_all(lines))
    }
}

/// Keeps the status line away.
#[derive(Debug)]
#[must_use]
pub struct Held<'a>(Option<&'a ProgressBar>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(bar) = self.0 {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// What the log writes to.
#[derive(Clone, Debug)]
pub(super) struct LogWriter(pub(super) Console);

impl Write for LogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.write(lines).map(|()| lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Draws the status line.
#[derive(Debug)]
pub(super) struct StatusLine {
    console: Console,
    texts: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusLine {
    /// On `console`; nothing where that has no room for it.
    pub(super) fn new(console: &Console) -> Self {
        let mut line = Self {
            console: console.clone(),
            texts: None,
            thread: None,
        };
        if console.bar.is_hidden() {
            return line;
        }
        let (texts, drawn) = sync_channel(1);
        let bar = console.bar.clone();
        // Nothing is worth failing for it.
        if let Ok(thread) = worker::spawn("status", move || draw(&bar, &drawn), |_| {}) {
            line.texts = Some(texts);
            line.thread = Some(thread);
        }
        line
    }

    /// Whether anybody sees it.
    pub(super) fn is_drawn(&self) -> bool {
        self.texts.is_some()
    }

    /// Shows a text; where the terminal is held, nobody misses it.
    pub(super) fn show(&self, text: String) {
        if let Some(texts) = &self.texts {
            let _ = texts.try_send(text);
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        drop(self.texts.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            self.console.bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, texts: &Receiver<String>) {
    while let Ok(text) = texts.recv() {
        bar.set_message(text);
    }
}
