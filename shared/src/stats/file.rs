//! Writing `--stats`.
//!
//! A thread writes, so that a pipe that nobody reads or a disk that sleeps holds up nothing else: lines
//! that find no room are left out and counted.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::Line;
use crate::exit::{Exit, Failure};
use crate::worker;

/// Lines that may wait to be written …
const ROOM: usize = 1024;
/// … of which so many are kept for summaries and connections.
const RESERVE: usize = 64;
/// How long the last lines may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// A JSON object per line.
    Json,
    /// Comma-separated values under a line of names.
    Csv,
}

impl StatsFormat {
    /// What the ending of a name says; JSON where it says nothing.
    pub fn of(path: &Path) -> Self {
        let is_csv = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        if is_csv { Self::Csv } else { Self::Json }
    }
}

/// One place that `--stats` writes to.
#[derive(Debug)]
pub struct StatsFile {
    /// For messages.
    name: String,
    format: Format,
    lines: Option<SyncSender<Vec<u8>>>,
    /// Buffers of lines that are written.
    spare: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    /// Gives up its other end when everything is written.
    done: Receiver<()>,
    left_out: u64,
}

#[derive(Debug)]
enum Format {
    Json,
    Csv {
        columns: Vec<&'static str>,
        headed: bool,
    },
}

#[derive(Debug, Default)]
struct Shared {
    /// Lines that are not written yet.
    waiting: AtomicUsize,
    /// Nothing more can be written.
    broken: AtomicBool,
    /// Because whoever read standard output has gone.
    unread: AtomicBool,
}

impl StatsFile {
    /// Opens the file, `-` for standard output. What it holds is replaced by the first line, so that a
    /// session that never begins takes nothing away. `columns` are those of CSV.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn create(
        path: &Path,
        format: StatsFormat,
        columns: Vec<&'static str>,
    ) -> Result<Self, Failure> {
        let is_stdout = path == Path::new("-");
        let (name, target) = match is_stdout {
            true => ("standard output".to_owned(), Target::Stdout),
            false => {
                let name = path.display().to_string();
                let about = path.metadata();
                // Opening one waits for its reader, which nothing else should do.
                if about.is_ok_and(|about| about.file_type().is_fifo()) {
                    (name, Target::Pipe(path.to_owned()))
                } else {
                    let file = writable(path).map_err(|e| {
                        let text =
                            format_args!("cannot write {name}: {e}; choose another --stats FILE");
                        Failure::new(Exit::Failure, text)
                    })?;
                    (name, Target::File { file, old: true })
                }
            }
        };
        let (lines, written) = sync_channel::<Vec<u8>>(ROOM);
        let (give_back, spare) = sync_channel(ROOM);
        let (end, done) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            name: name.clone(),
            target,
            lines: written,
            give_back,
            shared: shared.clone(),
            _end: end,
        };
        // One that panics has told of itself and writes no more.
        worker::spawn("statistics", move || writer.run(), |_| {})?;
        Ok(Self {
            name,
            format: match format {
                StatsFormat::Json => Format::Json,
                StatsFormat::Csv => Format::Csv {
                    columns,
                    headed: false,
                },
            },
            lines: Some(lines),
            spare,
            shared,
            done,
            left_out: 0,
        })
    }

    /// Writes the line of a frame or an interval, where there is room. A full disk ends the lines, not
    /// the session.
    ///
    /// # Errors
    /// [`Failure::closed_pipe`] where standard output has no reader any more.
    pub fn write<R: Serialize>(&mut self, record: &R) -> Result<(), Failure> {
        self.line(record, ROOM - RESERVE)
    }

    /// Writes a line that matters more than those.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_surely<R: Serialize>(&mut self, record: &R) -> Result<(), Failure> {
        self.line(record, ROOM)
    }

    fn line<R: Serialize>(&mut self, record: &R, room: usize) -> Result<(), Failure> {
        let Shared {
            waiting,
            broken,
            unread,
        } = &*self.shared;
        if unread.load(Ordering::Relaxed) {
            return Err(Failure::closed_pipe());
        }
        let Some(lines) = self
            .lines
            .as_ref()
            .filter(|_| !broken.load(Ordering::Relaxed))
        else {
            return Ok(());
        };
        let mut line = self.spare.try_recv().unwrap_or_default();
        line.clear();
        let made = match &mut self.format {
            Format::Json => json(&mut line, record),
            Format::Csv { columns, headed } => csv(&mut line, record, columns, headed),
        };
        if let Err(error) = made {
            // Writing into memory does not fail, and records are plain.
            tracing::debug!("a record was not written: {error}");
            return Ok(());
        }
        // Only this end adds, so that there is room for a line that finds less than that.
        let full = waiting.fetch_add(1, Ordering::Relaxed) >= room;
        if full || lines.try_send(line).is_err() {
            waiting.fetch_sub(1, Ordering::Relaxed);
            self.left_out += 1;
            if self.left_out == 1 {
                let name = &self.name;
                tracing::warn!("{name} takes statistics too slowly; lines are left out");
            }
        }
        Ok(())
    }
}

impl Drop for StatsFile {
    fn drop(&mut self) {
        drop(self.lines.take());
        if self.done.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
            let name = &self.name;
            tracing::warn!("{name} takes no more statistics; the last lines are lost");
        }
        if self.left_out > 0 {
            tracing::warn!("{} lines of statistics were left out", self.left_out);
        }
    }
}

fn json<R: Serialize>(line: &mut Vec<u8>, record: &R) -> io::Result<()> {
    serde_json::to_writer(&mut *line, &Line::new(record))?;
    line.push(b'\n');
    Ok(())
}

fn csv<R: Serialize>(
    line: &mut Vec<u8>,
    record: &R,
    columns: &[&str],
    headed: &mut bool,
) -> io::Result<()> {
    let record = serde_json::to_value(record)?;
    let mut csv = csv::Writer::from_writer(line);
    if !std::mem::replace(headed, true) {
        csv.write_record(columns)?;
    }
    csv.write_record(columns.iter().map(|&column| cell(record.get(column))))?;
    csv.flush()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            let values: Vec<_> = values.iter().map(|value| cell(Some(value))).collect();
            values.join(" ")
        }
        Some(value) => value.to_string(),
    }
}

fn writable(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).open(path)
}

enum Target {
    Stdout,
    /// A pipe that is to be opened yet.
    Pipe(PathBuf),
    File {
        file: File,
        /// Whether it still holds what was there before.
        old: bool,
    },
}

/// What the thread has.
struct Writer {
    name: String,
    target: Target,
    lines: Receiver<Vec<u8>>,
    give_back: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
    _end: SyncSender<()>,
}

impl Writer {
    fn run(mut self) {
        if let Target::Pipe(path) = &self.target {
            match writable(path) {
                Ok(file) => self.target = Target::File { file, old: false },
                Err(error) => return self.fail(&error),
            }
        }
        while let Ok(line) = self.lines.recv() {
            if let Err(error) = self.write(&line) {
                self.fail(&error);
                return;
            }
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            // A buffer that nobody wants is freed.
            let _ = self.give_back.try_send(line);
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match &mut self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line).and_then(|()| stdout.flush())
            }
            Target::File { file, old } => {
                if std::mem::take(old) {
                    // Pipes and terminals have no length; there is nothing to replace.
                    let _ = file.set_len(0);
                }
                file.write_all(line)
            }
            Target::Pipe(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn fail(&self, error: &io::Error) {
        let is_stdout = matches!(self.target, Target::Stdout);
        if is_stdout && error.kind() == io::ErrorKind::BrokenPipe {
            self.shared.unread.store(true, Ordering::Relaxed);
        } else {
            let name = &self.name;
            tracing::error!(
                "cannot write {name}: {error}; no more statistics are written, free space for the \
                 next session"
            );
        }
        self.shared.broken.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
