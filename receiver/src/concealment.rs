//! Latents for every position, received or not.
//!
//! A position whose codeword did not arrive keeps the previous frame's codeword and depth. One
//! that never had a codeword takes the mean of its neighbours, spreading outwards from those
//! that were received.

use raq_shared::codebook::Codebook;
use raq_shared::frame::Grid;

use crate::assembly::{MISSING, ReceivedFrame};

/// What concealment remembers between frames of one session. The latents and depths themselves
/// stay in the decoder's input buffers.
#[derive(Debug)]
pub struct Concealment {
    grid: Grid,
    dim: usize,
    /// Positions that had a codeword in this frame or an earlier one.
    received: Vec<bool>,
    all_received: bool,
    /// Rounds after which a position without a codeword got its value; 0 for received ones.
    round: Vec<u32>,
    front: Vec<usize>,
    next_front: Vec<usize>,
}

/// Not yet filled.
const UNFILLED: u32 = u32::MAX;

impl Concealment {
    /// For frames of `grid` and latents of `dim` values.
    pub fn new(grid: Grid, dim: usize) -> Self {
        let positions = grid.positions();
        Self {
            grid,
            dim,
            received: vec![false; positions],
            all_received: false,
            round: vec![UNFILLED; positions],
            front: Vec::new(),
            next_front: Vec::new(),
        }
    }

    /// Brings `latents` (`[positions, dim]`, grid units) and `depth` (`[positions]`, log2 K̃) up
    /// to `frame`; they hold the previous frame's, or anything for the first. Gives the number
    /// of positions whose codeword was not received.
    ///
    /// An index that is no row of `codebook` counts as not received.
    ///
    /// # Panics
    /// When a length does not fit the grid or the dimension.
    pub fn apply(
        &mut self,
        frame: &ReceivedFrame,
        codebook: &Codebook,
        latents: &mut [f32],
        depth: &mut [f32],
    ) -> u32 {
        let positions = self.grid.positions();
        assert_eq!(frame.indices.len(), positions, "an index per position");
        assert_eq!(latents.len(), positions * self.dim, "a latent per position");
        assert_eq!(depth.len(), positions, "a depth per position");
        assert_eq!(codebook.dim(), self.dim, "codewords as long as latents");
        let frame_depth = f32::from(frame.codewords).log2();
        let mut concealed = 0;
        let targets = latents.chunks_exact_mut(self.dim).zip(depth.iter_mut());
        for ((&index, (latent, depth)), received) in
            frame.indices.iter().zip(targets).zip(&mut self.received)
        {
            let codeword = if index == MISSING {
                None
            } else {
                codebook.codeword(index)
            };
            let Some(codeword) = codeword else {
                concealed += 1;
                continue;
            };
            for (value, &component) in latent.iter_mut().zip(codeword) {
                *value = component.into();
            }
            *depth = frame_depth;
            *received = true;
        }
        if !self.all_received {
            self.fill(latents, depth);
        }
        concealed
    }

    /// Gives positions that never had a codeword the mean of their neighbours, in rounds: each
    /// round fills the positions next to those filled before it.
    fn fill(&mut self, latents: &mut [f32], depth: &mut [f32]) {
        self.front.clear();
        for (position, (&received, round)) in self.received.iter().zip(&mut self.round).enumerate()
        {
            *round = if received { 0 } else { UNFILLED };
            if received {
                self.front.push(position);
            }
        }
        if self.front.is_empty() {
            // Nothing at all was received yet: mid-grey.
            latents.fill(0.0);
            depth.fill(0.0);
            return;
        }
        self.all_received = self.front.len() == self.received.len();
        let mut round = 0;
        while !self.front.is_empty() {
            self.next_front.clear();
            for &from in &self.front {
                for position in neighbours(self.grid, from) {
                    if self.round[position] == UNFILLED {
                        self.round[position] = round + 1;
                        self.next_front.push(position);
                    }
                }
            }
            for &position in &self.next_front {
                let sources = neighbours(self.grid, position)
                    .filter(|&neighbour| self.round[neighbour] <= round);
                mean(position, sources, self.dim, latents, depth);
            }
            std::mem::swap(&mut self.front, &mut self.next_front);
            round += 1;
        }
    }
}

/// Writes the mean of `sources` (at least one, never `position` itself) to `position`.
fn mean(
    position: usize,
    sources: impl Iterator<Item = usize>,
    dim: usize,
    latents: &mut [f32],
    depth: &mut [f32],
) {
    let target = position * dim;
    latents[target..target + dim].fill(0.0);
    let (mut count, mut depths) = (0.0f32, 0.0);
    for source in sources {
        for i in 0..dim {
            latents[target + i] += latents[source * dim + i];
        }
        depths += depth[source];
        count += 1.0;
    }
    let scale = 1.0 / count.max(1.0);
    latents[target..target + dim]
        .iter_mut()
        .for_each(|value| *value *= scale);
    depth[position] = depths * scale;
}

/// The up to eight positions around one.
fn neighbours(grid: Grid, position: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (position % grid.columns, position / grid.columns);
    let rows = y.saturating_sub(1)..(y + 2).min(grid.rows);
    let columns = x.saturating_sub(1)..(x + 2).min(grid.columns);
    rows.flat_map(move |y| columns.clone().map(move |x| y * grid.columns + x))
        .filter(move |&neighbour| neighbour != position)
}

#[cfg(test)]
mod tests;
