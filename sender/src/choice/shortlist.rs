//! Codebooks in their principal components.

use super::scan::Rows;

/// Codewords in their principal components: a few of them find a shortlist.
#[derive(Debug, Clone)]
pub(super) struct Short {
    /// Orthonormal directions, `[kept, dims]`.
    pub(super) directions: Vec<f32>,
    pub(super) rows: Rows,
    /// Units of the projected rows per grid unit.
    pub(super) unit: f32,
}

impl Short {
    /// Keeps a third of the dimensions.
    const PART: usize = 2;
    /// Rounds of the power method; directions need only be roughly principal.
    const ROUNDS: usize = 12;

    pub(super) fn new(rows: &[i16], dims: usize) -> Self {
        let kept = dims.div_ceil(Self::PART).max(1);
        let directions = principal(rows, dims, kept, Self::ROUNDS);
        let project = |row: &[i16]| -> Vec<f32> {
            let onto = |direction: &[f32]| dot(row, direction);
            directions.chunks_exact(dims).map(onto).collect()
        };
        let projected: Vec<f32> = rows.chunks_exact(dims).flat_map(project).collect();
        let largest = projected.iter().fold(1f32, |most, v| most.max(v.abs()));
        let unit = 8191.0 / largest;
        let scaled: Vec<i16> = projected
            .iter()
            .map(|v| (v * unit).round() as i16)
            .collect();
        Self {
            directions,
            rows: Rows::new(&scaled, kept),
            unit,
        }
    }
}

pub(super) fn dot(row: &[i16], direction: &[f32]) -> f32 {
    row.iter()
        .zip(direction)
        .map(|(&v, d)| f32::from(v) * d)
        .sum()
}

/// The first `kept` principal directions of rows around zero, by subspace iteration.
fn principal(rows: &[i16], dims: usize, kept: usize, rounds: usize) -> Vec<f32> {
    // A few hundred rows tell the directions well enough.
    let step = (rows.len() / dims / 512).max(1);
    let sample: Vec<&[i16]> = rows.chunks_exact(dims).step_by(step).collect();
    let mut directions: Vec<f32> = (0..kept * dims)
        .map(|i| {
            if i % dims == i / dims {
                1.0
            } else {
                ((i * 37 % 101) as f32 - 50.0) * 1e-3
            }
        })
        .collect();
    for _ in 0..rounds {
        let mut next = vec![0f32; kept * dims];
        for row in &sample {
            for (direction, next) in directions
                .chunks_exact(dims)
                .zip(next.chunks_exact_mut(dims))
            {
                let weight = dot(row, direction);
                for (next, &v) in next.iter_mut().zip(*row) {
                    *next += weight * f32::from(v);
                }
            }
        }
        orthonormalise(&mut next, dims);
        directions = next;
    }
    directions
}

/// Gram–Schmidt; a direction that vanishes stays zero.
fn orthonormalise(directions: &mut [f32], dims: usize) {
    for n in 0..directions.len() / dims {
        let (done, rest) = directions.split_at_mut(n * dims);
        let this = &mut rest[..dims];
        for other in done.chunks_exact(dims) {
            let along: f32 = this.iter().zip(other).map(|(a, b)| a * b).sum();
            this.iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a -= along * b);
        }
        let length = this.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if length > 1e-6 { 1.0 / length } else { 0.0 };
        this.iter_mut().for_each(|v| *v *= scale);
    }
}
