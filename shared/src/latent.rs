//! Latents: the encoder's output, one D-vector per position, on the codebook's integer grid.

use crate::frame::Grid;

/// The latents of a frame: `[rows, columns, dim]`, rounded to whole grid units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latents {
    grid: Grid,
    dim: usize,
    values: Vec<i16>,
}

impl Latents {
    /// All zero.
    pub fn new(grid: Grid, dim: usize) -> Self {
        Self {
            grid,
            dim,
            values: vec![0; grid.positions() * dim],
        }
    }

    /// The positions.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Numbers per latent, D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values, `[positions, dim]`, grid units.
    pub fn values(&self) -> &[i16] {
        &self.values
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> &mut [i16] {
        &mut self.values
    }

    /// The latent of position p = y · columns + x.
    pub fn at(&self, position: usize) -> &[i16] {
        &self.values[position * self.dim..][..self.dim]
    }

    /// Rounds the encoder's output (grid units, same layout) to the grid, halves to even,
    /// saturating at the ends of `i16`; what is not a number becomes 0.
    ///
    /// # Panics
    /// When `raw` has another length.
    pub fn round_from(&mut self, raw: &[f32]) {
        assert_eq!(raw.len(), self.values.len(), "one number per latent value");
        // Adding 1.5 · 2^23 leaves no fraction bits: rounding in two additions, which every
        // target vectorises (`round_ties_even` is a library call before SSE4.1).
        const SHIFT: f32 = 12_582_912.0;
        for (value, &x) in self.values.iter_mut().zip(raw) {
            let clamped = x.clamp(-32768.0, 32767.0);
            *value = ((clamped + SHIFT) - SHIFT) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_even_and_saturates() {
        let raw = [
            0.5,
            1.5,
            -0.5,
            -2.5,
            2.4999,
            1e9,
            -1e9,
            f32::NAN,
            f32::INFINITY,
        ];
        let mut latents = Latents::new(
            Grid {
                columns: 9,
                rows: 1,
            },
            1,
        );
        latents.round_from(&raw);
        assert_eq!(latents.values(), [0, 2, 0, -2, 2, 32767, -32768, 0, 32767]);
    }

    #[test]
    fn rounding_agrees_with_the_library_over_the_whole_range() {
        let raw: Vec<f32> = (-140_000..140_000)
            .map(|i| i as f32 * 0.25 + 0.125)
            .collect();
        let mut latents = Latents::new(
            Grid {
                columns: raw.len(),
                rows: 1,
            },
            1,
        );
        latents.round_from(&raw);
        for (&value, &x) in latents.values().iter().zip(&raw) {
            assert_eq!(value, x.round_ties_even() as i16, "{x}");
        }
    }
}
