//! How far a program has come, by the lines of its `--stats` file.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error; a line where that is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: LineCount,
}

impl Progress {
    /// Of `frames` frames; `stats` has a line for each and grows.
    pub(crate) fn new(what: &str, frames: u32, stats: &Path) -> Self {
        let bar = ProgressBar::new(frames.into()).with_message(format!("{what:<22}"));
        if bar.is_hidden() {
            eprintln!("Sending: {what} …");
        }
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} frames") {
            bar.set_style(style);
        }
        Self {
            bar,
            lines: LineCount::new(stats, frames),
        }
    }

    /// Looks again.
    pub(crate) fn update(&mut self) {
        self.bar.set_position(self.lines.count());
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// Counts the lines of a file that grows, up to a limit: the last one is the summary.
struct LineCount {
    path: PathBuf,
    file: Option<File>,
    lines: u64,
    limit: u64,
}

impl LineCount {
    fn new(path: &Path, limit: u32) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            lines: 0,
            limit: limit.into(),
        }
    }

    fn count(&mut self) -> u64 {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut fresh = Vec::new();
        if let Some(file) = &mut self.file {
            // A failed read shows no progress, nothing more.
            let _ = file.read_to_end(&mut fresh);
        }
        self.lines += fresh.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.lines.min(self.limit)
    }
}
