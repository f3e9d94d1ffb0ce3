//! The frozen linear skip in integers: latents to samples and back.
//!
//! Its rows are orthonormal, so a picture displaced by a fixed amount is a fixed linear map of
//! neighbouring latents: analysis · displacement · synthesis. That product is never written out
//! (whole and half pixels alone would be 256 maps of four D×D matrices); its factors are
//! applied one after the other, every rounding fixed here, so both ends agree to the bit.

use super::pairs::{GROUP, Pairs};
use crate::stage::MAX_LATENT;

/// Samples of one position: 64 of luma, then 16 of each chroma plane.
pub const PATCH: usize = 96;
/// Fraction bits of the basis.
pub const BASIS_BITS: u32 = 12;
/// Synthesised samples count in units of 1/8 pixel around mid-grey.
pub const SAMPLE_BITS: u32 = 3;
/// The largest magnitude of a synthesised sample.
pub const SAMPLE_LIMIT: i32 = 16383;

/// The samples of a position, in units of 1/8 pixel: luma 8×8, then U 4×4, then V 4×4.
pub type Patch = [i16; PATCH];

/// A basis that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BasisError {
    /// Not `dim` rows of [`PATCH`] values, or more than [`MAX_LATENT`].
    #[error("{values} values are no basis of {dim} rows of {PATCH}; export the model again")]
    Shape {
        /// Values given.
        values: usize,
        /// Rows asked for.
        dim: usize,
    },
    /// Rows are not orthonormal: sums could overflow and pictures would grow.
    #[error("rows {a} and {b} of the basis are not orthonormal; export the model again")]
    Orthonormal {
        /// One row.
        a: usize,
        /// The other, or the same.
        b: usize,
    },
}

/// The orthonormal rows of the linear skip, Q12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    rows: Vec<[i16; PATCH]>,
    synthesis: Pairs,
    analysis: Pairs,
}

const _: () = assert!(PATCH == 2 * GROUP && MAX_LATENT <= 2 * GROUP);

impl Basis {
    /// Grid units of a latent are half pixels: synthesis leaves 2^(1 + 12) per pixel.
    const SYNTHESIS_SHIFT: u32 = 1 + BASIS_BITS - SAMPLE_BITS;
    const ANALYSIS_SHIFT: u32 = BASIS_BITS + SAMPLE_BITS - 1;

    /// A basis of `dim` rows, `[dim, PATCH]`, Q12.
    ///
    /// # Errors
    /// [`BasisError`] where the shape is wrong or the rows are not orthonormal within 1/256.
    pub fn new(dim: usize, values: &[i16]) -> Result<Self, BasisError> {
        if !(1..=MAX_LATENT).contains(&dim) || values.len() != dim * PATCH {
            let values = values.len();
            return Err(BasisError::Shape { values, dim });
        }
        let (rows, _) = values.as_chunks::<PATCH>();
        let one = 1i64 << (2 * BASIS_BITS);
        for (a, row) in rows.iter().enumerate() {
            for (b, other) in rows.iter().enumerate().skip(a) {
                let product = |(&x, &y): (&i16, &i16)| i64::from(x) * i64::from(y);
                let dot: i64 = row.iter().zip(other).map(product).sum();
                if (dot - if a == b { one } else { 0 }).abs() > one >> 8 {
                    return Err(BasisError::Orthonormal { a, b });
                }
            }
        }
        Ok(Self {
            synthesis: Pairs::new(PATCH, dim, |sample, row| rows[row][sample]),
            analysis: Pairs::new(dim, PATCH, |row, sample| rows[row][sample]),
            rows: rows.to_vec(),
        })
    }

    /// A basis that nobody trained: the lowest waves of a two-dimensional cosine transform of the
    /// luma block, and the means of both chroma blocks. For tests and models of samples.
    ///
    /// # Errors
    /// [`BasisError::Shape`] where `dim` is 0 or above [`MAX_LATENT`].
    pub fn cosine(dim: usize) -> Result<Self, BasisError> {
        let wave = |k: usize, x: usize| {
            let scale: f64 = if k == 0 { 0.125 } else { 0.25 };
            scale.sqrt() * (std::f64::consts::PI * (x as f64 + 0.5) * k as f64 / 8.0).cos()
        };
        let mut order: Vec<(usize, usize)> = (0..64).map(|i| (i / 8, i % 8)).collect();
        order.sort_by_key(|&(a, b)| (a + b, a));
        let mut values = Vec::new();
        for row in 0..dim.min(MAX_LATENT) {
            let mut samples = [0.0; PATCH];
            match row {
                1 | 2 => samples[64 + 16 * (row - 1)..][..16].fill(0.25),
                _ => {
                    let (v, u) = order[row.saturating_sub(2)];
                    for (i, sample) in samples[..64].iter_mut().enumerate() {
                        *sample = wave(v, i / 8) * wave(u, i % 8);
                    }
                }
            }
            let one = f64::from(1 << BASIS_BITS);
            values.extend(samples.map(|sample| (sample * one).round() as i16));
        }
        Self::new(dim, &values)
    }

    /// Numbers per latent, D.
    pub fn dim(&self) -> usize {
        self.rows.len()
    }

    /// Latent to samples: ⌊(Σ bᵢⱼ·zᵢ + 2⁹) / 2¹⁰⌋, held within ±[`SAMPLE_LIMIT`].
    ///
    /// # Panics
    /// When `latent` has another length than D.
    pub fn synthesise(&self, latent: &[i16], samples: &mut Patch) {
        assert_eq!(latent.len(), self.dim(), "a latent of D numbers");
        // |Σ b·z| ≤ 2¹⁵ · Σᵢ|bᵢⱼ| ≤ 2¹⁵ · 2¹² · √64 · 1.004 < 2³¹, since the columns of
        // orthonormal rows have at most length one.
        let mut sums = [[0; GROUP]; 2];
        self.synthesis.product(latent, &mut sums);
        for (sample, sum) in samples.iter_mut().zip(sums.as_flattened()) {
            let rounded = (sum + (1 << (Self::SYNTHESIS_SHIFT - 1))) >> Self::SYNTHESIS_SHIFT;
            *sample = rounded.clamp(-SAMPLE_LIMIT, SAMPLE_LIMIT) as i16;
        }
    }

    /// Samples to latent: ⌊(Σ bᵢⱼ·xⱼ + 2¹³) / 2¹⁴⌋, saturated.
    ///
    /// # Panics
    /// When `latent` has another length than D.
    pub fn analyse(&self, samples: &Patch, latent: &mut [i16]) {
        assert_eq!(latent.len(), self.dim(), "a latent of D numbers");
        let mut sums = [[0; GROUP]; 2];
        self.analysis.product(samples, &mut sums);
        for (value, sum) in latent.iter_mut().zip(sums.as_flattened()) {
            let rounded = (sum + (1 << (Self::ANALYSIS_SHIFT - 1))) >> Self::ANALYSIS_SHIFT;
            *value = rounded.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        }
    }

    /// BLAKE3 of the rows, little-endian `i16`: what the manifest vouches for.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for row in &self.rows {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analysis_undoes_synthesis() {
        let basis = Basis::cosine(40).unwrap();
        let latent: Vec<i16> = (0..40).map(|i| (i * 37 % 101 - 50) * 5).collect();
        let (mut samples, mut back) = ([0; PATCH], vec![0; 40]);
        basis.synthesise(&latent, &mut samples);
        basis.analyse(&samples, &mut back);
        for (a, b) in latent.iter().zip(&back) {
            assert!(a.abs_diff(*b) <= 1, "{latent:?} {back:?}");
        }
    }

    #[test]
    fn synthesis_counts_eighths_of_a_pixel() {
        // A mean of 10 pixels over 64 luma samples is a first component of 80 pixels, 160 units.
        let mut samples = [0; PATCH];
        let basis = Basis::cosine(8).unwrap();
        basis.synthesise(&[160, 0, 0, 0, 0, 0, 0, 0], &mut samples);
        assert_eq!(samples[..64], [80; 64]);
        assert_eq!(samples[64..], [0; 32]);
    }

    #[test]
    fn extreme_sums_saturate() {
        let basis = Basis::cosine(64).unwrap();
        for latent in [[i16::MAX; 64], [i16::MIN; 64]] {
            let (mut samples, mut back) = ([0; PATCH], [0; 64]);
            basis.synthesise(&latent, &mut samples);
            assert!(samples.iter().any(|s| i32::from(s.abs()) == SAMPLE_LIMIT));
            basis.analyse(&samples, &mut back);
        }
        let mut back = [0; 64];
        basis.analyse(&[SAMPLE_LIMIT as i16; PATCH], &mut back);
    }

    #[test]
    fn wrong_bases_are_refused() {
        assert!(matches!(
            Basis::new(2, &[0; PATCH]),
            Err(BasisError::Shape { .. })
        ));
        assert!(matches!(Basis::new(0, &[]), Err(BasisError::Shape { .. })));
        for dim in [0, MAX_LATENT + 1] {
            assert!(matches!(Basis::cosine(dim), Err(BasisError::Shape { .. })));
        }
        let mut values = vec![0i16; 2 * PATCH];
        (values[0], values[PATCH]) = (4096, 4096);
        let error = Basis::new(2, &values);
        assert_eq!(error, Err(BasisError::Orthonormal { a: 0, b: 1 }));
    }
}
