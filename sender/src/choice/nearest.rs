//! The nearest codeword of a vector among the first ones of a codebook, for any number of such
//! prefixes in one pass; exact.
//!
//! Products in eight bits, with a bound on how far they may be off, leave a few codewords that can
//! be nearest at all; these are compared in integers. With q̂ and ĉ as eight bits have them,
//! |q·c − q̂·ĉ| ≤ |q||c − ĉ| + |q − q̂||ĉ|, by Cauchy and Schwarz.

use raq_shared::twice;

use super::exact::short_dot;
use super::kernel::{LANES, Level, Query, Reach, Rows};

/// Vectors that are looked at together: a codeword is loaded once for all of them.
pub const TOGETHER: usize = 4;
/// What rounding of floating-point numbers may add to a bound, as a part of it and of the products.
const ROUNDING: f32 = 1e-5;

/// Products below this fit 32 bits.
const PRODUCT_LIMIT: f32 = (1u32 << 30) as f32;

/// A codebook laid out for exact searches. All of it is allocated beforehand.
#[derive(Debug, Clone)]
pub struct Nearest {
    dims: usize,
    codewords: usize,
    exact: Vec<i16>,
    /// |c|² per codeword.
    energies: Vec<i64>,
    rows: Rows,
    /// Per place half of the codeword's energy, infinite where there is none.
    halves: Vec<f32>,
    /// Per place a codeword's length, and that of what eight bits make of it, whichever is larger.
    lengths: Vec<f32>,
    /// The largest |c − ĉ| as a part of the length.
    blur: f32,
    longest: f32,
    level: Level,
    queries: [Query; TOGETHER],
    /// Whether 32 bits hold a query's products.
    short: [bool; TOGETHER],
    most: [Vec<f32>; TOGETHER],
    /// Blocks of them that are worth an exact look.
    picked: Vec<u32>,
}

/// The nearest codeword so far.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// 2·q·c − |c|², which is larger the nearer it is.
    score: i64,
    index: u32,
}

impl Nearest {
    /// Lays out `rows` of `dims` numbers.
    ///
    /// # Panics
    /// Where there is no row, or their numbers are not whole rows.
    pub fn new(rows: &[i16], dims: usize) -> Self {
        assert!(
            !rows.is_empty() && rows.len().is_multiple_of(dims),
            "whole rows"
        );
        let codewords = rows.len() / dims;
        let seen: Vec<f32> = rows.iter().map(|&v| f32::from(v)).collect();
        let (laid, places) = Rows::new(&seen, dims, &vec![0; codewords], 1);
        let mut halves = vec![f32::INFINITY; places.len()];
        let mut lengths = vec![0.0; places.len()];
        let mut blur = 0f32;
        let mut taken = vec![0.0; dims];
        for (place, row) in seen.chunks_exact(dims).enumerate() {
            laid.taken(place, &mut taken);
            let off = row.iter().zip(&taken).map(|(c, taken)| c - taken);
            let length = length(row.iter().copied());
            halves[place] = length * length / 2.0;
            lengths[place] = length.max(self::length(taken.iter().copied()));
            if length > 0.0 {
                blur = blur.max(self::length(off) / length);
            }
        }
        let most = [(); TOGETHER].map(|()| vec![0.0; places.len()]);
        Self {
            dims,
            codewords,
            exact: rows.to_vec(),
            energies: rows.chunks_exact(dims).map(square).collect(),
            rows: laid,
            longest: lengths.iter().copied().fold(0.0, f32::max),
            halves,
            lengths,
            blur,
            level: Level::available().pop().unwrap_or(Level::Scalar),
            queries: [(); TOGETHER].map(|()| Query::new()),
            short: [false; TOGETHER],
            most,
            picked: Vec::with_capacity(places.len() / LANES),
        }
    }

    /// The same in every build that this processor can run, with the build's name.
    pub fn builds(&self) -> impl Iterator<Item = (String, Self)> {
        Level::available().into_iter().map(|level| {
            let name = format!("{level:?}").to_lowercase();
            let nearest = Self {
                level,
                ..self.clone()
            };
            (name, nearest)
        })
    }

    /// Per vector and per prefix the index of the nearest codeword among the prefix's first ones, the
    /// lowest of equally near ones: `found` is `[vectors, prefixes]`.
    ///
    /// # Panics
    /// Where `vectors` are not whole rows, `found` has another size, or the prefixes are not rising
    /// from 1 up to the number of codewords at most.
    pub fn search(&mut self, vectors: &[i16], prefixes: &[usize], found: &mut [u32]) {
        assert!(vectors.len().is_multiple_of(self.dims), "whole vectors");
        assert_eq!(
            vectors.len() / self.dims * prefixes.len(),
            found.len(),
            "an index per vector and prefix"
        );
        assert!(
            prefixes.is_sorted_by(|a, b| a < b)
                && prefixes.first().is_some_and(|&first| first > 0)
                && prefixes.last().is_some_and(|&last| last <= self.codewords),
            "rising prefixes of {} codewords: {prefixes:?}",
            self.codewords
        );
        let found = found.chunks_mut(TOGETHER * prefixes.len());
        for (vectors, found) in vectors.chunks(TOGETHER * self.dims).zip(found) {
            self.together(vectors, prefixes, found);
        }
    }

    /// Up to [`TOGETHER`] vectors.
    fn together(&mut self, vectors: &[i16], prefixes: &[usize], found: &mut [u32]) {
        let mut slack = [0.0; TOGETHER];
        let kept = self.queries.iter_mut().zip(&mut slack).zip(&mut self.short);
        for (((query, slack), short), vector) in kept.zip(vectors.chunks_exact(self.dims)) {
            let off = query.set_for(self.level, vector);
            let length = length(vector.iter().map(|&v| f32::from(v)));
            let blur = self.blur * length + off;
            *slack = blur + ROUNDING * (blur + length);
            *short = length * self.longest < PRODUCT_LIMIT;
        }
        let mut best = [Found {
            score: i64::MIN,
            index: 0,
        }; TOGETHER];
        let mut from = 0;
        for (number, &to) in prefixes.iter().enumerate() {
            self.segment(vectors, slack, from..to, &mut best);
            from = to;
            for (vector, best) in best.iter().enumerate() {
                if let Some(found) = found.get_mut(vector * prefixes.len() + number) {
                    *found = best.index;
                }
            }
        }
    }

    /// Looks at more codewords.
    fn segment(
        &mut self,
        vectors: &[i16],
        slack: [f32; TOGETHER],
        codewords: std::ops::Range<usize>,
        best: &mut [Found; TOGETHER],
    ) {
        // Parts of blocks are too few for bounds to be worth while.
        let first = codewords.start.next_multiple_of(LANES).min(codewords.end);
        let last = match codewords.end == self.codewords {
            true => codewords.end.next_multiple_of(LANES),
            false => codewords.end / LANES * LANES,
        };
        let last = last.max(first);
        let places = first..last;
        let certain = if places.len() >= LANES {
            let most = self.most.each_mut().map(Vec::as_mut_slice);
            self.level.bounds(
                &self.rows,
                first / LANES..last / LANES,
                self.queries.each_ref(),
                slack,
                Reach {
                    halves: &self.halves,
                    lengths: &self.lengths,
                },
                most,
            )
        } else {
            [f32::INFINITY; TOGETHER]
        };
        for (n, vector) in vectors.chunks_exact(self.dims).enumerate() {
            let best = &mut best[n];
            let short = self.short[n];
            let look = |index: usize, best: &mut Found| {
                let row = &self.exact[index * self.dims..][..self.dims];
                let product = match short {
                    true => i64::from(short_dot(vector, row)),
                    false => long_dot(vector, row),
                };
                let score = 2 * product - self.energies[index];
                if score > best.score {
                    *best = Found {
                        score,
                        index: index as u32,
                    };
                }
            };
            (codewords.start..first).for_each(|index| look(index, best));
            if certain[n] < f32::INFINITY {
                let most = &self.most[n][places.clone()];
                pick(most, certain[n], &mut self.picked);
                for &block in &self.picked {
                    let at = block as usize * LANES;
                    for (index, &most) in (first + at..).zip(&most[at..at + LANES]) {
                        if most >= certain[n] {
                            look(index, best);
                        }
                    }
                }
            }
            (last..codewords.end).for_each(|index| look(index, best));
        }
    }
}

twice! {
    /// The blocks with a value that is at least so large, into `picked`, which has room for all.
    fn pick [pick_plain, pick_avx2] (values: &[f32], least: f32, picked: &mut Vec<u32>) -> () {
        picked.clear();
        for (block, values) in values.as_chunks::<LANES>().0.iter().enumerate() {
            if values.iter().fold(false, |any, &value| any | (value >= least)) {
                picked.push(block as u32);
            }
        }
    }
}

/// Sum of products.
fn long_dot(a: &[i16], b: &[i16]) -> i64 {
    let product = |(&a, &b): (&i16, &i16)| i64::from(a) * i64::from(b);
    a.iter().zip(b).map(product).sum()
}

fn square(row: &[i16]) -> i64 {
    long_dot(row, row)
}

fn length(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|v| v * v).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Looks at all of them.
    fn plainly(rows: &[i16], dims: usize, vector: &[i16], prefix: usize) -> u32 {
        let distance = |row: &[i16]| -> i64 {
            let square = |(&a, &b): (&i16, &i16)| (i64::from(a) - i64::from(b)).pow(2);
            row.iter().zip(vector).map(square).sum()
        };
        let rows = rows.chunks_exact(dims).take(prefix).enumerate();
        rows.min_by_key(|(_, row)| distance(row)).unwrap().0 as u32
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_build_finds_the_nearest_of_every_prefix(
            dims in 1usize..40, codewords in 1usize..120, vectors in 1usize..7, seed: u64,
            span in prop_oneof![Just(1i16), Just(60), Just(i16::MAX)],
            cuts in prop::collection::btree_set(1usize..120, 0..5),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut draw = |count: usize| -> Vec<i16> {
                (0..count).map(|_| random.i16(-span..=span)).collect()
            };
            let rows = draw(codewords * dims);
            let vectors = draw(vectors * dims);
            let mut prefixes: Vec<_> = cuts.into_iter().filter(|&cut| cut < codewords).collect();
            prefixes.push(codewords);
            let expected: Vec<u32> = vectors
                .chunks_exact(dims)
                .flat_map(|vector| prefixes.iter().map(|&prefix| plainly(&rows, dims, vector, prefix)))
                .collect();
            for (build, mut nearest) in Nearest::new(&rows, dims).builds() {
                let mut found = vec![u32::MAX; expected.len()];
                nearest.search(&vectors, &prefixes, &mut found);
                prop_assert_eq!(&found, &expected, "{}", build);
            }
        }
    }

    /// Neighbours of codewords, where eight bits cannot tell many apart.
    #[test]
    fn near_ties_are_told_apart() {
        let (dims, codewords) = (32, 2000);
        let mut random = fastrand::Rng::with_seed(3);
        let base: Vec<i16> = (0..dims).map(|_| random.i16(-8000..8000)).collect();
        let rows: Vec<i16> = (0..codewords)
            .flat_map(|_| {
                base.iter()
                    .map(|v| v + random.i16(-9..=9))
                    .collect::<Vec<_>>()
            })
            .collect();
        for (build, mut nearest) in Nearest::new(&rows, dims).builds() {
            let vectors: Vec<i16> = rows.iter().take(9 * dims).map(|v| v + 1).collect();
            let mut found = vec![0; 9];
            nearest.search(&vectors, &[codewords], &mut found);
            for (vector, found) in vectors.chunks_exact(dims).zip(found) {
                assert_eq!(found, plainly(&rows, dims, vector, codewords), "{build}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "rising prefixes")]
    fn prefixes_beyond_the_codebook_are_refused() {
        Nearest::new(&[1, 2, 3, 4], 2).search(&[1, 1], &[3], &mut [0]);
    }
}
