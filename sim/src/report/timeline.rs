//! Values over time, thinned without leaving any out.

use crate::{
    measure::percentile::percentile,
    plot::{Axis, Scale},
    record::BIN,
};

/// The most bins that a run is drawn in.
const BINS: u64 = 600;

/// The run's time in bins of equal length, multiples of 100 ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Timeline {
    duration_us: u64,
    bin_us: u64,
}

/// What the values in a bin were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    low: f64,
    median: f64,
    pub(super) high: f64,
}

/// Points over time in pieces, for a [`Series`](crate::plot::Series).
pub(super) type Lines = Vec<Vec<(f64, f64)>>;
/// Ranges likewise.
pub(super) type Bands = Vec<Vec<(f64, f64, f64)>>;

impl Timeline {
    pub(super) fn new(duration_us: u64) -> Self {
        let short = BIN.as_micros() as u64;
        let bin_us = short * duration_us.div_ceil(short * BINS).max(1);
        Self {
            duration_us,
            bin_us,
        }
    }

    pub(super) fn axis(&self) -> Axis<'static> {
        Axis::between("time, s", Scale::Linear, 0.0, self.duration_us as f64 / 1e6)
    }

    /// Mean rate in each bin, kbit/s, of bytes at times in microseconds.
    pub(super) fn rates(&self, bytes: impl Iterator<Item = (u64, u64)>) -> Lines {
        let mut sums = vec![0; self.count()];
        for (us, bytes) in bytes.filter(|(us, _)| *us < self.duration_us) {
            sums[(us / self.bin_us) as usize] += bytes;
        }
        let rate = |(number, sum): (usize, &u64)| {
            let (start, end) = self.ends(number);
            (
                self.middle(number),
                8000.0 * *sum as f64 / (end - start) as f64,
            )
        };
        vec![sums.iter().enumerate().map(rate).collect()]
    }

    /// Lowest, middle and highest value in each bin, of values at times in microseconds.
    pub(super) fn spreads(&self, values: impl Iterator<Item = (u64, f64)>) -> Vec<Option<Spread>> {
        let mut bins = vec![Vec::new(); self.count()];
        for (us, value) in values.filter(|(us, _)| *us < self.duration_us) {
            bins[(us / self.bin_us) as usize].push(value);
        }
        let spread = |mut bin: Vec<f64>| {
            bin.sort_unstable_by(f64::total_cmp);
            Some(Spread {
                low: *bin.first()?,
                median: percentile(&bin, 50.0)?,
                high: *bin.last()?,
            })
        };
        bins.into_iter().map(spread).collect()
    }

    /// The middle values; empty bins part the line.
    pub(super) fn medians(&self, spreads: &[Option<Spread>]) -> Lines {
        self.pieces(spreads, |x, spread| (x, spread.median))
    }

    /// From the lowest to the highest.
    pub(super) fn ranges(&self, spreads: &[Option<Spread>]) -> Bands {
        self.pieces(spreads, |x, spread| (x, spread.low, spread.high))
    }

    fn pieces<T>(&self, bins: &[Option<Spread>], point: fn(f64, Spread) -> T) -> Vec<Vec<T>> {
        let numbers: Vec<_> = (0..bins.len()).collect();
        let pieces = numbers.chunk_by(|&a, &b| bins[a].is_some() && bins[b].is_some());
        let piece = |piece: &[usize]| {
            let points = piece
                .iter()
                .filter_map(|&n| Some(point(self.middle(n), bins[n]?)));
            points.collect::<Vec<_>>()
        };
        pieces
            .map(piece)
            .filter(|piece| !piece.is_empty())
            .collect()
    }

    fn count(&self) -> usize {
        self.duration_us.div_ceil(self.bin_us) as usize
    }

    fn ends(&self, number: usize) -> (u64, u64) {
        let start = number as u64 * self.bin_us;
        (start, (start + self.bin_us).min(self.duration_us))
    }

    /// Seconds.
    fn middle(&self, number: usize) -> f64 {
        let (start, end) = self.ends(number);
        (start + end) as f64 / 2e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_have_longer_bins() {
        assert_eq!(Timeline::new(60_000_000).count(), 600);
        assert_eq!(Timeline::new(600_000_000).count(), 600);
        assert_eq!(Timeline::new(100_000_000).bin_us, 200_000);
        assert_eq!(Timeline::new(250_000).count(), 3);
        assert_eq!(Timeline::new(1).count(), 1);
    }

    #[test]
    fn nothing_is_left_out() {
        let timeline = Timeline::new(120_000_000);
        assert_eq!(timeline.bin_us, 200_000);
        // A peak of one value among many, in the second bin; a bin without values after it.
        let values = (0..200).map(|n| (2000 * n, if n == 150 { 900.0 } else { 10.0 }));
        let spreads = timeline.spreads(values.chain([(600_000, 30.0)]));
        let medians = timeline.medians(&spreads);
        assert_eq!(medians, [vec![(0.1, 10.0), (0.3, 10.0)], vec![(0.7, 30.0)]]);
        assert_eq!(timeline.ranges(&spreads)[0][1], (0.3, 10.0, 900.0));
        let rates = timeline.rates([(0, 1000), (1, 1500), (199_999, 2500)].into_iter());
        assert_eq!(rates[0][..2], [(0.1, 200.0), (0.3, 0.0)]);
    }

    #[test]
    fn a_short_last_bin_has_its_own_length() {
        let timeline = Timeline::new(250_000);
        let rates = timeline.rates([(200_000, 1000), (250_000, 1), (900_000, 1)].into_iter());
        assert_eq!(rates[0][2], (0.225, 160.0));
    }
}
