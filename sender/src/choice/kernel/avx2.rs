//! With AVX2.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_GT_OQ, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps,
    _mm256_blendv_epi8, _mm256_castps_si256, _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_loadu_ps,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_ps, _mm256_mul_ps,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_storeu_ps,
    _mm256_storeu_si256, _mm256_sub_ps,
};
use std::ops::Range;

use super::{Best, LANES, Query, Reach, Rows, STEP};

/// Lanes of a register, half of a block.
const HALF: usize = LANES / 2;

/// A query's numbers of one step, for every lane.
#[target_feature(enable = "avx2")]
fn spread(q: [i8; STEP]) -> __m256i {
    _mm256_set1_epi32(i32::from_le_bytes(q.map(|v| v as u8)))
}

/// Sums of the products of two steps, per lane.
#[target_feature(enable = "avx2")]
fn two_steps(c0: __m256i, q0: __m256i, c1: __m256i, q1: __m256i) -> __m256i {
    let first = _mm256_maddubs_epi16(c0, q0);
    let second = _mm256_maddubs_epi16(c1, q1);
    _mm256_madd_epi16(_mm256_add_epi16(first, second), _mm256_set1_epi16(1))
}

/// See [`super::Level::scan`], which has checked the lists.
#[target_feature(enable = "avx2")]
pub(super) fn scan<const S: usize>(
    rows: &Rows,
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    /// Blocks that are summed side by side.
    const TOGETHER: usize = 2;
    let steps = rows.steps;
    let mut scores = [[_mm256_set1_ps(f32::NEG_INFINITY); 2]; S];
    let mut found = [[_mm256_setzero_si256(); 2]; S];
    let unit = _mm256_set1_ps(query.unit);
    let start = _mm256_set1_epi32(query.start);
    let mut offer = |sums: [__m256i; 2], block: usize| {
        let number = _mm256_set1_epi32(block as i32);
        for half in 0..2 {
            // SAFETY: units and lists have whole blocks, checked by the caller.
            let load = |list: &[f32]| unsafe {
                _mm256_loadu_ps(list.as_ptr().add(block * LANES + half * HALF))
            };
            let products = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[half]), load(&rows.units));
            let products = _mm256_mul_ps(products, unit);
            for s in 0..S {
                let (best, found) = (&mut scores[s][half], &mut found[s][half]);
                let score = _mm256_sub_ps(products, load(biases[s]));
                let better = _mm256_cmp_ps::<_CMP_GT_OQ>(score, *best);
                *best = _mm256_max_ps(score, *best);
                *found = _mm256_blendv_epi8(*found, number, _mm256_castps_si256(better));
            }
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
            // Fewer are left at the end: the last one is looked at again.
            let block_of = |n: usize| (block + n).min(range.end - 1);
            let mut sums = [[start; 2]; TOGETHER];
            // SAFETY: `block_of` stays below the end of the range, which the rows hold.
            let bases = [0, 1].map(|n| unsafe { rows.blocks.as_ptr().add(block_of(n) * steps) });
            for (n, q) in queries.chunks_exact(2).enumerate() {
                let (q0, q1) = (spread(q[0]), spread(q[1]));
                for (sums, base) in sums.iter_mut().zip(bases) {
                    for (half, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: a block has `steps` steps of 64 bytes, as many as there are
                        // queries.
                        let (c0, c1) = unsafe {
                            let at = base.add(2 * n).cast::<__m256i>().add(half);
                            (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(2)))
                        };
                        *sum = _mm256_add_epi32(*sum, two_steps(c0, q0, c1, q1));
                    }
                }
            }
            for (n, sums) in sums.into_iter().enumerate() {
                offer(sums, block_of(n));
            }
            block += TOGETHER;
        }
    }
    let mut best = [[Best::NONE; LANES]; S];
    for (best, (scores, found)) in best.iter_mut().zip(scores.iter().zip(&found)) {
        for (half, best) in best.chunks_exact_mut(HALF).enumerate() {
            let (mut score, mut block) = ([0f32; HALF], [0i32; HALF]);
            // SAFETY: both arrays are 32 bytes.
            unsafe {
                _mm256_storeu_ps(score.as_mut_ptr(), scores[half]);
                _mm256_storeu_si256(block.as_mut_ptr().cast::<__m256i>(), found[half]);
            }
            for (lane, best) in best.iter_mut().enumerate() {
                *best = Best {
                    score: score[lane],
                    index: (block[lane] as usize * LANES + half * HALF + lane) as u32,
                };
            }
        }
    }
    best
}

/// See [`super::Level::bounds`], which has checked lists and blocks.
#[target_feature(enable = "avx2")]
pub(super) fn bounds<const N: usize>(
    rows: &Rows,
    blocks: Range<usize>,
    queries: [&Query; N],
    slack: [f32; N],
    reach: Reach<'_>,
    most: [&mut [f32]; N],
) -> [f32; N] {
    let steps = rows.steps;
    assert!(steps.is_multiple_of(2) && blocks.end * steps <= rows.blocks.len());
    let mut certain = [_mm256_set1_ps(f32::NEG_INFINITY); N];
    for block in blocks {
        for half in 0..2 {
            let mut sums = queries.map(|query| _mm256_set1_epi32(query.start));
            for n in 0..steps / 2 {
                // SAFETY: a block has `steps` steps of 64 bytes, an even number of them.
                let (c0, c1) = unsafe {
                    let at = rows.blocks.as_ptr().add(block * steps + 2 * n);
                    let at = at.cast::<__m256i>().add(half);
                    (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(2)))
                };
                for (sum, query) in sums.iter_mut().zip(queries) {
                    let (q0, q1) = (spread(query.steps[2 * n]), spread(query.steps[2 * n + 1]));
                    *sum = _mm256_add_epi32(*sum, two_steps(c0, q0, c1, q1));
                }
            }
            let at = block * LANES + half * HALF;
            let load = |list: &[f32]| -> __m256 {
                // SAFETY: the caller has checked that all lists have the blocks' places.
                unsafe { _mm256_loadu_ps(list.as_ptr().add(at)) }
            };
            let (units, halves) = (load(&rows.units), load(reach.halves));
            let lengths = load(reach.lengths);
            for n in 0..N {
                let products = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[n]), units);
                let products = _mm256_mul_ps(products, _mm256_set1_ps(queries[n].unit));
                let score = _mm256_sub_ps(products, halves);
                let off = _mm256_mul_ps(lengths, _mm256_set1_ps(slack[n]));
                certain[n] = _mm256_max_ps(_mm256_sub_ps(score, off), certain[n]);
                // SAFETY: as above.
                unsafe {
                    _mm256_storeu_ps(most[n].as_mut_ptr().add(at), _mm256_add_ps(score, off));
                }
            }
        }
    }
    certain.map(|certain| {
        let mut lanes = [0f32; HALF];
        // SAFETY: the array is 32 bytes.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), certain) };
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    })
}
