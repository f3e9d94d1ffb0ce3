//! The best codeword of a block at every scale of its codebook, in one pass.
//!
//! For a residual r and a codeword c at scale 2^−s the error falls by 2·r·c·2^−s − |c|²·4^−s.
//! With a price λ per bit the best codeword maximises r·c − bias, where
//! bias = |c|²·2^−s / 2 + λ·bits·2^s / 2: one dot product serves all scales.

use raq_shared::codebook::MAX_DIM;
use raq_shared::coding::tables::Band;
use raq_shared::stage::{StageCodebook, Stages};

use super::shortlist::{Short, dot};

/// Codewords that one step of the scan looks at.
const LANES: usize = 8;

/// Products of residual and codeword stay below this.
const PRODUCT_LIMIT: f32 = (1u32 << 31) as f32;

/// Codewords of a shortlist that are compared exactly.
const RESCORED: usize = 4;

/// Pairs of numbers in the longest codeword.
const MAX_STEPS: usize = MAX_DIM / 2;

/// Rows laid out for scanning: blocks of eight rows, pairs of dimensions interleaved.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) dims: usize,
    pairs: Vec<[i16; 2 * LANES]>,
    pub(super) longest: f32,
}

impl Rows {
    pub(super) fn new(rows: &[i16], dims: usize) -> Self {
        let steps = dims.div_ceil(2);
        let count = rows.len() / dims;
        let mut pairs = vec![[0; 2 * LANES]; count.div_ceil(LANES) * steps];
        let mut longest = 0f32;
        for (index, row) in rows.chunks_exact(dims).enumerate() {
            let (block, lane) = (index / LANES * steps, index % LANES);
            for (step, pair) in row.chunks(2).enumerate() {
                pairs[block + step][2 * lane..][..pair.len()].copy_from_slice(pair);
            }
            longest = longest.max(row.iter().map(|&v| f32::from(v).powi(2)).sum());
        }
        Self {
            dims,
            pairs,
            longest: longest.sqrt(),
        }
    }
}

/// A codebook laid out for scanning.
#[derive(Debug, Clone)]
pub struct Scan {
    full: Rows,
    short: Short,
    codewords: usize,
    rows: Vec<i16>,
    energies: Vec<f32>,
    level: Level,
}

/// Which build of the kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// What this processor can run, the fastest last.
    fn available() -> Vec<Self> {
        let mut levels = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            levels.push(Self::Avx2);
        }
        levels
    }
}

/// The best codeword at one scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// r·c − bias.
    pub score: f32,
    /// Its index.
    pub index: u32,
}

impl Scan {
    /// Lays a codebook out.
    pub fn new(codebook: &StageCodebook) -> Self {
        let (dims, rows) = (codebook.dims(), codebook.rows());
        let energy = |row: &[i16]| row.iter().map(|&v| f32::from(v).powi(2)).sum();
        Self {
            full: Rows::new(rows, dims),
            short: Short::new(rows, dims),
            codewords: codebook.codewords(),
            rows: rows.to_vec(),
            energies: rows.chunks_exact(dims).map(energy).collect(),
            level: Level::available().pop().unwrap_or(Level::Scalar),
        }
    }

    /// The same in every build that this processor can run, with the build's name.
    pub fn builds(&self) -> impl Iterator<Item = (String, Self)> {
        Level::available().into_iter().map(|level| {
            let name = format!("{level:?}").to_lowercase();
            let scan = Self {
                level,
                ..self.clone()
            };
            (name, scan)
        })
    }

    /// Numbers of a codeword.
    pub fn dims(&self) -> usize {
        self.full.dims
    }

    /// The biases of a stage for a price `lambda` per bit, into `biases` (cleared first): one per
    /// codeword, infinite past K̃, filled up to whole blocks.
    pub fn biases(
        &self,
        stages: &Stages,
        stage: usize,
        band: &Band,
        codewords: usize,
        lambda: f32,
        biases: &mut Vec<f32>,
    ) {
        let scale = f32::from(stages.stage(stage).shift).exp2();
        biases.clear();
        biases.extend(
            self.energies[..codewords]
                .iter()
                .enumerate()
                .map(|(index, energy)| {
                    energy / scale / 2.0
                        + lambda * band.index_bits(stage, index, codewords) * scale / 2.0
                }),
        );
        biases.resize(self.codewords.next_multiple_of(LANES), f32::INFINITY);
    }

    /// [`Self::best`] of all codewords, or [`Self::shortlisted`].
    ///
    /// # Panics
    /// As they do.
    pub fn find<const S: usize>(
        &self,
        residual: &[i16],
        biases: [&[f32]; S],
        all: bool,
    ) -> [Best; S] {
        if all {
            self.best(residual, biases)
        } else {
            self.shortlisted(residual, biases)
        }
    }

    /// The best codeword for `residual` under each list of biases.
    ///
    /// # Panics
    /// When the residual's length is not that of a codeword, a list is not one of
    /// [`Self::biases`], or there are more lists than places in `best`.
    pub fn best<const S: usize>(&self, residual: &[i16], biases: [&[f32]; S]) -> [Best; S] {
        assert_eq!(
            residual.len(),
            self.dims(),
            "a residual of the codeword's length"
        );
        // Whole products must fit 32 bits: |r|·|c| bounds every one of them. A residual that long
        // is halved until they do; its best codeword hardly changes.
        let energy: f32 = residual.iter().map(|&v| f32::from(v).powi(2)).sum();
        let mut shift = 0;
        while energy.sqrt() * self.full.longest >= PRODUCT_LIMIT * (shift as f32).exp2() {
            shift += 1;
        }
        let mut query = [[0i16; 2]; MAX_STEPS];
        let query = &mut query[..self.dims().div_ceil(2)];
        for (pair, values) in query.iter_mut().zip(residual.chunks(2)) {
            for (to, &from) in pair.iter_mut().zip(values) {
                *to = from >> shift;
            }
        }
        let lanes = self.lanes(&self.full, query, (shift as f32).exp2(), biases);
        lanes.map(|lanes| lanes.into_iter().fold(Best::NONE, Best::better))
    }

    /// The same out of a shortlist: the best of each of eight parts of the codebook in a third of
    /// its principal components, then exactly.
    ///
    /// # Panics
    /// As [`Self::best`].
    pub fn shortlisted<const S: usize>(&self, residual: &[i16], biases: [&[f32]; S]) -> [Best; S] {
        assert_eq!(
            residual.len(),
            self.dims(),
            "a residual of the codeword's length"
        );
        let kept = self.short.rows.dims;
        let mut projected = [0f32; 2 * MAX_STEPS];
        let projected = &mut projected[..kept];
        let directions = self.short.directions.chunks_exact(self.dims());
        for (value, direction) in projected.iter_mut().zip(directions) {
            *value = dot(residual, direction);
        }
        let energy: f32 = projected.iter().map(|v| v * v).sum();
        // As large as 16 bits and 32-bit sums allow.
        let fits = (PRODUCT_LIMIT / (energy.sqrt() * self.short.rows.longest + 1.0)).min(64.0);
        let scale = 0.9 * fits.min(32767.0 / (energy.sqrt() + 1.0));
        let mut query = [[0i16; 2]; MAX_STEPS];
        let query = &mut query[..kept.div_ceil(2)];
        for (pair, values) in query.iter_mut().zip(projected.chunks(2)) {
            for (to, &from) in pair.iter_mut().zip(values) {
                *to = (from * scale) as i16;
            }
        }
        let unit = 1.0 / (scale * self.short.unit);
        let lanes = self.lanes(&self.short.rows, query, unit, biases);
        // Sums of 32 bits are quick; |r|·|c| says whether they are enough.
        let length: f32 = residual.iter().map(|&v| f32::from(v).powi(2)).sum();
        let whole = length.sqrt() * self.full.longest < PRODUCT_LIMIT;
        let mut number = 0;
        lanes.map(|lanes| {
            let list = biases[number];
            number += 1;
            let mut short = lanes;
            short.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
            let exact = |short: &Best| {
                if short.score == f32::NEG_INFINITY {
                    return *short;
                }
                let at = short.index as usize;
                let row = &self.rows[at * self.dims()..][..self.dims()];
                let product = |(&r, &c): (&i16, &i16)| i32::from(r) * i32::from(c);
                let pairs = residual.iter().zip(row).map(product);
                let sum: f32 = if whole {
                    pairs.sum::<i32>() as f32
                } else {
                    pairs.map(i64::from).sum::<i64>() as f32
                };
                Best {
                    score: sum - list[at],
                    index: short.index,
                }
            };
            let exact = short[..RESCORED].iter().map(exact);
            exact.fold(Best::NONE, Best::better)
        })
    }

    /// The best row of every lane under each list of biases.
    fn lanes<const S: usize>(
        &self,
        rows: &Rows,
        query: &[[i16; 2]],
        unit: f32,
        biases: [&[f32]; S],
    ) -> [[Best; LANES]; S] {
        for list in biases {
            assert_eq!(
                list.len(),
                self.codewords.next_multiple_of(LANES),
                "a bias per codeword"
            );
        }
        match self.level {
            Level::Scalar => scan_scalar(rows, query, unit, biases),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::available` has found AVX2 on this processor.
            Level::Avx2 => unsafe { scan_avx2(rows, query, unit, biases) },
        }
    }
}

impl Best {
    /// Worse than any.
    pub const NONE: Self = Self {
        score: f32::NEG_INFINITY,
        index: 0,
    };

    /// The better of two; the lower index at a tie.
    fn better(self, other: Self) -> Self {
        let wins =
            other.score > self.score || (other.score == self.score && other.index < self.index);
        if wins { other } else { self }
    }
}

fn scan_scalar<const S: usize>(
    rows: &Rows,
    query: &[[i16; 2]],
    unit: f32,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    let mut best = [[Best::NONE; LANES]; S];
    for (block, pairs) in rows.pairs.chunks_exact(query.len()).enumerate() {
        let mut sums = [0i32; LANES];
        for (q, c) in query.iter().zip(pairs) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += i32::from(q[0]) * i32::from(c[2 * lane])
                    + i32::from(q[1]) * i32::from(c[2 * lane + 1]);
            }
        }
        for (list, best) in biases.iter().zip(&mut best) {
            for (lane, (&sum, best)) in sums.iter().zip(best).enumerate() {
                let index = block * LANES + lane;
                let score = sum as f32 * unit - list[index];
                if score > best.score {
                    *best = Best {
                        score,
                        index: index as u32,
                    };
                }
            }
        }
    }
    best
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scan_avx2<const S: usize>(
    rows: &Rows,
    query: &[[i16; 2]],
    unit: f32,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    use std::arch::x86_64::{
        __m256i, _CMP_GT_OQ, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256,
        _mm256_blendv_ps, _mm256_castps_si256, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi32,
        _mm256_set1_ps, _mm256_setzero_si256, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps,
    };
    let steps = query.len();
    let mut scores = [_mm256_set1_ps(f32::NEG_INFINITY); S];
    let mut blocks = [_mm256_setzero_si256(); S];
    let unit = _mm256_set1_ps(unit);
    let mut spread = [_mm256_setzero_si256(); MAX_STEPS];
    let spread = &mut spread[..steps];
    for (to, q) in spread.iter_mut().zip(query) {
        *to = _mm256_set1_epi32(i32::from(q[0]) & 0xffff | i32::from(q[1]) << 16);
    }
    let mut offer = |sums: __m256i, block: usize| {
        let sums = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), unit);
        let number = _mm256_set1_epi32(block as i32);
        for s in 0..S {
            // SAFETY: the list has whole blocks of eight, checked by the caller.
            let bias = unsafe { _mm256_loadu_ps(biases[s].as_ptr().add(block * LANES)) };
            let score = _mm256_sub_ps(sums, bias);
            let better = _mm256_cmp_ps::<_CMP_GT_OQ>(score, scores[s]);
            scores[s] = _mm256_blendv_ps(scores[s], score, better);
            let better = _mm256_castps_si256(better);
            let kept = _mm256_andnot_si256(better, blocks[s]);
            blocks[s] = _mm256_or_si256(kept, _mm256_and_si256(better, number));
        }
    };
    // SAFETY: a row of pairs is 32 bytes.
    let load = |row: &[i16; 2 * LANES]| unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
    let mut block = 0;
    let mut four = rows.pairs.chunks_exact(4 * steps);
    for pairs in &mut four {
        let (first, rest) = pairs.split_at(steps);
        let (second, rest) = rest.split_at(steps);
        let (third, fourth) = rest.split_at(steps);
        let mut sums = [_mm256_setzero_si256(); 4];
        for (n, &q) in spread.iter().enumerate() {
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(load(&first[n]), q));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(load(&second[n]), q));
            sums[2] = _mm256_add_epi32(sums[2], _mm256_madd_epi16(load(&third[n]), q));
            sums[3] = _mm256_add_epi32(sums[3], _mm256_madd_epi16(load(&fourth[n]), q));
        }
        for (n, sums) in sums.into_iter().enumerate() {
            offer(sums, block + n);
        }
        block += 4;
    }
    for pairs in four.remainder().chunks_exact(steps) {
        let mut sums = _mm256_setzero_si256();
        for (row, &q) in pairs.iter().zip(spread.iter()) {
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(load(row), q));
        }
        offer(sums, block);
        block += 1;
    }
    let mut best = [[Best::NONE; LANES]; S];
    for s in 0..S {
        let (mut score, mut block) = ([0f32; LANES], [0i32; LANES]);
        // SAFETY: both arrays are 32 bytes.
        unsafe {
            _mm256_storeu_ps(score.as_mut_ptr(), scores[s]);
            _mm256_storeu_si256(block.as_mut_ptr().cast::<__m256i>(), blocks[s]);
        }
        for (lane, best) in best[s].iter_mut().enumerate() {
            let index = block[lane] as u32 * LANES as u32 + lane as u32;
            *best = Best {
                score: score[lane],
                index,
            };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use raq_shared::coding::tables::{TableCounts, Tables};
    use raq_shared::stage::{Cover, Stage};

    fn draw(seed: &mut u64, span: i64) -> i16 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((*seed >> 33) as i64 % (2 * span + 1) - span) as i16
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Every build finds the codeword with the largest fall of the error, less its bits' price.
        #[test]
        fn it_finds_what_lowers_the_error_most(
            lead in 1usize..13, codewords in 1usize..200, limit in any::<prop::sample::Index>(),
            span in prop_oneof![Just(3i64), Just(200), Just(8000)], mut seed: u64,
            lambda in prop_oneof![Just(0f32), 0.1f32..50.0],
        ) {
            let dims = 4 * lead;
            let rows = (0..codewords * dims).map(|_| draw(&mut seed, span)).collect();
            let book = StageCodebook::new(Cover::Quarter, lead, rows).unwrap();
            let stage = |shift| Stage { codebook: 0, shift };
            let stages = Stages::new(lead, vec![book.clone()], vec![stage(0), stage(1), stage(3)]).unwrap();
            let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
            let band = tables.band(30);
            let residual: Vec<i16> = (0..dims).map(|_| draw(&mut seed, span)).collect();
            let most = limit.index(codewords) + 1;
            let scan = Scan::new(&book);
            let mut lists = [vec![], vec![], vec![]];
            for (number, list) in lists.iter_mut().enumerate() {
                scan.biases(&stages, number, band, most, lambda, list);
            }
            let mut found = vec![];
            for (build, scan) in scan.builds() {
                let best = scan.best(&residual, [&lists[0], &lists[1], &lists[2]]);
                found.push(best);
                for (number, best) in best.iter().enumerate() {
                    let scale = f64::from(1u32 << stages.stage(number).shift);
                    let value = |index: usize| {
                        let pairs = book.codeword(index as u16).iter().zip(&residual);
                        let (dot, energy) = pairs.fold((0.0, 0.0), |(dot, energy), (&c, &r)| {
                            (dot + f64::from(c) * f64::from(r), energy + f64::from(c).powi(2))
                        });
                        let bits = f64::from(band.index_bits(number, index, most));
                        2.0 * dot / scale - energy / scale.powi(2) - f64::from(lambda) * bits
                    };
                    let oracle = (0..most).map(value).fold(f64::NEG_INFINITY, f64::max);
                    let size = residual.iter().map(|&r| f64::from(r).powi(2)).sum::<f64>()
                        + f64::from(scan.full.longest).powi(2) + 1.0;
                    prop_assert!((value(best.index as usize) - oracle).abs() < 1e-5 * size, "{build}");
                    prop_assert!((best.index as usize) < most);
                }
            }
            prop_assert!(found.iter().all(|f| f == &found[0]), "builds agree: {found:?}");
        }
    }

    #[test]
    fn shortlists_keep_most_of_the_gain() {
        // Codewords with most energy in few directions, as trained ones have.
        let (dims, mut seed) = (48, 7u64);
        let mut vector = |scale: f64| -> Vec<i16> {
            let mut part =
                |d: usize| f64::from(draw(&mut seed, 1000)) * scale / (1.0 + d as f64 / 3.0);
            (0..dims).map(|d| part(d) as i16).collect()
        };
        let rows: Vec<i16> = (0..1000).flat_map(|_| vector(0.5)).collect();
        let book = StageCodebook::new(Cover::Position, dims, rows).unwrap();
        let stage = Stage {
            codebook: 0,
            shift: 0,
        };
        let stages = Stages::new(dims, vec![book.clone()], vec![stage]).unwrap();
        let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
        let (scan, mut list) = (Scan::new(&book), vec![]);
        scan.biases(&stages, 0, tables.band(0), 1000, 0.0, &mut list);
        for (build, scan) in scan.builds() {
            let (mut best, mut found) = (0.0, 0.0);
            for _ in 0..100 {
                let residual = vector(0.6);
                let (full, short) = (
                    scan.best(&residual, [&list]),
                    scan.shortlisted(&residual, [&list]),
                );
                assert!(short[0].score <= full[0].score);
                best += f64::from(full[0].score);
                found += f64::from(short[0].score);
            }
            assert!(found > 0.95 * best, "{build}: {found} of {best}");
        }
    }

    #[test]
    fn the_longest_residuals_do_not_overflow() {
        let rows = [vec![8191; 192], vec![-8191; 192]].concat();
        let book = StageCodebook::new(Cover::Tile, 12, rows).unwrap();
        let stage = Stage {
            codebook: 0,
            shift: 0,
        };
        let stages = Stages::new(12, vec![book.clone()], vec![stage]).unwrap();
        let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
        let (scan, mut list) = (Scan::new(&book), vec![]);
        scan.biases(&stages, 0, tables.band(0), 2, 0.0, &mut list);
        for (_, scan) in scan.builds() {
            assert_eq!(scan.best(&[i16::MIN; 192], [&list])[0].index, 1);
            assert_eq!(scan.best(&[i16::MAX; 192], [&list])[0].index, 0);
        }
    }
}
