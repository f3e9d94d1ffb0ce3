//! The nearest codeword of every latent, for one or several codebook sizes in one scan.
//!
//! Codewords lie in blocks of 16, one lane each, with half the squared norm in front, so
//! that |x − c|²/2 − |x|²/2 = |c|²/2 − x·c is a chain of multiply-adds over fixed-size arrays the
//! compiler turns into vector code. Only the blocks that K̃ reaches are scanned.
//!
//! Exactness: distances are `f32`. While D · max|x| · max|c| stays below 2²³ every sum is a whole
//! or half number that `f32` holds, and the result is the exact nearest codeword, the lowest index
//! at a tie. Above that two codewords whose distances agree to about one part in 10⁶ may change
//! places; the choice then also depends on the processor. Only the sender searches, so both ends
//! agree whatever it picks.

use crate::{
    codebook::{Codebook, MAX_DIM},
    latent::Latents,
};

/// Codewords per block.
const LANES: usize = 16;

type Lanes = [f32; LANES];

/// A codebook laid out for searching.
#[derive(Debug, Clone)]
pub struct Searcher {
    dim: usize,
    codewords: usize,
    /// Per block: half squared norms, then one row of lanes per dimension.
    blocks: Vec<Lanes>,
    level: Level,
}

/// Which build of the scan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// What this processor can run, the fastest last.
    fn available() -> Vec<Self> {
        let mut levels = vec![Self::Baseline];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Self::Avx2);
        }
        levels
    }
}

impl Searcher {
    /// Lays `codebook` out.
    pub fn new(codebook: &Codebook) -> Self {
        let (dim, codewords) = (codebook.dim(), codebook.codewords());
        // Lanes past the last codeword are never nearest.
        let mut blocks = vec![[0.0; LANES]; codewords.div_ceil(LANES) * (dim + 1)];
        for block in blocks.chunks_exact_mut(dim + 1) {
            block[0] = [f32::INFINITY; LANES];
        }
        for (index, row) in codebook.rows().chunks_exact(dim).enumerate() {
            let block = &mut blocks[index / LANES * (dim + 1)..][..dim + 1];
            let lane = index % LANES;
            let norm: i64 = row.iter().map(|&v| i64::from(v) * i64::from(v)).sum();
            block[0][lane] = norm as f32 / 2.0;
            for (lanes, &value) in block[1..].iter_mut().zip(row) {
                lanes[lane] = f32::from(value);
            }
        }
        let level = Level::available().pop().unwrap_or(Level::Baseline);
        Self {
            dim,
            codewords,
            blocks,
            level,
        }
    }

    /// The same searcher in every build that this processor can run, with the build's name: for
    /// tests and measurements.
    pub fn builds(&self) -> impl Iterator<Item = (String, Self)> {
        Level::available().into_iter().map(|level| {
            (
                format!("{level:?}").to_lowercase(),
                Self {
                    level,
                    ..self.clone()
                },
            )
        })
    }

    /// Number of codewords to search.
    pub fn codewords(&self) -> usize {
        self.codewords
    }

    /// For every latent the index of the nearest among the first `codewords` codewords, into
    /// `indices` (cleared first).
    ///
    /// # Panics
    /// When `codewords` is 0 or over [`Searcher::codewords`], or the dimensions differ.
    pub fn search(&self, latents: &Latents, codewords: usize, indices: &mut Vec<u16>) {
        self.search_ladder(latents, &[codewords], std::slice::from_mut(indices));
    }

    /// The same for several codebook sizes, ascending, in one scan: `indices[i]` is what
    /// [`Searcher::search`] gives for `ladder[i]`.
    ///
    /// # Panics
    /// As [`Searcher::search`]; also when `ladder` does not ascend or `indices` has another length.
    pub fn search_ladder(&self, latents: &Latents, ladder: &[usize], indices: &mut [Vec<u16>]) {
        assert_eq!(
            latents.dim(),
            self.dim,
            "latents and codewords have the same length"
        );
        assert_eq!(
            ladder.len(),
            indices.len(),
            "one list of indices per codebook size"
        );
        assert!(ladder.is_sorted(), "codebook sizes ascend");
        assert!(
            ladder.iter().all(|&k| (1..=self.codewords).contains(&k)),
            "{ladder:?}"
        );
        for list in indices.iter_mut() {
            list.clear();
        }
        match self.level {
            Level::Baseline => self.scan(latents, ladder, indices, offer_baseline),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                self.scan(
                    latents,
                    ladder,
                    indices,
                    |blocks, first, queries, nearest| {
                        // SAFETY: `Level::available` has found AVX2 and FMA on this processor.
                        unsafe { offer_avx2(blocks, first, queries, nearest) }
                    },
                );
            }
        }
    }

    /// Q latents per pass over the codebook.
    fn scan<const Q: usize>(
        &self,
        latents: &Latents,
        ladder: &[usize],
        indices: &mut [Vec<u16>],
        offer: impl Fn(&[Lanes], usize, &[[f32; Q]], &mut Nearest<Q>),
    ) {
        let dim = self.dim;
        let mut queries = [[0.0f32; Q]; MAX_DIM];
        let queries = &mut queries[..dim];
        for group in latents.values().chunks(Q * dim) {
            // A short last group searches the rest of the previous one again and drops it.
            for (q, latent) in group.chunks_exact(dim).enumerate() {
                for (row, &value) in queries.iter_mut().zip(latent) {
                    row[q] = -f32::from(value);
                }
            }
            let mut nearest = Nearest::<Q>::new();
            let mut done = 0;
            for (&codewords, list) in ladder.iter().zip(indices.iter_mut()) {
                let (full, rest) = (codewords / LANES, codewords % LANES);
                offer(
                    &self.blocks[done * (dim + 1)..full * (dim + 1)],
                    done,
                    queries,
                    &mut nearest,
                );
                done = full;
                let mut here = nearest;
                if rest > 0 {
                    // The lanes past K̃ are put out of reach.
                    let mut block = [[0.0; LANES]; MAX_DIM + 1];
                    let block = &mut block[..dim + 1];
                    block.copy_from_slice(&self.blocks[full * (dim + 1)..][..dim + 1]);
                    block[0][rest..].fill(f32::INFINITY);
                    offer(block, full, queries, &mut here);
                }
                list.extend((0..group.len() / dim).map(|q| here.index(q)));
            }
        }
    }
}

#[inline(never)]
fn offer_baseline(blocks: &[Lanes], first: usize, queries: &[[f32; 2]], nearest: &mut Nearest<2>) {
    offer_blocks::<2, false>(blocks, first, queries, nearest);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn offer_avx2(blocks: &[Lanes], first: usize, queries: &[[f32; 4]], nearest: &mut Nearest<4>) {
    offer_blocks::<4, true>(blocks, first, queries, nearest);
}

/// Offers the codewords of `blocks`, which begin with block number `first`. Inlined into each of
/// the builds above, and these into nothing, so that everything stays in registers.
#[inline(always)]
fn offer_blocks<const Q: usize, const FMA: bool>(
    blocks: &[Lanes],
    first: usize,
    queries: &[[f32; Q]],
    nearest: &mut Nearest<Q>,
) {
    let mut best = *nearest;
    for (number, block) in blocks.chunks_exact(queries.len() + 1).enumerate() {
        best.offer(first + number, &distances::<Q, FMA>(block, queries));
    }
    *nearest = best;
}

/// |c|²/2 − x·c of Q latents (negated, `[dim][Q]`) and the codewords of a block.
#[inline(always)]
fn distances<const Q: usize, const FMA: bool>(block: &[Lanes], queries: &[[f32; Q]]) -> [Lanes; Q] {
    let mut sums = [block[0]; Q];
    for (lanes, query) in block[1..].iter().zip(queries) {
        for q in 0..Q {
            for l in 0..LANES {
                // `mul_add` without the instruction is a slow library call.
                sums[q][l] = if FMA {
                    query[q].mul_add(lanes[l], sums[q][l])
                } else {
                    query[q] * lanes[l] + sums[q][l]
                };
            }
        }
    }
    sums
}

/// Per latent and lane: the smallest distance so far and the block it is in.
#[derive(Clone, Copy)]
struct Nearest<const Q: usize> {
    distance: [Lanes; Q],
    block: [[u32; LANES]; Q],
}

impl<const Q: usize> Nearest<Q> {
    #[inline(always)]
    fn new() -> Self {
        Self {
            distance: [[f32::INFINITY; LANES]; Q],
            block: [[0; LANES]; Q],
        }
    }

    /// Takes what is nearer; an earlier block keeps a tie. Loops of one step each over whole
    /// arrays: with the steps in one loop, builds without AVX test lane by lane.
    #[inline(always)]
    fn offer(&mut self, block: usize, distances: &[Lanes; Q]) {
        for (q, found) in distances.iter().enumerate() {
            let (distance, at) = (&mut self.distance[q], &mut self.block[q]);
            let mut nearer = [0u32; LANES];
            for l in 0..LANES {
                nearer[l] = if found[l] < distance[l] { u32::MAX } else { 0 };
            }
            for l in 0..LANES {
                distance[l] = if found[l] < distance[l] {
                    found[l]
                } else {
                    distance[l]
                };
            }
            for l in 0..LANES {
                at[l] = (block as u32 & nearer[l]) | (at[l] & !nearer[l]);
            }
        }
    }

    /// The nearest codeword over the lanes; the lowest index at a tie.
    #[inline(always)]
    fn index(&self, q: usize) -> u16 {
        let mut best = (f32::INFINITY, u32::MAX);
        for l in 0..LANES {
            let index = self.block[q][l] * LANES as u32 + l as u32;
            let distance = self.distance[q][l];
            if distance < best.0 || (distance == best.0 && index < best.1) {
                best = (distance, index);
            }
        }
        best.1 as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Grid;
    use proptest::prelude::*;

    fn oracle(latent: &[i16], codebook: &Codebook, codewords: usize) -> u16 {
        let distance = |c: &[i16]| -> i64 {
            latent
                .iter()
                .zip(c)
                .map(|(&x, &y)| (i64::from(x) - i64::from(y)).pow(2))
                .sum()
        };
        let rows = codebook.rows().chunks_exact(codebook.dim()).take(codewords);
        rows.enumerate()
            .min_by_key(|(i, c)| (distance(c), *i))
            .unwrap()
            .0 as u16
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_finds_the_nearest_for_every_prefix(
            dim in 1usize..40,
            seed: u64,
            // Small values make many ties, large ones reach the end of the exact range.
            span in prop_oneof![Just(2i64), Just(60), Just(450)],
            count in 1usize..20,
            mut ladder in prop::collection::vec(1usize..=300, 1..6),
        ) {
            let mut state = seed | 1;
            let mut draw = |n: usize| -> Vec<i16> {
                (0..n).map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (((state >> 33) as i64) % (2 * span + 1) - span) as i16
                }).collect()
            };
            ladder.sort_unstable();
            let codebook = Codebook::new(dim, draw(300 * dim)).unwrap();
            let mut latents = Latents::new(Grid { columns: count, rows: 1 }, dim);
            latents.values_mut().copy_from_slice(&draw(count * dim));
            for (build, searcher) in Searcher::new(&codebook).builds() {
                let mut lists = vec![Vec::new(); ladder.len()];
                searcher.search_ladder(&latents, &ladder, &mut lists);
                for (&codewords, list) in ladder.iter().zip(&lists) {
                    let expected: Vec<u16> =
                        (0..count).map(|p| oracle(latents.at(p), &codebook, codewords)).collect();
                    prop_assert_eq!(list, &expected, "{}, {} codewords", build, codewords);
                    let mut alone = Vec::new();
                    searcher.search(&latents, codewords, &mut alone);
                    prop_assert_eq!(list, &alone);
                }
            }
        }
    }

    #[test]
    fn ties_go_to_the_lowest_index() {
        let codebook = Codebook::new(1, [vec![7; 20], vec![3; 20]].concat()).unwrap();
        let mut latents = Latents::new(
            Grid {
                columns: 2,
                rows: 1,
            },
            1,
        );
        latents.values_mut().copy_from_slice(&[5, 1]);
        for (build, searcher) in Searcher::new(&codebook).builds() {
            let mut indices = Vec::new();
            searcher.search(&latents, 40, &mut indices);
            assert_eq!(indices, [0, 20], "{build}");
        }
    }
}
