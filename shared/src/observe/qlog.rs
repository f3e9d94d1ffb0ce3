//! `--qlog`: what quinn does, as qlog (draft-ietf-quic-qlog-main-schema), a file per connection.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use quinn::{QlogConfig, TransportConfig};

use crate::calendar::unix_now;
use crate::exit::{Exit, Failure};

/// Most files of one run, so that strangers who knock do not fill the disk.
const FILES: u32 = 1000;

/// A folder for qlog files.
#[derive(Debug)]
pub struct Qlog {
    folder: PathBuf,
    /// What the files' names begin with: the program's, and when it began.
    prefix: String,
    files: AtomicU32,
}

impl Qlog {
    /// In `folder`, which is made where it is missing; `program` is the name of this one.
    ///
    /// # Errors
    /// [`Failure`] where nothing can be written there.
    pub fn open(folder: &Path, program: &str) -> Result<Self, Failure> {
        let prefix = format!("{program}-{}", unix_now().as_millis());
        let qlog = Self {
            folder: folder.to_owned(),
            prefix,
            files: AtomicU32::new(0),
        };
        let probe = folder.join(format!(".{}", qlog.prefix));
        std::fs::create_dir_all(folder)
            .and_then(|()| File::create_new(&probe))
            .and_then(|_| std::fs::remove_file(&probe))
            .map_err(|error| {
                let folder = folder.display();
                let text =
                    format_args!("cannot write into {folder}: {error}; choose another --qlog DIR");
                Failure::new(Exit::Failure, text)
            })?;
        Ok(qlog)
    }

    /// Has the connection that `transport` is for write a file of its own. Where that fails it goes on
    /// without.
    pub fn apply(&self, transport: &mut TransportConfig) {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        if number >= FILES {
            if number == FILES {
                tracing::warn!("{FILES} qlog files are enough; no more are written");
            }
            // Never around and back to nothing.
            self.files.store(FILES + 1, Ordering::Relaxed);
            return;
        }
        let path = self.folder.join(format!("{}-{number}.sqlog", self.prefix));
        match File::create_new(&path) {
            Ok(file) => {
                let mut config = QlogConfig::default();
                config
                    .title(Some(self.prefix.clone()))
                    .writer(Box::new(Trace::new(path, file)));
                transport.qlog_stream(config.into_stream());
            }
            Err(error) => tell(&path, &error),
        }
    }
}

fn tell(path: &Path, error: &io::Error) {
    let path = path.display();
    tracing::error!("cannot write {path}: {error}; the trace ends here, free space for the next");
}

/// A file that complains once.
#[derive(Debug)]
struct Trace<W: Write> {
    path: PathBuf,
    file: Option<BufWriter<W>>,
}

impl<W: Write> Trace<W> {
    fn new(path: PathBuf, file: W) -> Self {
        let file = Some(BufWriter::new(file));
        Self { path, file }
    }

    fn attempt(&mut self, act: impl FnOnce(&mut BufWriter<W>) -> io::Result<()>) {
        if let Some(file) = &mut self.file
            && let Err(error) = act(file)
        {
            tell(&self.path, &error);
            // What is left in the buffer is not tried again.
            if let Some(file) = self.file.take() {
                let _ = file.into_parts();
            }
        }
    }
}

impl<W: Write> Write for Trace<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|file| file.write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(Write::flush);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_files_numbered() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let qlog = Qlog::open(&folder, "raq-test").unwrap();
        let mut transports = [TransportConfig::default(), TransportConfig::default()];
        for transport in &mut transports {
            qlog.apply(transport);
        }
        let count = || std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(count(), 2);
        qlog.files.store(FILES, Ordering::Relaxed);
        qlog.apply(&mut transports[0]);
        qlog.apply(&mut transports[0]);
        assert_eq!(count(), 2, "no more than so many files");
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let failure = Qlog::open(&file, "raq-test").unwrap_err();
        assert!(failure.message.contains("--qlog DIR"), "{failure}");
    }

    #[test]
    fn a_full_disk_ends_the_trace_alone() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut trace = Trace::new("/dev/full".into(), full);
        for _ in 0..1000 {
            trace.write_all(&[0; 100]).unwrap();
        }
        assert!(trace.file.is_none());
        trace.flush().unwrap();
    }
}
