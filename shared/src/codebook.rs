//! The adapted codebook: up to 4096 codewords of D integers. The codebook for K̃ codewords is its
//! first K̃ rows.

use std::fmt;

/// The most codewords of a codebook, K_max; K̃ − 1 fits the 12 bits of the datagram header.
pub const MAX_CODEWORDS: usize = 4096;
/// The most numbers in a codeword.
pub const MAX_DIM: usize = 128;

/// BLAKE3 of a codebook's rows, row-major, little-endian `i16`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct CodebookDigest(pub [u8; 32]);

impl CodebookDigest {
    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Reads what [`CodebookDigest::to_hex`] writes; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text)
            .ok()
            .map(|hash| Self(*hash.as_bytes()))
    }
}

impl fmt::Display for CodebookDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for CodebookDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Rows that make no codebook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodebookError {
    /// The number of values is not rows × dim within the limits.
    #[error(
        "{values} values make no codebook of 1 to {MAX_CODEWORDS} codewords of {dim} numbers \
         (at most {MAX_DIM}); export the model again"
    )]
    Shape {
        /// Values given.
        values: usize,
        /// Numbers per codeword asked for.
        dim: usize,
    },
}

/// Codewords of `dim` integers in grid units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codebook {
    dim: usize,
    rows: Vec<i16>,
    digest: CodebookDigest,
}

impl Codebook {
    /// A codebook of `rows`, `[codewords, dim]`, grid units.
    ///
    /// # Errors
    /// [`CodebookError::Shape`] where the length is no multiple of `dim` or out of limits.
    pub fn new(dim: usize, rows: Vec<i16>) -> Result<Self, CodebookError> {
        let values = rows.len();
        if !(1..=MAX_DIM).contains(&dim)
            || !values.is_multiple_of(dim)
            || !(1..=MAX_CODEWORDS).contains(&(values / dim))
        {
            return Err(CodebookError::Shape { values, dim });
        }
        let mut hasher = blake3::Hasher::new();
        for row in rows.chunks_exact(dim) {
            let mut bytes = [0; 2 * MAX_DIM];
            for (pair, value) in bytes.chunks_exact_mut(2).zip(row) {
                pair.copy_from_slice(&value.to_le_bytes());
            }
            hasher.update(&bytes[..2 * dim]);
        }
        let digest = CodebookDigest(*hasher.finalize().as_bytes());
        Ok(Self { dim, rows, digest })
    }

    /// Numbers per codeword, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of codewords.
    pub fn codewords(&self) -> usize {
        self.rows.len() / self.dim
    }

    /// All values, `[codewords, dim]`.
    pub fn rows(&self) -> &[i16] {
        &self.rows
    }

    /// One codeword; `None` past the end.
    pub fn codeword(&self, index: u16) -> Option<&[i16]> {
        self.rows
            .get(usize::from(index) * self.dim..)?
            .get(..self.dim)
    }

    /// BLAKE3 of the rows.
    pub fn digest(&self) -> CodebookDigest {
        self.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_little_endian_rows() {
        let codebook = Codebook::new(2, vec![1, -2, 300, 4]).unwrap();
        let expected = blake3::hash(&[1, 0, 0xfe, 0xff, 0x2c, 1, 4, 0]);
        assert_eq!(codebook.digest().0, *expected.as_bytes());
        assert_eq!(
            CodebookDigest::from_hex(&codebook.digest().to_hex()),
            Some(codebook.digest())
        );
        assert_eq!(codebook.codeword(1), Some(&[300, 4][..]));
        assert_eq!(codebook.codeword(2), None);
    }

    #[test]
    fn shapes_out_of_limits_are_refused() {
        for (dim, values) in [(0, 4), (3, 4), (4, 0), (1, 4097), (129, 129)] {
            assert!(
                Codebook::new(dim, vec![0; values]).is_err(),
                "{dim} {values}"
            );
        }
    }
}
