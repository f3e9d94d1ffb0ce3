//! Codebooks in their principal components.

use super::exact::dot;

/// The part of a codebook's energy that its first directions have to hold.
pub(super) const HELD: f32 = 0.95;
/// Rounds of the power method; directions need only be roughly principal.
const ROUNDS: usize = 10;
/// Rows that tell the directions well enough.
const SAMPLE: usize = 512;
/// Bits of a direction's fractions.
const BITS: i32 = 13;

/// The few directions of a codebook that hold nearly all of its energy.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    dims: usize,
    /// Orthonormal, `[kept, dims]`, in units of 2^−[`BITS`].
    directions: Vec<i16>,
}

impl Principal {
    /// None where more than half of the directions are needed: then a look at all of them costs
    /// little more.
    pub(super) fn of(rows: &[i16], dims: usize) -> Option<Self> {
        let most = dims / 2;
        if most == 0 {
            return None;
        }
        let moments = moments(rows, dims);
        let total: f32 = (0..dims).map(|d| moments[d * dims + d]).sum();
        let directions = principal(&moments, dims, most);
        let mut held = 0.0;
        let enough = directions.chunks_exact(dims).position(|direction| {
            held += through(&moments, direction)
                .zip(direction)
                .map(|(m, d)| m * d)
                .sum::<f32>();
            held >= HELD * total
        })?;
        let kept = (enough + 1).next_multiple_of(8).min(most);
        let one = f32::from(1i16 << BITS);
        let fixed = directions[..kept * dims].iter();
        Some(Self {
            dims,
            directions: fixed.map(|v| (v * one).round() as i16).collect(),
        })
    }

    /// How many directions there are.
    pub(super) fn kept(&self) -> usize {
        self.directions.len() / self.dims
    }

    /// A row in these directions, into `projected`.
    pub(super) fn project(&self, row: &[i16], projected: &mut [f32]) {
        let unit = f32::from(1i16 << BITS).recip();
        // Sums of 32 bits hold rows of up to 2^17 in length; longer ones are halved until they do.
        let largest = row.iter().map(|v| v.unsigned_abs()).max().unwrap_or(0);
        let length = f32::from(largest) * (self.dims as f32).sqrt();
        let directions = self.directions.chunks_exact(self.dims);
        for (value, direction) in projected.iter_mut().zip(directions) {
            *value = dot(row, direction, length < f32::from(1u16 << 15) * 4.0) * unit;
        }
    }
}

/// Σ rᵢrⱼ over a sample of the rows, `[dims, dims]`.
fn moments(rows: &[i16], dims: usize) -> Vec<f32> {
    let step = (rows.len() / dims / SAMPLE).max(1);
    let mut moments = vec![0f32; dims * dims];
    for row in rows.chunks_exact(dims).step_by(step) {
        for (&a, sums) in row.iter().zip(moments.chunks_exact_mut(dims)) {
            let a = f32::from(a);
            for (sum, &b) in sums.iter_mut().zip(row) {
                *sum += a * f32::from(b);
            }
        }
    }
    moments
}

/// The product of a matrix and a vector.
fn through<'a>(matrix: &'a [f32], vector: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    matrix
        .chunks_exact(vector.len())
        .map(move |row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
}

/// The first `kept` principal directions around zero, by subspace iteration.
fn principal(moments: &[f32], dims: usize, kept: usize) -> Vec<f32> {
    let mut directions: Vec<f32> = (0..kept * dims)
        .map(|i| {
            if i % dims == i / dims {
                1.0
            } else {
                ((i * 37 % 101) as f32 - 50.0) * 1e-3
            }
        })
        .collect();
    let mut next = vec![0f32; dims];
    for _ in 0..ROUNDS {
        for direction in directions.chunks_exact_mut(dims) {
            next.iter_mut()
                .zip(through(moments, direction))
                .for_each(|(to, value)| *to = value);
            direction.copy_from_slice(&next);
        }
        orthonormalise(&mut directions, dims);
    }
    directions
}

/// Gram–Schmidt; a direction that vanishes stays zero.
fn orthonormalise(directions: &mut [f32], dims: usize) {
    for n in 0..directions.len() / dims {
        let (done, rest) = directions.split_at_mut(n * dims);
        let this = &mut rest[..dims];
        let before = this.iter().map(|v| v * v).sum::<f32>().sqrt();
        for other in done.chunks_exact(dims) {
            let along: f32 = this.iter().zip(other).map(|(a, b)| a * b).sum();
            this.iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a -= along * b);
        }
        let length = this.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if length > 1e-6 * before {
            1.0 / length
        } else {
            0.0
        };
        this.iter_mut().for_each(|v| *v *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_follow_the_energy() {
        let mut seed = 1u32;
        let mut draw = |span: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 8) as i32 % (2 * span + 1) - span) as i16
        };
        let flat: Vec<i16> = (0..600 * 32).map(|_| draw(100)).collect();
        assert!(Principal::of(&flat, 32).is_none(), "white rows have none");
        // Nearly all in three mixed directions.
        let rows: Vec<i16> = (0..600)
            .flat_map(|_| {
                let parts = [draw(900), draw(700), draw(500)].map(i32::from);
                let value = |d: usize| {
                    let mixed =
                        parts[0] - parts[1] * (d as i32 % 3 - 1) + parts[2] * (d as i32 % 2);
                    (mixed + i32::from(draw(9))) as i16
                };
                (0..32).map(value).collect::<Vec<_>>()
            })
            .collect();
        let principal = Principal::of(&rows, 32).unwrap();
        assert_eq!(principal.kept(), 8);
        let mut projected = [0.0; 8];
        for row in rows.chunks_exact(32).take(50) {
            principal.project(row, &mut projected);
            let all: f32 = row.iter().map(|&v| f32::from(v).powi(2)).sum();
            let held: f32 = projected.iter().map(|v| v * v).sum();
            assert!((0.9..1.01).contains(&(held / all)), "{held} of {all}");
        }
    }
}
