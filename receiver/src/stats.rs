//! The records of `--stats`, and the sums that end them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use raq_shared::exit::{Exit, Failure};
use raq_shared::stats::{FrameDecoded, Line, ReceiverRecord, ReceiverSummary};

use crate::assembly::Counts;

/// Sums over one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) frames_decoded: u32,
    pub(crate) frames_partial: u32,
    /// Frames that waited too long for the decoder.
    pub(crate) frames_overrun: u32,
    first: Option<Duration>,
    last: Duration,
}

impl Tally {
    /// Notes that something arrived.
    pub(crate) fn arrived(&mut self, now: Duration) {
        self.first.get_or_insert(now);
        self.last = now;
    }

    /// Notes a decoded frame.
    pub(crate) fn decoded(&mut self, record: &FrameDecoded) {
        self.frames_decoded += 1;
        self.frames_partial += u32::from(record.datagrams_received < record.datagrams_expected);
    }

    /// The record that ends the session.
    pub(crate) fn summary(
        &self,
        frames_sent: u32,
        counts: &Counts,
        provider: &str,
        codebook_digest: String,
        codebook_shipped: bool,
    ) -> ReceiverSummary {
        let seconds = self
            .last
            .saturating_sub(self.first.unwrap_or(self.last))
            .as_secs_f64();
        ReceiverSummary {
            frames_decoded: self.frames_decoded,
            frames_partial: self.frames_partial,
            frames_lost: frames_sent.saturating_sub(self.frames_decoded),
            bytes: counts.bytes,
            seconds: (seconds * 1e6).round() / 1e6,
            provider: provider.to_owned(),
            codebook_digest,
            codebook_shipped,
        }
    }
}

/// The file of `--stats`: a JSON line per record.
#[derive(Debug)]
pub(crate) struct StatsFile {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl StatsFile {
    /// Opens the file anew; without a path nothing is written.
    pub(crate) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                path: PathBuf::new(),
                file: None,
            });
        };
        let file = File::create(path).map_err(|e| {
            Failure::new(
                Exit::Failure,
                format_args!(
                    "cannot write {}: {e}; choose another --stats FILE",
                    path.display()
                ),
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: Some(BufWriter::new(file)),
        })
    }

    /// Writes a record. A full disk ends the records, not the session.
    pub(crate) fn write(&mut self, record: ReceiverRecord) {
        let Some(file) = &mut self.file else { return };
        let line = Line::new(record);
        let written = serde_json::to_writer(&mut *file, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        if let Err(error) = written {
            tracing::error!(
                "cannot write {}: {error}; no more records are written, free space for the next \
                 session",
                self.path.display()
            );
            self.file = None;
        }
    }
}
