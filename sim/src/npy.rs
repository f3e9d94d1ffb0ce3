//! Arrays as NumPy reads them: files of format version 1.0, little-endian, row-major.

use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use raq_shared::exit::Failure;

use crate::rd::report::cannot_write;

/// Bytes before the data: magic number, version, length, text. A multiple of 64, with room for
/// any shape here.
const HEADER_LEN: usize = 128;

/// What an array is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// `f32`.
    F32,
    /// `i16`.
    I16,
    /// `u8`.
    U8,
}

impl Element {
    fn code(self) -> &'static str {
        match self {
            Self::F32 => "<f4",
            Self::I16 => "<i2",
            Self::U8 => "|u1",
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::I16 => 2,
            Self::U8 => 1,
        }
    }
}

/// An array `[rows, …]` whose rows are written one after the other; their number may be unknown
/// until [`Self::finish`].
#[derive(Debug)]
pub struct NpyFile {
    path: PathBuf,
    file: BufWriter<File>,
    element: Element,
    /// Sizes of all dimensions but the first.
    row: Vec<usize>,
    written: u64,
}

impl NpyFile {
    /// Makes the file, in place of one that is there.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn create(path: &Path, element: Element, row: &[usize]) -> Result<Self, Failure> {
        let made = File::create(path).and_then(|file| {
            let mut file = BufWriter::new(file);
            file.write_all(&[b' '; HEADER_LEN])?;
            Ok(file)
        });
        Ok(Self {
            path: path.to_owned(),
            file: made.map_err(|e| cannot_write(path, &e))?,
            element,
            row: row.to_vec(),
            written: 0,
        })
    }

    /// Appends values of whole rows as little-endian bytes.
    ///
    /// # Errors
    /// [`Failure`] where they cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.written += bytes.len() as u64;
        let written = self.file.write_all(bytes);
        written.map_err(|e| cannot_write(&self.path, &e))
    }

    /// Writes the header, now that the number of rows is known.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        let header = self.header();
        let done: io::Result<()> = (|| {
            self.file.seek(io::SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.flush()
        })();
        done.map_err(|e| cannot_write(&self.path, &e))
    }

    fn header(&self) -> Vec<u8> {
        let row = self.row.iter().product::<usize>() as u64 * self.element.bytes();
        let rows = self.written / row.max(1);
        let sizes: Vec<_> = self.row.iter().map(|size| format!(" {size},")).collect();
        let text = format!(
            "{{'descr': '{}', 'fortran_order': False, 'shape': ({rows},{}), }}",
            self.element.code(),
            sizes.concat()
        );
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        header.extend(((HEADER_LEN - 10) as u16).to_le_bytes());
        header.extend(text.into_bytes());
        header.resize(HEADER_LEN - 1, b' ');
        header.push(b'\n');
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_what_numpy_writes_but_for_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut file = NpyFile::create(&path, Element::I16, &[2, 3]).unwrap();
        for row in 0..4u8 {
            file.append(&[row; 12]).unwrap();
        }
        file.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER_LEN + 48);
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        let text = "{'descr': '<i2', 'fortran_order': False, 'shape': (4, 2, 3,), }  ";
        assert_eq!(bytes[10..][..text.len()], *text.as_bytes());
        assert_eq!(bytes[HEADER_LEN - 1..][..2], *b"\n\x00");
        assert_eq!(bytes.last(), Some(&3));
    }

    #[test]
    fn no_rows_are_an_array_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let file = NpyFile::create(&path, Element::F32, &[7]).unwrap();
        file.finish().unwrap();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(text.contains("'<f4'") && text.contains("(0, 7,)"), "{text}");
    }
}
