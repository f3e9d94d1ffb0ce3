//! Tables in CSV files.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use csv::{ReaderBuilder, Writer, WriterBuilder};
use raq_shared::exit::{Exit, Failure};
use serde::{Serialize, de::DeserializeOwned};

use crate::rd::report::cannot_write;

/// Rows reach the file in pieces of this size, so that most of an interrupted run can be read.
const BUFFER: usize = 1 << 16;

/// A table being written.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    writer: Writer<File>,
}

impl Table {
    /// Creates the file, or empties it.
    pub(super) fn create(path: PathBuf) -> Result<Self, Failure> {
        let file = File::create(&path).map_err(|e| cannot_write(&path, &e))?;
        let writer = WriterBuilder::new()
            .buffer_capacity(BUFFER)
            .from_writer(file);
        Ok(Self { path, writer })
    }

    /// Adds a row; the first one also writes the names of its fields.
    pub(super) fn push(&mut self, row: &impl Serialize) -> Result<(), Failure> {
        let written = self.writer.serialize(row);
        written.map_err(|e| cannot_write(&self.path, &e))
    }

    /// Writes what is still in memory.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.writer.flush();
        flushed.map_err(|e| cannot_write(&self.path, &e))
    }
}

/// Reads all rows. A last line without an end was torn by an interruption: it is left out, and
/// `notes` says so.
///
/// # Errors
/// [`Failure`] naming file and line where the file cannot be read or a row is malformed.
pub(super) fn read_table<T: DeserializeOwned>(
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<Vec<T>, Failure> {
    let bytes = fs::read(path).map_err(|e| cannot_read(path, &e))?;
    let whole = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < bytes.len() {
        notes.push(format!(
            "{} ends in the middle of a line, which is left out",
            path.display()
        ));
    }
    let mut reader = ReaderBuilder::new().from_reader(&bytes[..whole]);
    let malformed = |error: csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        let why = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
            _ => error.to_string(),
        };
        cannot_read(path, &format_args!("line {line}: {why}"))
    };
    reader
        .deserialize()
        .map(|row| row.map_err(malformed))
        .collect()
}

/// A file of the records that is missing or not as it was written.
pub(crate) fn cannot_read(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!(
            "cannot read {}: {error}; give a folder that `raq-sim run --out` wrote, or run it again",
            path.display()
        ),
    )
}
