//! Products of one query with all codewords, in eight bits.
//!
//! Eight bits find the few codewords that are worth an exact look. Codewords are scaled row by row
//! and stored with an offset of 128, queries have six bits and a sign: four products of them
//! fit 16 bits twice over, so that no build of the kernel ever saturates and all agree.

use std::ops::Range;

use raq_shared::codebook::MAX_DIM;

/// Codewords that one step of the scan looks at.
pub(super) const LANES: usize = 8;
/// Numbers of a codeword that one step multiplies.
const STEP: usize = 4;
/// Steps of the longest codeword.
const MAX_STEPS: usize = MAX_DIM / STEP;
/// What is added to a codeword's numbers.
const OFFSET: i32 = 128;
/// The largest magnitude of a codeword's number.
const ROW_LIMIT: f32 = 127.0;
/// The largest magnitude of a query's number.
const QUERY_LIMIT: f32 = 32.0;

const _: () = assert!(STEP as i32 * 255 * (QUERY_LIMIT as i32) < 1 << 15);

/// Rows laid out for scanning, cluster by cluster: blocks of eight rows, four dimensions of each
/// side by side.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Per block; even, so that two are summed in 16 bits.
    steps: usize,
    blocks: Vec<[u8; STEP * LANES]>,
    /// Per place what a unit of its row is worth.
    units: Vec<f32>,
    /// First block of each cluster, and the end.
    clusters: Vec<usize>,
}

impl Rows {
    /// Of rows of `dims` numbers, each with its cluster below `clusters`; and the row at each place,
    /// none where a cluster is filled up to whole blocks.
    pub(super) fn new(
        rows: &[f32],
        dims: usize,
        members: &[usize],
        clusters: usize,
    ) -> (Self, Vec<Option<usize>>) {
        let steps = dims.div_ceil(STEP).next_multiple_of(2);
        let mut places: Vec<Option<usize>> = Vec::new();
        let mut starts = vec![0];
        for cluster in 0..clusters {
            let of = |row: &usize| members[*row] == cluster;
            places.extend((0..members.len()).filter(of).map(Some));
            places.resize(places.len().next_multiple_of(LANES), None);
            starts.push(places.len() / LANES);
        }
        let mut blocks = vec![[OFFSET as u8; STEP * LANES]; places.len() / LANES * steps];
        let mut units = vec![0.0; places.len()];
        for (place, row) in places.iter().enumerate() {
            let Some(row) = row.map(|row| &rows[row * dims..][..dims]) else {
                continue;
            };
            let largest = row.iter().fold(0f32, |most, v| most.max(v.abs()));
            if largest == 0.0 {
                continue;
            }
            units[place] = largest / ROW_LIMIT;
            let (block, lane) = (place / LANES * steps, place % LANES);
            for (step, values) in row.chunks(STEP).enumerate() {
                let to = &mut blocks[block + step][STEP * lane..];
                for (to, value) in to.iter_mut().zip(values) {
                    *to = ((value / units[place]).round() as i32 + OFFSET) as u8;
                }
            }
        }
        let rows = Self {
            steps,
            blocks,
            units,
            clusters: starts,
        };
        (rows, places)
    }

    /// The blocks of the clusters in `near`, neighbours together.
    fn ranges(&self, mut near: u64) -> impl Iterator<Item = Range<usize>> {
        std::iter::from_fn(move || {
            if near == 0 {
                return None;
            }
            let first = near.trailing_zeros();
            let end = first + (near >> first).trailing_ones();
            near = near
                .checked_shr(end)
                .unwrap_or(0)
                .checked_shl(end)
                .unwrap_or(0);
            Some(self.clusters[first as usize]..self.clusters[end as usize])
        })
    }
}

/// What the rows are multiplied with.
#[derive(Debug, Clone)]
pub(super) struct Query {
    steps: [[i8; STEP]; MAX_STEPS],
    /// The sum of all numbers times the offset of the rows, negative.
    start: i32,
    /// What a number's unit is worth.
    unit: f32,
}

impl Query {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            steps: [[0; STEP]; MAX_STEPS],
            start: 0,
            unit: 0.0,
        }
    }

    /// Takes on numbers, always as many, at most [`MAX_DIM`].
    pub(super) fn set(&mut self, values: &[f32]) {
        let largest = values.iter().fold(0f32, |most, v| most.max(v.abs()));
        let scale = QUERY_LIMIT / largest.max(f32::MIN_POSITIVE);
        let mut sum = 0;
        for (step, values) in self.steps.iter_mut().zip(values.chunks(STEP)) {
            for (to, value) in step.iter_mut().zip(values) {
                // Truncation of a shifted value rounds and is quick.
                *to = ((value * scale + (QUERY_LIMIT + 0.5)) as i32 - QUERY_LIMIT as i32) as i8;
                sum += i32::from(*to);
            }
        }
        self.start = -OFFSET * sum;
        self.unit = largest / QUERY_LIMIT;
    }
}

/// A codeword, or the place of one, and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// r·c − bias.
    pub score: f32,
    /// Its index.
    pub index: u32,
}

impl Best {
    /// Worse than any.
    pub const NONE: Self = Self {
        score: f32::NEG_INFINITY,
        index: 0,
    };

    /// The better of two; the lower index at a tie.
    pub(super) fn better(self, other: Self) -> Self {
        let wins =
            other.score > self.score || (other.score == self.score && other.index < self.index);
        if wins { other } else { self }
    }
}

/// Which build of the kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// What this processor can run, the fastest last.
    pub(super) fn available() -> Vec<Self> {
        let mut levels = vec![Self::Scalar];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            levels.push(Self::Avx2);
        }
        levels
    }

    /// The best place of every lane under each list of biases, among the clusters in `near`.
    ///
    /// # Panics
    /// When a list has not one bias per place.
    pub(super) fn scan<const S: usize>(
        self,
        rows: &Rows,
        query: &Query,
        near: u64,
        biases: [&[f32]; S],
    ) -> [[Best; LANES]; S] {
        for list in biases {
            assert_eq!(list.len(), rows.units.len(), "a bias per place");
        }
        match self {
            Self::Scalar => scan_scalar(rows, query, near, biases),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has found AVX2 on this processor.
            Self::Avx2 => unsafe { scan_avx2(rows, query, near, biases) },
        }
    }
}

fn scan_scalar<const S: usize>(
    rows: &Rows,
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    let mut best = [[Best::NONE; LANES]; S];
    for block in rows.ranges(near).flatten() {
        let steps = &rows.blocks[block * rows.steps..][..rows.steps];
        let mut sums = [query.start; LANES];
        for (q, step) in query.steps.iter().zip(steps) {
            for (sum, numbers) in sums.iter_mut().zip(step.chunks_exact(STEP)) {
                let pairs = numbers.iter().zip(q);
                *sum += pairs
                    .map(|(&c, &q)| i32::from(c) * i32::from(q))
                    .sum::<i32>();
            }
        }
        for (lane, sum) in sums.into_iter().enumerate() {
            let index = block * LANES + lane;
            let product = sum as f32 * rows.units[index] * query.unit;
            for (list, best) in biases.iter().zip(&mut best) {
                let score = product - list[index];
                if score > best[lane].score {
                    best[lane] = Best {
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
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    use std::arch::x86_64::{
        __m256i, _CMP_GT_OQ, _mm256_add_epi16, _mm256_add_epi32, _mm256_blendv_epi8,
        _mm256_castps_si256, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_ps, _mm256_mul_ps,
        _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256,
        _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_ps,
    };
    const TOGETHER: usize = 4;
    let steps = rows.steps;
    let mut scores = [_mm256_set1_ps(f32::NEG_INFINITY); S];
    let mut found = [_mm256_setzero_si256(); S];
    let unit = _mm256_set1_ps(query.unit);
    let start = _mm256_set1_epi32(query.start);
    let ones = _mm256_set1_epi16(1);
    let spread = |q: [i8; STEP]| _mm256_set1_epi32(i32::from_le_bytes(q.map(|v| v as u8)));
    let mut offer = |sums: __m256i, block: usize| {
        // SAFETY: units and lists have whole blocks of eight, checked by the caller.
        let load = |list: &[f32]| unsafe { _mm256_loadu_ps(list.as_ptr().add(block * LANES)) };
        let products = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), load(&rows.units));
        let products = _mm256_mul_ps(products, unit);
        let number = _mm256_set1_epi32(block as i32);
        for s in 0..S {
            let score = _mm256_sub_ps(products, load(biases[s]));
            let better = _mm256_cmp_ps::<_CMP_GT_OQ>(score, scores[s]);
            scores[s] = _mm256_max_ps(score, scores[s]);
            found[s] = _mm256_blendv_epi8(found[s], number, _mm256_castps_si256(better));
        }
    };
    let queries = &query.steps[..steps];
    assert!(steps.is_multiple_of(2) && rows.blocks.len().is_multiple_of(steps));
    for range in rows.ranges(near) {
        assert!(
            range.end * steps <= rows.blocks.len(),
            "clusters of the rows"
        );
        let mut block = range.start;
        while block < range.end {
            // Fewer are left at the end: the last ones are looked at again.
            let block_of = |n: usize| (block + n).min(range.end - 1);
            let mut sums = [start; TOGETHER];
            // SAFETY: `block_of` stays below the end of the range, which the rows hold.
            let bases =
                [0, 1, 2, 3].map(|n| unsafe { rows.blocks.as_ptr().add(block_of(n) * steps) });
            for (n, q) in queries.chunks_exact(2).enumerate() {
                let (q0, q1) = (spread(q[0]), spread(q[1]));
                for (sum, base) in sums.iter_mut().zip(bases) {
                    // SAFETY: a block has `steps` steps of 32 bytes, as many as there are queries.
                    let (c0, c1) = unsafe {
                        let at = base.add(2 * n);
                        (
                            _mm256_loadu_si256(at.cast()),
                            _mm256_loadu_si256(at.add(1).cast()),
                        )
                    };
                    let first = _mm256_maddubs_epi16(c0, q0);
                    let second = _mm256_maddubs_epi16(c1, q1);
                    let both = _mm256_madd_epi16(_mm256_add_epi16(first, second), ones);
                    *sum = _mm256_add_epi32(*sum, both);
                }
            }
            for (n, sums) in sums.into_iter().enumerate() {
                offer(sums, block_of(n));
            }
            block += TOGETHER;
        }
    }
    let mut best = [[Best::NONE; LANES]; S];
    for s in 0..S {
        let (mut score, mut block) = ([0f32; LANES], [0i32; LANES]);
        // SAFETY: both arrays are 32 bytes.
        unsafe {
            _mm256_storeu_ps(score.as_mut_ptr(), scores[s]);
            _mm256_storeu_si256(block.as_mut_ptr().cast::<__m256i>(), found[s]);
        }
        for (lane, best) in best[s].iter_mut().enumerate() {
            *best = Best {
                score: score[lane],
                index: block[lane] as u32 * LANES as u32 + lane as u32,
            };
        }
    }
    best
}
