//! With NEON.

use std::arch::aarch64::{
    float32x4_t, int32x4_t, vaddq_f32, vaddq_s32, vbslq_u32, vcgtq_f32, vcvtq_f32_s32, vdupq_n_f32,
    vdupq_n_s32, vdupq_n_u8, vdupq_n_u32, veorq_u8, vget_high_s8, vget_low_s8, vld1q_f32, vld1q_u8,
    vmaxq_f32, vmaxvq_f32, vmull_s8, vmulq_f32, vpaddlq_s16, vpaddq_s32, vreinterpretq_s8_s32,
    vreinterpretq_s8_u8, vst1q_f32, vst1q_u32, vsubq_f32,
};
use std::ops::Range;

use super::{Best, LANES, OFFSET, Query, Reach, Rows, STEP};

/// Lanes of a register.
const QUARTER: usize = LANES / 4;

/// Products of a query with the rows of a block. The offset of the rows' numbers is taken from them
/// first, so that sums begin at zero.
///
/// # Safety
/// `block` is one of the rows'.
#[target_feature(enable = "neon")]
unsafe fn products(rows: &Rows, block: usize, query: &Query) -> [float32x4_t; 4] {
    let mut sums = [vdupq_n_s32(0); 4];
    let offset = vdupq_n_u8(OFFSET as u8);
    for step in 0..rows.steps {
        let q = i32::from_le_bytes(query.steps[step].map(|v| v as u8));
        let q = vreinterpretq_s8_s32(vdupq_n_s32(q));
        for (quarter, sum) in sums.iter_mut().enumerate() {
            // SAFETY: a block has `steps` steps of 64 bytes.
            let c = unsafe {
                let at = rows.blocks.as_ptr().add(block * rows.steps + step);
                vld1q_u8(at.cast::<u8>().add(quarter * QUARTER * STEP))
            };
            let c = vreinterpretq_s8_u8(veorq_u8(c, offset));
            let low = vpaddlq_s16(vmull_s8(vget_low_s8(c), vget_low_s8(q)));
            let high = vpaddlq_s16(vmull_s8(vget_high_s8(c), vget_high_s8(q)));
            *sum = vaddq_s32(*sum, vpaddq_s32(low, high));
        }
    }
    let mut quarter = 0;
    sums.map(|sum: int32x4_t| {
        // SAFETY: there is a unit for every place.
        let units = unsafe { load(&rows.units, block * LANES + quarter * QUARTER) };
        quarter += 1;
        vmulq_f32(
            vmulq_f32(vcvtq_f32_s32(sum), units),
            vdupq_n_f32(query.unit),
        )
    })
}

/// Four values of a list.
///
/// # Safety
/// They are the list's.
#[target_feature(enable = "neon")]
unsafe fn load(list: &[f32], at: usize) -> float32x4_t {
    // SAFETY: the caller's word.
    unsafe { vld1q_f32(list.as_ptr().add(at)) }
}

/// See [`super::Level::scan`], which has checked the lists.
#[target_feature(enable = "neon")]
pub(super) fn scan<const S: usize>(
    rows: &Rows,
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    let mut scores = [[vdupq_n_f32(f32::NEG_INFINITY); 4]; S];
    let mut found = [[vdupq_n_u32(0); 4]; S];
    for range in rows.ranges(near) {
        assert!(
            range.end * rows.steps <= rows.blocks.len(),
            "clusters of the rows"
        );
        for block in range {
            // SAFETY: the rows hold the range.
            let products = unsafe { products(rows, block, query) };
            let number = vdupq_n_u32(block as u32);
            for (quarter, product) in products.into_iter().enumerate() {
                for s in 0..S {
                    // SAFETY: lists have whole blocks, checked by the caller.
                    let bias = unsafe { load(biases[s], block * LANES + quarter * QUARTER) };
                    let (best, found) = (&mut scores[s][quarter], &mut found[s][quarter]);
                    let score = vsubq_f32(product, bias);
                    *found = vbslq_u32(vcgtq_f32(score, *best), number, *found);
                    *best = vmaxq_f32(score, *best);
                }
            }
        }
    }
    let mut best = [[Best::NONE; LANES]; S];
    for (best, (scores, found)) in best.iter_mut().zip(scores.iter().zip(&found)) {
        for (quarter, best) in best.chunks_exact_mut(QUARTER).enumerate() {
            let (mut score, mut block) = ([0f32; QUARTER], [0u32; QUARTER]);
            // SAFETY: both arrays are 16 bytes.
            unsafe {
                vst1q_f32(score.as_mut_ptr(), scores[quarter]);
                vst1q_u32(block.as_mut_ptr(), found[quarter]);
            }
            for (lane, best) in best.iter_mut().enumerate() {
                *best = Best {
                    score: score[lane],
                    index: block[lane] * LANES as u32 + (quarter * QUARTER + lane) as u32,
                };
            }
        }
    }
    best
}

/// See [`super::Level::bounds`], which has checked lists and blocks.
#[target_feature(enable = "neon")]
pub(super) fn bounds<const N: usize>(
    rows: &Rows,
    blocks: Range<usize>,
    queries: [&Query; N],
    slack: [f32; N],
    reach: Reach<'_>,
    most: [&mut [f32]; N],
) -> [f32; N] {
    assert!(blocks.end * rows.steps <= rows.blocks.len());
    let mut certain = [vdupq_n_f32(f32::NEG_INFINITY); N];
    for block in blocks {
        for n in 0..N {
            // SAFETY: the rows hold the blocks.
            let products = unsafe { products(rows, block, queries[n]) };
            for (quarter, product) in products.into_iter().enumerate() {
                let at = block * LANES + quarter * QUARTER;
                // SAFETY: the caller has checked that all lists have the blocks' places.
                let (halves, lengths) =
                    unsafe { (load(reach.halves, at), load(reach.lengths, at)) };
                let score = vsubq_f32(product, halves);
                let off = vmulq_f32(lengths, vdupq_n_f32(slack[n]));
                certain[n] = vmaxq_f32(vsubq_f32(score, off), certain[n]);
                // SAFETY: as above.
                unsafe { vst1q_f32(most[n].as_mut_ptr().add(at), vaddq_f32(score, off)) };
            }
        }
    }
    certain.map(|certain| vmaxvq_f32(certain))
}
