//! For any processor, and what the other builds are held against.

use std::ops::Range;

use super::{Best, LANES, Query, Reach, Rows, STEP};

/// Products of a query with the rows of a block, in the units of both.
fn products(rows: &Rows, block: usize, query: &Query) -> [f32; LANES] {
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
    let units = &rows.units[block * LANES..][..LANES];
    std::array::from_fn(|lane| sums[lane] as f32 * units[lane] * query.unit)
}

/// See [`super::Level::scan`].
pub(super) fn scan<const S: usize>(
    rows: &Rows,
    query: &Query,
    near: u64,
    biases: [&[f32]; S],
) -> [[Best; LANES]; S] {
    let mut best = [[Best::NONE; LANES]; S];
    for block in rows.ranges(near).flatten() {
        for (lane, product) in products(rows, block, query).into_iter().enumerate() {
            let index = block * LANES + lane;
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

/// See [`super::Level::bounds`].
pub(super) fn bounds<const N: usize>(
    rows: &Rows,
    blocks: Range<usize>,
    queries: [&Query; N],
    slack: [f32; N],
    reach: Reach<'_>,
    most: [&mut [f32]; N],
) -> [f32; N] {
    let mut certain = [f32::NEG_INFINITY; N];
    for block in blocks {
        for n in 0..N {
            let products = products(rows, block, queries[n]);
            for (place, product) in (block * LANES..).zip(products) {
                let score = product - reach.halves[place];
                let off = slack[n] * reach.lengths[place];
                most[n][place] = score + off;
                certain[n] = certain[n].max(score - off);
            }
        }
    }
    certain
}
