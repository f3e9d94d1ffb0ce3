//! Writes the records of one policy.

use std::{fs, path::PathBuf};

use raq_shared::exit::Failure;

use super::{CpuRecord, DatagramRow, FrameRow, recorder::save_json, table::Table};
use crate::rd::report::cannot_write;

/// The records of one policy while they are being written. What was added is in the files up to
/// the last 64 KiB; [`finish`](Self::finish) writes the rest.
#[derive(Debug)]
pub struct PolicyRecorder {
    folder: PathBuf,
    frames: Table,
    datagrams: Table,
}

impl PolicyRecorder {
    pub(super) fn create(folder: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&folder).map_err(|e| cannot_write(&folder, &e))?;
        Ok(Self {
            frames: Table::create(folder.join("frames.csv"))?,
            datagrams: Table::create(folder.join("datagrams.csv"))?,
            folder,
        })
    }

    /// Adds a row to `frames.csv`, rounded as [`FrameRow`] tells.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written; so for the others.
    pub fn frame(&mut self, row: FrameRow) -> Result<(), Failure> {
        self.frames.push(&row.rounded())
    }

    /// Adds a row to `datagrams.csv`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn datagram(&mut self, row: &DatagramRow) -> Result<(), Failure> {
        self.datagrams.push(row)
    }

    /// Writes `pictures/NAME`, what was on screen at the playout deadline of this frame, as the
    /// bytes of a PNG file; [`picture_name`] is NAME.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn picture(&self, flow: u32, frame: u64, png: &[u8]) -> Result<(), Failure> {
        let folder = self.folder.join("pictures");
        fs::create_dir_all(&folder).map_err(|e| cannot_write(&folder, &e))?;
        let path = folder.join(picture_name(flow, frame));
        fs::write(&path, png).map_err(|e| cannot_write(&path, &e))
    }

    /// Writes `cpu.json`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn cpu(&self, cpu: &CpuRecord) -> Result<(), Failure> {
        save_json(&self.folder.join("cpu.json"), cpu)
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn finish(self) -> Result<(), Failure> {
        self.frames.finish()?;
        self.datagrams.finish()
    }
}

/// `FLOW-FRAME.png`, in order of the frames when sorted.
pub fn picture_name(flow: u32, frame: u64) -> String {
    format!("{flow}-{frame:06}.png")
}
