//! With AVX-512 and its instructions for sums of products of eight bits (VNNI).

use std::arch::x86_64::{
    __m512, __m512i, _CMP_GT_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps,
    _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_mov_epi32, _mm512_max_ps,
    _mm512_mul_ps, _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
};
use std::ops::Range;

use super::{Best, LANES, Query, Reach, Rows, STEP};

/// A query's numbers of one step, for every lane.
#[target_feature(enable = "avx512f")]
fn spread(q: [i8; STEP]) -> __m512i {
    _mm512_set1_epi32(i32::from_le_bytes(q.map(|v| v as u8)))
}

/// See [`super::Level::scan`], which has checked the lists.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn scan<const S: usize>(
    rows: &Rows,
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    /// Blocks that are summed side by side.
    const TOGETHER: usize = 4;
    let steps = rows.steps;
    let mut scores = [_mm512_set1_ps(f32::NEG_INFINITY); S];
    let mut found = [_mm512_setzero_si512(); S];
    let unit = _mm512_set1_ps(query.unit);
    let start = _mm512_set1_epi32(query.start);
    let mut offer = |sums: __m512i, block: usize| {
        // SAFETY: units and lists have whole blocks, checked by the caller.
        let load = |list: &[f32]| unsafe { _mm512_loadu_ps(list.as_ptr().add(block * LANES)) };
        let products = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), load(&rows.units));
        let products = _mm512_mul_ps(products, unit);
        let number = _mm512_set1_epi32(block as i32);
        for s in 0..S {
            let score = _mm512_sub_ps(products, load(biases[s]));
            let better = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(score, scores[s]);
            scores[s] = _mm512_max_ps(score, scores[s]);
            found[s] = _mm512_mask_mov_epi32(found[s], better, number);
        }
    };
    let queries = &query.steps[..steps];
    assert!(rows.blocks.len().is_multiple_of(steps));
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
            for (n, &q) in queries.iter().enumerate() {
                let q = spread(q);
                for (sum, base) in sums.iter_mut().zip(bases) {
                    // SAFETY: a block has `steps` steps of 64 bytes, as many as there are queries.
                    let c = unsafe { _mm512_loadu_si512(base.add(n).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, c, q);
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
        let (mut score, mut block) = ([0f32; LANES], [0i32; LANES]);
        // SAFETY: both arrays are 64 bytes.
        unsafe {
            _mm512_storeu_ps(score.as_mut_ptr(), *scores);
            _mm512_storeu_si512(block.as_mut_ptr().cast::<__m512i>(), *found);
        }
        for (lane, best) in best.iter_mut().enumerate() {
            *best = Best {
                score: score[lane],
                index: (block[lane] as usize * LANES + lane) as u32,
            };
        }
    }
    best
}

/// See [`super::Level::bounds`], which has checked lists and blocks.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn bounds<const N: usize>(
    rows: &Rows,
    blocks: Range<usize>,
    queries: [&Query; N],
    slack: [f32; N],
    reach: Reach<'_>,
    most: [&mut [f32]; N],
) -> [f32; N] {
    let steps = rows.steps;
    assert!(blocks.end * steps <= rows.blocks.len());
    let mut certain = [_mm512_set1_ps(f32::NEG_INFINITY); N];
    for block in blocks {
        let mut sums = queries.map(|query| _mm512_set1_epi32(query.start));
        for step in 0..steps {
            // SAFETY: a block has `steps` steps of 64 bytes.
            let c = unsafe {
                let at = rows.blocks.as_ptr().add(block * steps + step);
                _mm512_loadu_si512(at.cast())
            };
            for (sum, query) in sums.iter_mut().zip(queries) {
                *sum = _mm512_dpbusd_epi32(*sum, c, spread(query.steps[step]));
            }
        }
        let at = block * LANES;
        let load = |list: &[f32]| -> __m512 {
            // SAFETY: the caller has checked that all lists have the blocks' places.
            unsafe { _mm512_loadu_ps(list.as_ptr().add(at)) }
        };
        let (units, halves) = (load(&rows.units), load(reach.halves));
        let lengths = load(reach.lengths);
        for n in 0..N {
            let products = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[n]), units);
            let products = _mm512_mul_ps(products, _mm512_set1_ps(queries[n].unit));
            let score = _mm512_sub_ps(products, halves);
            let off = _mm512_mul_ps(lengths, _mm512_set1_ps(slack[n]));
            certain[n] = _mm512_max_ps(_mm512_sub_ps(score, off), certain[n]);
            // SAFETY: as above.
            unsafe { _mm512_storeu_ps(most[n].as_mut_ptr().add(at), _mm512_add_ps(score, off)) };
        }
    }
    certain.map(|certain| _mm512_reduce_max_ps(certain))
}
