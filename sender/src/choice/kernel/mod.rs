//! Products of one query with all codewords, in eight bits.
//!
//! Eight bits find the few codewords that are worth an exact look. Codewords are scaled row by row
//! and stored with an offset of 128, queries have six bits and a sign: four products of them
//! fit 16 bits twice over, so that no build of the kernel ever saturates and all agree.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::ops::Range;

use raq_shared::codebook::MAX_DIM;

/// Codewords that one step of the scan looks at.
pub(super) const LANES: usize = 16;
/// Numbers of a codeword that one step multiplies.
const STEP: usize = 4;
/// Steps of the longest codeword.
const MAX_STEPS: usize = MAX_DIM / STEP;
/// What is added to a codeword's numbers.
const OFFSET: i32 = 128;
/// The largest magnitude of a codeword's number.
const ROW_LIMIT: f32 = 127.0;
/// The largest magnitude of a query's number that every build takes.
const QUERY_LIMIT: f32 = 32.0;
/// The same for builds that do not add four products in 16 bits.
const WIDE_LIMIT: f32 = 127.0;

const _: () = assert!(STEP as i32 * 255 * (QUERY_LIMIT as i32) < 1 << 15);

/// Rows laid out for scanning, cluster by cluster: blocks of sixteen rows, four dimensions of
/// each side by side.
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

    /// What eight bits make of the row at `place`, into `taken`.
    pub(super) fn taken(&self, place: usize, taken: &mut [f32]) {
        let (block, lane) = (place / LANES * self.steps, place % LANES);
        for (step, taken) in taken.chunks_mut(STEP).enumerate() {
            let numbers = &self.blocks[block + step][STEP * lane..];
            for (taken, &number) in taken.iter_mut().zip(numbers) {
                *taken = (i32::from(number) - OFFSET) as f32 * self.units[place];
            }
        }
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

    /// Takes on numbers, always as many, at most [`MAX_DIM`], as every build takes them.
    pub(super) fn set(&mut self, values: &[f32]) {
        self.set_up_to(QUERY_LIMIT, values);
    }

    fn set_up_to(&mut self, limit: f32, values: &[f32]) {
        let largest = values.iter().fold(0f32, |most, v| most.max(v.abs()));
        let scale = limit / largest.max(f32::MIN_POSITIVE);
        let mut sum = 0;
        for (step, values) in self.steps.iter_mut().zip(values.chunks(STEP)) {
            for (to, value) in step.iter_mut().zip(values) {
                // Truncation of a shifted value rounds and is quick.
                *to = ((value * scale + (limit + 0.5)) as i32 - limit as i32) as i8;
                sum += i32::from(*to);
            }
        }
        self.start = -OFFSET * sum;
        self.unit = largest / limit;
    }

    /// The same for whole numbers, as finely as `level` takes them; gives the length of what the
    /// bits leave out.
    pub(super) fn set_for(&mut self, level: Level, values: &[i16]) -> f32 {
        let mut exact = [0.0; MAX_DIM];
        let exact = &mut exact[..values.len()];
        for (exact, &value) in exact.iter_mut().zip(values) {
            *exact = value.into();
        }
        self.set_up_to(level.query_limit(), exact);
        let taken = self
            .steps
            .as_flattened()
            .iter()
            .map(|&taken| f32::from(taken) * self.unit);
        let off = exact.iter().zip(taken).map(|(value, taken)| value - taken);
        off.map(|v| v * v).sum::<f32>().sqrt()
    }
}

/// A codeword, or the place of one, and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    /// r·c − bias.
    pub(super) score: f32,
    /// Its index.
    pub(super) index: u32,
}

impl Best {
    /// Worse than any.
    pub(super) const NONE: Self = Self {
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
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// With its instructions for sums of products of eight bits (VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// What bounds the scores of all places; see [`Level::bounds`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    /// Per place half of its codeword's energy, infinite where there is none.
    pub(super) halves: &'a [f32],
    /// Per place its codeword's length.
    pub(super) lengths: &'a [f32],
}

impl Level {
    /// What this processor can run, the fastest last.
    pub(super) fn available() -> Vec<Self> {
        let mut levels = vec![Self::Scalar];
        // A part of every such processor.
        #[cfg(target_arch = "aarch64")]
        levels.push(Self::Neon);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            levels.push(Self::Avx2);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            levels.push(Self::Avx512);
        }
        levels
    }

    /// The largest magnitude of a query's number.
    fn query_limit(self) -> f32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => QUERY_LIMIT,
            _ => WIDE_LIMIT,
        }
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
            Self::Scalar => scalar::scan(rows, query, near, biases),
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every such processor has NEON.
            Self::Neon => unsafe { neon::scan(rows, query, near, biases) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has found AVX2 on this processor.
            Self::Avx2 => unsafe { avx2::scan(rows, query, near, biases) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has found both features on this processor.
            Self::Avx512 => unsafe { avx512::scan(rows, query, near, biases) },
        }
    }

    /// What each query's score r·c − |c|²/2 may be at most at the places of `blocks`, into `most`
    /// (a list of all places per query), where eight bits are off by up to `slack` times a
    /// codeword's length; and the largest score that is certain.
    ///
    /// # Panics
    /// When a list has not one value per place, or the blocks are not the rows'.
    pub(super) fn bounds<const N: usize>(
        self,
        rows: &Rows,
        blocks: Range<usize>,
        queries: [&Query; N],
        slack: [f32; N],
        reach: Reach<'_>,
        most: [&mut [f32]; N],
    ) -> [f32; N] {
        let places = rows.units.len();
        assert!(blocks.end * LANES <= places, "blocks of the rows");
        assert_eq!(reach.halves.len(), places, "half an energy per place");
        assert_eq!(reach.lengths.len(), places, "a length per place");
        assert!(
            most.iter().all(|list| list.len() == places),
            "a bound per place"
        );
        match self {
            Self::Scalar => scalar::bounds(rows, blocks, queries, slack, reach, most),
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every such processor has NEON.
            Self::Neon => unsafe { neon::bounds(rows, blocks, queries, slack, reach, most) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has found AVX2 on this processor.
            Self::Avx2 => unsafe { avx2::bounds(rows, blocks, queries, slack, reach, most) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has found both features on this processor.
            Self::Avx512 => unsafe { avx512::bounds(rows, blocks, queries, slack, reach, most) },
        }
    }
}
