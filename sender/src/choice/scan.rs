//! The best codeword of a block at every scale of its codebook, in one pass.
//!
//! For a residual r and a codeword c at scale 2^−s the error falls by 2·r·c·2^−s − |c|²·4^−s.
//! With a price λ per bit the best codeword maximises r·c − bias, where
//! bias = |c|²·2^−s / 2 + λ·bits·2^s / 2: one dot product serves all scales.
//!
//! Products in eight bits with the clusters that point as the residual does name the best codeword
//! of each of eight parts of the codebook, which are then compared exactly. Codebooks with nearly
//! all energy in few directions are searched in these alone.

use raq_shared::coding::tables::{Band, class};
use raq_shared::stage::{StageCodebook, Stages};

use super::cluster::Clusters;
use super::exact::{dot, energy};
use super::kernel::{Best, Level, Query, Rows};
use super::principal::Principal;

/// Products of residual and codeword below this fit 32 bits.
const PRODUCT_LIMIT: f32 = (1u32 << 31) as f32;

/// What a place of the scan's rows holds.
#[derive(Debug, Clone, Copy)]
struct Place {
    index: u16,
    class: u8,
    energy: f32,
}

/// Classes of indices below the largest K_max, and one more for rounding up.
const CLASSES: usize = 16;

/// The part of a product that eight bits may get wrong.
const BLUR: f32 = 0.04;

/// A codeword that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// Which one.
    pub index: u16,
    /// r·c − bias.
    score: f32,
    /// r·c and |c|².
    terms: (f32, f32),
}

impl Match {
    /// Worse than any.
    pub const NONE: Self = Self {
        index: 0,
        score: f32::NEG_INFINITY,
        terms: (f32::NEG_INFINITY, 0.0),
    };

    /// By how much the error falls at scale 2^−s, `scale` being 2^s; exactly but for the rounding
    /// of codewords at that scale.
    pub fn gain(&self, scale: f32) -> f32 {
        let (product, energy) = self.terms;
        (2.0 * product - energy / scale) / scale
    }

    /// The better of two; the lower index at a tie.
    fn better(self, other: Self) -> Self {
        let wins =
            other.score > self.score || (other.score == self.score && other.index < self.index);
        if wins { other } else { self }
    }
}

/// A codebook laid out for scanning.
#[derive(Debug, Clone)]
pub struct Scan {
    dims: usize,
    principal: Option<Principal>,
    clusters: Clusters,
    rows: Rows,
    exact: Vec<i16>,
    /// Per place of the rows its codeword; none where a cluster is filled up.
    places: Vec<Option<Place>>,
    /// Lengths of the shortest and the longest codeword.
    lengths: (f32, f32),
    level: Level,
    /// What is searched for, as the rows see it.
    values: Vec<f32>,
    query: Query,
}

impl Scan {
    /// Lays a codebook out.
    pub fn new(codebook: &StageCodebook) -> Self {
        let (dims, rows) = (codebook.dims(), codebook.rows());
        let principal = Principal::of(rows, dims);
        let kept = principal.as_ref().map_or(dims, Principal::kept);
        let mut seen = vec![0.0; codebook.codewords() * kept];
        for (row, seen) in rows.chunks_exact(dims).zip(seen.chunks_exact_mut(kept)) {
            look(principal.as_ref(), row, seen);
        }
        let energies: Vec<f32> = rows.chunks_exact(dims).map(energy).collect();
        let longest = energies.iter().copied().fold(0.0, f32::max);
        let shortest = energies.iter().copied().fold(longest, f32::min);
        let (clusters, members) = Clusters::of(&seen, kept);
        let (laid, places) = Rows::new(&seen, kept, &members, clusters.count());
        let place = |row: usize| Place {
            index: row as u16,
            class: class(row) as u8,
            energy: energies[row],
        };
        Self {
            dims,
            principal,
            clusters,
            rows: laid,
            exact: rows.to_vec(),
            places: places.iter().map(|row| row.map(place)).collect(),
            lengths: (shortest.sqrt(), longest.sqrt()),
            level: Level::available().pop().unwrap_or(Level::Scalar),
            values: vec![0.0; kept],
            query: Query::new(),
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
        self.dims
    }

    /// Lengths of the shortest and the longest codeword, grid units.
    pub fn lengths(&self) -> (f32, f32) {
        self.lengths
    }

    /// The biases of a stage for a price `lambda` per bit, into `biases` (cleared first): one per
    /// place of the scan, infinite past K̃ = `codewords`.
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
        let mut prices = [f32::INFINITY; CLASSES];
        for (class, price) in prices[..=class(codewords - 1)].iter_mut().enumerate() {
            *price = lambda * band.index_bits(stage, (1 << class) - 1, codewords) * scale / 2.0;
        }
        let half = 0.5 / scale;
        let bias = |place: &Option<Place>| match place {
            Some(place) if usize::from(place.index) < codewords => {
                place.energy * half + prices[usize::from(place.class)]
            }
            _ => f32::INFINITY,
        };
        biases.clear();
        biases.extend(self.places.iter().map(bias));
    }

    /// The best codeword for `residual` under each list of biases, as far as eight bits tell which
    /// ones to compare, out of the clusters that are at least `part` as near as the nearest one.
    /// With it the terms of what it gains, see [`Match::gain`].
    ///
    /// # Panics
    /// When the residual's length is not that of a codeword, or a list is not one of
    /// [`Self::biases`].
    pub fn best<const S: usize>(
        &mut self,
        residual: &[i16],
        biases: [&[f32]; S],
        part: f32,
    ) -> [Match; S] {
        assert_eq!(
            residual.len(),
            self.dims,
            "a residual of the codeword's length"
        );
        look(self.principal.as_ref(), residual, &mut self.values);
        self.query.set(&self.values);
        let near = self.clusters.near(&self.values, part);
        let lanes = self.level.scan(&self.rows, &self.query, near, biases);
        let short = energy(residual).sqrt() * self.lengths.1 < PRODUCT_LIMIT;
        let mut found = [Match::NONE; S];
        for ((found, lanes), list) in found.iter_mut().zip(&lanes).zip(biases) {
            let top = lanes.iter().fold(Best::NONE, |top, &seen| top.better(seen));
            if top.score == Best::NONE.score {
                continue;
            }
            let product = top.score + list[top.index as usize];
            let least = top.score - BLUR * product.abs();
            for seen in lanes.iter().filter(|seen| seen.score >= least) {
                let Some(place) = self.places[seen.index as usize] else {
                    continue;
                };
                let at = usize::from(place.index);
                let row = &self.exact[at * self.dims..][..self.dims];
                let product = dot(residual, row, short);
                *found = found.better(Match {
                    index: place.index,
                    score: product - list[seen.index as usize],
                    terms: (product, place.energy),
                });
            }
        }
        found
    }
}

/// What the scan sees of a row: all of it, or its principal components.
fn look(principal: Option<&Principal>, row: &[i16], seen: &mut [f32]) {
    match principal {
        Some(principal) => principal.project(row, seen),
        None => {
            for (to, &from) in seen.iter_mut().zip(row) {
                *to = from.into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::principal::HELD;
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

        /// Every build finds about the largest fall of the error, less its bits' price: what eight
        /// bits cannot tell apart is all that may be missed.
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
            for (build, mut scan) in scan.builds() {
                let best = scan.best(&residual, [&lists[0], &lists[1], &lists[2]], f32::NEG_INFINITY);
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
                    let length = residual.iter().map(|&r| f64::from(r).powi(2)).sum::<f64>().sqrt();
                    // Eight bits: each number is off by up to 1/254 of the largest, in both rows.
                    let step = 8.0 * (dims as f64).sqrt() / 254.0;
                    // All that the principal directions do not hold may be one codeword's.
                    let unseen = scan.principal.as_ref().map_or(0.0, |_| {
                        let energies = (0..codewords).map(|index| energy(book.codeword(index as u16)));
                        4.0 * (f64::from(1.0 - HELD) * f64::from(energies.sum::<f32>())).sqrt()
                    });
                    let off = step * f64::from(scan.lengths.1) + unseen;
                    let blur = length * off / scale + 1e-4 * oracle.abs();
                    prop_assert!(oracle - value(best.index.into()) <= blur, "{build}");
                    prop_assert!(usize::from(best.index) < most);
                }
            }
            prop_assert!(found.iter().all(|f| f == &found[0]), "builds agree: {found:?}");
        }
    }

    /// Codewords with most energy in few directions, as trained ones have, and white ones.
    #[test]
    fn eight_bits_keep_the_gain() {
        for (falloff, size, principal) in [(1.5, 0.5, true), (0.0, 0.15, false)] {
            let (dims, mut seed) = (48, 7u64);
            let mut vector = |scale: f64| -> Vec<i16> {
                let mut part = |d: usize| {
                    f64::from(draw(&mut seed, 1000)) * scale / (1.0 + d as f64 * falloff)
                };
                (0..dims).map(|d| part(d) as i16).collect()
            };
            let rows: Vec<i16> = (0..1000).flat_map(|_| vector(size)).collect();
            let book = StageCodebook::new(Cover::Position, dims, rows).unwrap();
            let stage = Stage {
                codebook: 0,
                shift: 0,
            };
            let stages = Stages::new(dims, vec![book.clone()], vec![stage]).unwrap();
            let tables = Tables::new(&TableCounts::flat(&stages), &stages).unwrap();
            let (mut scan, mut list) = (Scan::new(&book), vec![]);
            assert_eq!(scan.principal.is_some(), principal);
            scan.biases(&stages, 0, tables.band(0), 1000, 0.0, &mut list);
            let (mut best, mut found, mut third) = (0.0, 0.0, 0.0);
            for _ in 0..100 {
                let residual = vector(0.6);
                let score = |(index, bias): (usize, &f32)| {
                    f64::from(dot(&residual, book.codeword(index as u16), true) - bias)
                };
                let energy = |row: &[i16]| energy(row) / 2.0;
                let biases = book
                    .rows()
                    .chunks_exact(dims)
                    .map(energy)
                    .collect::<Vec<_>>();
                let scores = biases.iter().enumerate().map(score);
                best += scores.fold(f64::NEG_INFINITY, f64::max);
                found += f64::from(scan.best(&residual, [&list], f32::NEG_INFINITY)[0].score);
                third += f64::from(scan.best(&residual, [&list], 0.3)[0].score);
            }
            assert!(found > 0.995 * best, "{found} of {best}");
            assert!(third > 0.9 * best, "{third} of {best} in a third");
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
        for (_, mut scan) in scan.builds() {
            assert_eq!(
                scan.best(&[i16::MIN; 192], [&list], f32::NEG_INFINITY)[0].index,
                1
            );
            assert_eq!(
                scan.best(&[i16::MAX; 192], [&list], f32::NEG_INFINITY)[0].index,
                0
            );
        }
    }
}
