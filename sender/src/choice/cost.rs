//! What symbols will cost, before they are coded.

use raq_shared::coding::tables::{BASES, Band, Tables};
use raq_shared::stage::{MAX_STAGES, POSITIONS, Stages};
use raq_shared::tile::{Base, Displacement, Filter};

/// Prices of one frame's symbols in bits, from the band of its level.
#[derive(Debug, Clone)]
pub struct Cost<'a> {
    band: &'a Band,
    codewords: [u16; MAX_STAGES],
    /// log2 of the number of ways to choose k of n blocks, `[n][k]`, for n = 0..=16.
    choices: &'a [[f32; POSITIONS + 1]; POSITIONS + 1],
    blocks: [u8; MAX_STAGES],
    /// What a tile costs for being updated at all: its flag and a zero for every stage.
    tile: f32,
    /// Bases that are possible.
    bases: usize,
}

/// log2 C(n, k) for n, k = 0..=16; infinite where k > n.
pub fn binomials() -> [[f32; POSITIONS + 1]; POSITIONS + 1] {
    let mut table = [[f32::INFINITY; POSITIONS + 1]; POSITIONS + 1];
    for (n, row) in table.iter_mut().enumerate() {
        let mut ways = 1f64;
        for (k, cell) in row[..=n].iter_mut().enumerate() {
            *cell = ways.log2() as f32;
            ways = ways * (n - k) as f64 / (k + 1) as f64;
        }
    }
    table
}

impl<'a> Cost<'a> {
    /// Prices at `level`, when about a share of `updated` of the tiles will be updated and the floor
    /// lies `floor` frames back (0: there is none).
    pub fn new(
        stages: &Stages,
        tables: &'a Tables,
        level: u8,
        codewords: [u16; MAX_STAGES],
        updated: f32,
        floor: u8,
        choices: &'a [[f32; POSITIONS + 1]; POSITIONS + 1],
    ) -> Self {
        let band = tables.band(level);
        let mut blocks = [0; MAX_STAGES];
        for stage in stages.numbers() {
            blocks[stage] = stages.cover(stage).blocks() as u8;
        }
        let zeros: f32 = stages.numbers().map(|s| band.blocks[s].bits(0)).sum();
        // A share p of set flags costs log2 1/p + log2 e per set flag while p is small.
        let flag = (std::f32::consts::LOG2_E - updated.clamp(0.02, 1.0).log2()).max(0.3);
        Self {
            band,
            codewords,
            choices,
            blocks,
            tile: flag + zeros,
            bases: match floor {
                0 => BASES,
                back => BASES.min(back.into()),
            },
        }
    }

    /// The band.
    pub fn band(&self) -> &'a Band {
        self.band
    }

    /// K̃ per stage.
    pub fn codewords(&self) -> &[u16; MAX_STAGES] {
        &self.codewords
    }

    /// One more refined block of a stage in a tile that has `count` of them.
    pub fn operation(&self, stage: usize, count: u8, index: usize) -> f32 {
        let (count, all) = (usize::from(count), usize::from(self.blocks[stage]));
        let blocks = &self.band.blocks[stage];
        blocks.bits(count + 1) - blocks.bits(count) + self.choices[all][count + 1]
            - self.choices[all][count]
            + self
                .band
                .index_bits(stage, index, self.codewords[stage].into())
    }

    /// An update that resets a tile, without operations.
    pub fn reset(&self) -> f32 {
        self.tile + self.band.start.bits(0)
    }

    /// An update that keeps a tile, without operations.
    pub fn keep(&self, base: Base) -> f32 {
        self.tile + self.band.start.bits(1) + self.base(base)
    }

    /// A base.
    pub fn base(&self, base: Base) -> f32 {
        let symbol = match base {
            Base::Floor => 0,
            Base::Before(back) => usize::from(back).min(BASES - 1),
        };
        let far = if symbol == BASES - 1 { 8.0 } else { 0.0 };
        self.band.base(self.bases).bits(symbol) + far
    }

    /// A copy without its bases: `last` is the displacement coded before it.
    pub fn copy(
        &self,
        displacements: &[Displacement; 4],
        filter: Filter,
        last: Displacement,
    ) -> f32 {
        let whole = displacements.iter().all(|d| d == &displacements[0]);
        let magnitude = |difference: i16| {
            let bits = (u16::BITS - difference.unsigned_abs().leading_zeros()) as usize;
            self.band.magnitude.bits(bits.min(7)) + bits as f32
        };
        let mut before = last;
        let mut bits = self.tile + self.band.start.bits(if whole { 2 } else { 3 });
        bits += self.band.filter.bits(filter as usize);
        for by in &displacements[..if whole { 1 } else { 4 }] {
            bits += magnitude(by.dx - before.dx) + magnitude(by.dy - before.dy);
            before = *by;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_choose() {
        let table = binomials();
        assert!((table[16][8].exp2() - 12870.0).abs() < 1.0);
        assert_eq!((table[4][0], table[1][1], table[0][0]), (0.0, 0.0, 0.0));
        assert!((table[4][2].exp2() - 6.0).abs() < 1e-4 && table[4][5].is_infinite());
    }
}
