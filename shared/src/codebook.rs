//! One adapted codebook: up to 4096 codewords of integers. The codebook for K̃ codewords is its
//! first K̃ rows.

use std::fmt;

/// The most codewords of a codebook, K_max; a body codes K̃ − 1 as one of so many values.
pub const MAX_CODEWORDS: usize = 4096;
/// The most numbers in a codeword.
pub const MAX_DIM: usize = 256;

/// BLAKE3 of the rows of all codebooks in order, each row-major, little-endian `i16`.
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

/// Numbers or rows that make no codebook, or codebooks that do not go together.
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
    /// Something about a set of codebooks and stages, in words.
    #[error("{0}")]
    Set(String),
}

/// What one codeword stands for: the first `lead` components of each of `cover` × `cover`
/// positions. Its numbers are those of the positions, row by row; a position's lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodewordShape {
    /// Positions on a side: 1, 2 or 4.
    pub cover: usize,
    /// Leading components of each position, the others are zero; from 1.
    pub lead: usize,
}

impl CodewordShape {
    /// One position with `dim` components.
    pub fn position(dim: usize) -> Self {
        Self {
            cover: 1,
            lead: dim,
        }
    }

    /// Numbers in a codeword; saturates for a `lead` that no latent has.
    pub fn dim(self) -> usize {
        self.cover
            .saturating_mul(self.cover)
            .saturating_mul(self.lead)
    }
}

/// Codewords of one shape, in grid units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codebook {
    name: String,
    shape: CodewordShape,
    rows: Vec<i16>,
}

impl Codebook {
    /// A codebook of `rows`, `[codewords, dim]`, for single positions; its name is `position`.
    ///
    /// # Errors
    /// [`CodebookError::Shape`] where the length is no multiple of `dim` or out of limits.
    pub fn new(dim: usize, rows: Vec<i16>) -> Result<Self, CodebookError> {
        Self::named("position", CodewordShape::position(dim), rows)
    }

    /// A codebook of `rows`, `[codewords, shape.dim()]`.
    ///
    /// # Errors
    /// [`CodebookError::Shape`] where the length is no multiple of `shape.dim()` or out of limits.
    pub fn named(
        name: impl Into<String>,
        shape: CodewordShape,
        rows: Vec<i16>,
    ) -> Result<Self, CodebookError> {
        let (values, dim) = (rows.len(), shape.dim());
        if !(1..=MAX_DIM).contains(&dim)
            || !values.is_multiple_of(dim)
            || !(1..=MAX_CODEWORDS).contains(&(values / dim))
        {
            return Err(CodebookError::Shape { values, dim });
        }
        let name = name.into();
        Ok(Self { name, shape, rows })
    }

    /// What the manifest calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What one codeword stands for.
    pub fn shape(&self) -> CodewordShape {
        self.shape
    }

    /// Numbers per codeword.
    pub fn dim(&self) -> usize {
        self.shape.dim()
    }

    /// Number of codewords.
    pub fn codewords(&self) -> usize {
        self.rows.len() / self.dim()
    }

    /// All values, `[codewords, dim]`.
    pub fn rows(&self) -> &[i16] {
        &self.rows
    }

    /// One codeword; `None` past the end.
    pub fn codeword(&self, index: u16) -> Option<&[i16]> {
        let dim = self.dim();
        self.rows.get(usize::from(index) * dim..)?.get(..dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codewords_are_rows() {
        let codebook = Codebook::new(2, vec![1, -2, 300, 4]).unwrap();
        assert_eq!((codebook.dim(), codebook.codewords()), (2, 2));
        assert_eq!(codebook.codeword(1), Some(&[300, 4][..]));
        assert_eq!(codebook.codeword(2), None);
        let shape = CodewordShape { cover: 4, lead: 3 };
        let codebook = Codebook::named("tile", shape, vec![7; 96]).unwrap();
        assert_eq!((codebook.dim(), codebook.codewords()), (48, 2));
        assert_eq!(codebook.name(), "tile");
    }

    #[test]
    fn shapes_out_of_limits_are_refused() {
        for (dim, values) in [(0, 4), (3, 4), (4, 0), (1, 4097), (257, 257)] {
            assert!(
                Codebook::new(dim, vec![0; values]).is_err(),
                "{dim} {values}"
            );
        }
        let wide = CodewordShape {
            cover: 4,
            lead: usize::MAX,
        };
        assert!(Codebook::named("wide", wide, vec![0; 4]).is_err());
    }
}
