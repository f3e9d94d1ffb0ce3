//! The line on a terminal that is drawn again and again.
//!
//! A thread draws, so that a terminal that is held (ctrl-S) holds up nothing else. It draws no colours.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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

    /// Without a status line.
    pub fn hidden() -> Self {
        Self::new(false)
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
    newest: Arc<Newest>,
    thread: Option<JoinHandle<()>>,
}

/// The text to be drawn next; one that is not drawn in time gives way to the next.
#[derive(Debug, Default)]
struct Newest {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: Option<String>,
    ended: bool,
}

impl Newest {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits for a text; none at the end.
    fn take(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.text.is_none() && !state.ended;
        let state = self.changed.wait_while(state, idle);
        state.unwrap_or_else(PoisonError::into_inner).text.take()
    }
}

impl StatusLine {
    /// On `console`; nothing where that has no room for it.
    pub(super) fn new(console: &Console) -> Self {
        let mut line = Self {
            console: console.clone(),
            newest: Arc::default(),
            thread: None,
        };
        if console.bar.is_hidden() {
            return line;
        }
        let (bar, newest) = (console.bar.clone(), line.newest.clone());
        // Nothing is worth failing for it.
        line.thread = worker::spawn("status", move || draw(&bar, &newest), |_| {}).ok();
        line
    }

    /// Whether anybody sees it.
    pub(super) fn is_drawn(&self) -> bool {
        self.thread.is_some()
    }

    /// Shows a text; where the terminal is held, nobody misses it.
    pub(super) fn show(&self, text: String) {
        self.newest.change(|state| state.text = Some(text));
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        self.newest.change(|state| state.ended = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            self.console.bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, newest: &Newest) {
    while let Some(text) = newest.take() {
        bar.set_message(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_text_is_drawn_and_the_last_one_too() {
        let newest = Newest::default();
        newest.change(|state| state.text = Some("25 fps".to_owned()));
        newest.change(|state| state.text = Some("no sender".to_owned()));
        newest.change(|state| state.ended = true);
        assert_eq!(newest.take().as_deref(), Some("no sender"));
        assert_eq!(newest.take(), None);
    }
}
