//! Codewords of like direction: only those near a query are worth a scan.

use raq_shared::twice;

/// Codewords of a cluster, on average.
const SIZE: usize = 64;
/// The most clusters of a codebook.
pub(super) const MOST: usize = 64;
/// Codebooks of up to so many codewords are one cluster: a scan of them costs little more than
/// finding what is near.
const SMALL: usize = 1024;
/// Rounds of k-means; more hardly help.
const ROUNDS: usize = 5;

/// Middles of clusters, by direction alone.
#[derive(Debug, Clone)]
pub(super) struct Clusters {
    /// Unit vectors, `[dims, MOST]`; clusters that are not there are zero.
    middles: Vec<[f32; MOST]>,
    count: usize,
}

impl Clusters {
    /// Clusters of `rows` `[codewords, dims]`, and the cluster of each row.
    pub(super) fn of(rows: &[f32], dims: usize) -> (Self, Vec<usize>) {
        let codewords = rows.len() / dims;
        let count = match codewords {
            0..=SMALL => 1,
            _ => (codewords / SIZE).min(MOST),
        };
        let mut clusters = Self {
            middles: vec![[0.0; MOST]; dims],
            count,
        };
        let directions: Vec<f32> = rows.chunks_exact(dims).flat_map(unit).collect();
        for cluster in 0..count {
            let row = (cluster * codewords / count + cluster) % codewords;
            clusters.put(cluster, &directions[row * dims..][..dims]);
        }
        let mut members = vec![0; codewords];
        for _ in 0..ROUNDS {
            let mut sums = vec![0f32; count * dims];
            for (row, member) in directions.chunks_exact(dims).zip(&mut members) {
                *member = clusters.nearest(row);
                let sum = &mut sums[*member * dims..][..dims];
                sum.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
            for (cluster, sum) in sums.chunks_exact(dims).enumerate() {
                // A cluster without members keeps its place.
                if sum.iter().any(|&v| v != 0.0) {
                    let middle: Vec<f32> = unit(sum).collect();
                    clusters.put(cluster, &middle);
                }
            }
        }
        for (row, member) in directions.chunks_exact(dims).zip(&mut members) {
            *member = clusters.nearest(row);
        }
        (clusters, members)
    }

    fn put(&mut self, cluster: usize, middle: &[f32]) {
        for (row, &value) in self.middles.iter_mut().zip(middle) {
            row[cluster] = value;
        }
    }

    /// Number of clusters.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn nearest(&self, row: &[f32]) -> usize {
        let products = self.products(row);
        let better = |best: usize, this: usize| match products[this] > products[best] {
            true => this,
            false => best,
        };
        (1..self.count).fold(0, better)
    }

    fn products(&self, query: &[f32]) -> [f32; MOST] {
        let mut products = [0.0; MOST];
        products_of(&self.middles, query, &mut products);
        products
    }

    /// The clusters that point as `query` does, as bits: those whose product with it is at least
    /// `part` of the largest one.
    pub(super) fn near(&self, query: &[f32], part: f32) -> u64 {
        if self.count == 1 {
            return 1;
        }
        let products = self.products(query);
        let products = &products[..self.count];
        let most = products.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let least = most - (1.0 - part) * most.abs();
        let near = products.iter().enumerate();
        near.fold(0, |bits, (n, &product)| {
            bits | u64::from(product >= least) << n
        })
    }
}

/// A row of length one; zero stays zero.
fn unit(row: &[f32]) -> impl Iterator<Item = f32> {
    let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    row.iter().map(move |v| v * scale)
}

twice! {
    fn products_of [products_plain, products_avx2] (
        middles: &[[f32; MOST]],
        query: &[f32],
        products: &mut [f32; MOST],
    ) -> () {
        let mut sums = [0.0; MOST];
        for (row, &value) in middles.iter().zip(query) {
            for (sum, middle) in sums.iter_mut().zip(row) {
                *sum += value * middle;
            }
        }
        *products = sums;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: usize = 32;

    /// Rows around as many axes, a few of them zero.
    fn rows() -> Vec<f32> {
        let row = |i: usize| {
            (0..DIMS).map(move |d| match (i % 41, d == i % DIMS) {
                (40, _) => 0.0,
                (_, true) => 100.0 + (i % 7) as f32 * 50.0,
                (_, false) => ((i * 31 + d * 17) % 11) as f32 - 5.0,
            })
        };
        (0..2 * SMALL).flat_map(row).collect()
    }

    #[test]
    fn rows_of_a_cluster_point_alike() {
        let (clusters, members) = Clusters::of(&rows(), DIMS);
        assert_eq!(clusters.count(), DIMS);
        for (i, member) in members.iter().enumerate() {
            if i % 41 != 40 {
                assert_eq!(*member, members[i % DIMS], "row {i}");
            }
        }
    }

    #[test]
    fn the_nearest_clusters_come_first() {
        let (clusters, members) = Clusters::of(&rows(), DIMS);
        let mut query = [0.0; DIMS];
        (query[3], query[5]) = (9.0, 4.0);
        assert_eq!(clusters.near(&query, 0.9), 1 << members[3]);
        let both = 1 << members[3] | 1 << members[5];
        assert_eq!(clusters.near(&query, 0.3), both);
        assert_eq!(clusters.near(&query, f32::NEG_INFINITY), 0xffff_ffff);
        assert_eq!(clusters.near(&[0.0; DIMS], 1.0), 0xffff_ffff);
    }
}
