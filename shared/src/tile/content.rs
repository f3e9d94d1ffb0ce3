//! The content of a tile: sums of codewords and depths.

use crate::stage::{POSITIONS, Stages};

/// The finest depth; 0 is the coarsest.
pub const MAX_DEPTH: u8 = 96;

/// One generation of one tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Sums of codewords, `[position, dim]`, grid units, saturated at the ends of `i16`.
    pub sums: Box<[i16]>,
    /// Per position how finely it is known, 0..=[`MAX_DEPTH`] in quarter octaves: the level of the
    /// frame that refined it last.
    pub depth: [u8; POSITIONS],
}

impl Content {
    /// All zero: what a reset starts from.
    pub fn new(dim: usize) -> Self {
        Self {
            sums: vec![0; POSITIONS * dim].into(),
            depth: [0; POSITIONS],
        }
    }

    /// Becomes equal to `other` without allocating.
    ///
    /// # Panics
    /// When the latents' lengths differ.
    pub fn copy_from(&mut self, other: &Self) {
        self.sums.copy_from_slice(&other.sums);
        self.depth = other.depth;
    }

    /// Becomes all zero.
    pub fn reset(&mut self) {
        self.sums.fill(0);
        self.depth = [0; POSITIONS];
    }

    /// Adds codeword `index` of `stage` to `block`, saturating. Returns whether a sum saturated.
    ///
    /// # Panics
    /// When stage, block or index is out of range.
    pub fn refine(&mut self, stages: &Stages, stage: usize, block: usize, index: u16) -> bool {
        let (scale, book) = (stages.stage(stage), stages.codebook(stage));
        let (dim, lead) = (stages.dim(), book.lead());
        let mut saturated = false;
        let parts = book.codeword(index).chunks_exact(lead);
        for (inner, part) in book.cover().members(block).zip(parts) {
            for (sum, &value) in self.sums[inner * dim..][..lead].iter_mut().zip(part) {
                let wide = i32::from(*sum) + i32::from(scale.scale(value));
                let held = wide.clamp(i16::MIN.into(), i16::MAX.into());
                saturated |= held != wide;
                *sum = held as i16;
            }
        }
        saturated
    }

    /// A 32-bit hash of sums and depths, for the audit of one end's state by the other: the first
    /// four bytes, little-endian, of BLAKE3 over the sums (little-endian, row-major), then depths.
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = blake3::Hasher::new();
        for row in self.sums.chunks(POSITIONS) {
            let mut bytes = [0; 2 * POSITIONS];
            for (pair, value) in bytes.chunks_exact_mut(2).zip(row) {
                pair.copy_from_slice(&value.to_le_bytes());
            }
            hasher.update(&bytes[..2 * row.len()]);
        }
        hasher.update(&self.depth);
        let hash = hasher.finalize();
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Cover, Stage, StageCodebook};

    fn stages() -> Stages {
        let rows = vec![100, -7, 1, 2, 3, 4, 5, 6, 30000, -30000, 0, 0, 0, 0, 0, 0];
        let quarter = StageCodebook::new(Cover::Quarter, 2, rows).unwrap();
        let (plain, half) = (
            Stage {
                codebook: 0,
                shift: 0,
            },
            Stage {
                codebook: 0,
                shift: 1,
            },
        );
        Stages::new(3, vec![quarter], vec![plain, half]).unwrap()
    }

    #[test]
    fn codewords_add_up_where_they_belong() {
        let stages = stages();
        let mut content = Content::new(3);
        assert!(!content.refine(&stages, 0, 1, 0));
        assert_eq!(content.sums[2 * 3..4 * 3], [100, -7, 0, 1, 2, 0]);
        assert_eq!(content.sums[6 * 3..8 * 3], [3, 4, 0, 5, 6, 0]);
        assert!(content.sums[..6].iter().all(|&v| v == 0));
        assert!(!content.refine(&stages, 1, 1, 0));
        assert_eq!(content.sums[2 * 3..4 * 3], [150, -10, 0, 2, 3, 0]);
    }

    #[test]
    fn endless_refinement_saturates() {
        let stages = stages();
        let mut content = Content::new(3);
        assert!(!content.refine(&stages, 0, 0, 1));
        assert!(content.refine(&stages, 0, 0, 1));
        for _ in 0..10 {
            content.refine(&stages, 0, 0, 1);
        }
        assert_eq!(content.sums[..3], [i16::MAX, i16::MIN, 0]);
    }

    #[test]
    fn fingerprints_tell_contents_apart() {
        let mut content = Content::new(3);
        let empty = content.fingerprint();
        content.depth[15] = 1;
        let deeper = content.fingerprint();
        content.sums[47] = 1;
        assert_ne!(empty, deeper);
        assert_ne!(deeper, content.fingerprint());
    }
}
