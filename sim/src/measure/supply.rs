//! What the link could have carried for the flows.

use std::ops::Range;

use super::Span;
use crate::record::{BIN, Run};

/// Length of a bin of `link.csv`, microseconds.
pub const BIN_US: u64 = BIN.as_micros() as u64;
/// Bins in a second.
pub const BINS_PER_SECOND: usize = 10;

/// Capacity of the media direction and what the sources at work could use of it, bin by bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Supply {
    bins: Vec<Bin>,
    /// The most that one source gives in a bin, bytes.
    limit: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    capacity: u64,
    /// Flows whose source is at work in the bin's middle.
    flows: u32,
}

impl Supply {
    /// From what the link could carry and when the sources were at work.
    pub fn new(run: &Run, spans: &[Span<'_>]) -> Self {
        let count = run.record.duration_us.div_ceil(BIN_US) as usize;
        let mut bins = vec![Bin::default(); count];
        for row in &run.link {
            if let Some(bin) = bins.get_mut((row.t_us / BIN_US) as usize) {
                bin.capacity += row.down_bytes;
            }
        }
        for span in spans {
            let number = |time: u64| ((time + BIN_US / 2) / BIN_US) as usize;
            let last = number(span.end).min(count);
            for bin in &mut bins[number(span.start).min(last)..last] {
                bin.flows += 1;
            }
        }
        let bytes = |kbps: f64| kbps * BIN_US as f64 / 8000.0;
        Self {
            bins,
            limit: run.record.max_kbps.map(bytes),
        }
    }

    /// Number of bins in the run.
    pub fn bins(&self) -> usize {
        self.bins.len()
    }

    /// The bins around a time: a second, less at the ends of the run.
    pub fn around(&self, us: u64) -> Range<usize> {
        let middle = ((us / BIN_US) as usize).min(self.bins.len());
        let half = BINS_PER_SECOND / 2;
        middle.saturating_sub(half)..(middle + half).min(self.bins.len())
    }

    /// Bytes that the link could have carried in these bins, whoever sent them.
    pub fn capacity(&self, bins: Range<usize>) -> u64 {
        self.bins[bins].iter().map(|bin| bin.capacity).sum()
    }

    /// Bytes that the flows could have used in these bins: min(capacity, all sources' limit). Bins
    /// in which no source works give nothing.
    pub fn usable(&self, bins: Range<usize>) -> f64 {
        let at_work = || self.bins[bins.clone()].iter().filter(|bin| bin.flows > 0);
        let capacity = at_work().map(|bin| bin.capacity).sum::<u64>() as f64;
        let flows = at_work().map(|bin| bin.flows).sum::<u32>();
        let limit = self.limit.map(|limit| limit * f64::from(flows));
        limit.map_or(capacity, |limit| limit.min(capacity))
    }

    /// Bytes that the flows could have used in the run, as the sum over its seconds.
    pub fn usable_in_all(&self) -> f64 {
        let starts = (0..self.bins.len()).step_by(BINS_PER_SECOND);
        starts
            .map(|start| self.usable(start..(start + BINS_PER_SECOND).min(self.bins.len())))
            .sum()
    }

    /// Flows at work at a time, at least 1.
    pub fn flows(&self, us: u64) -> u32 {
        let bin = self.bins.get((us / BIN_US) as usize);
        bin.map_or(1, |bin| bin.flows.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_limit_holds_for_each_second_and_source() {
        let (mut run, mut policy) = example::run(4);
        run.record.max_kbps = Some(500.0);
        // 1 Mbit/s, but 200 kbit/s in the third second; the second flow works in seconds 2 and 3.
        for row in &mut run.link[20..30] {
            row.down_bytes = 2500;
        }
        policy.frames.extend(example::frames(1, 25..75));
        let spans = Span::all(&run.record, &policy.frames);
        let supply = Supply::new(&run, &spans);
        let seconds: Vec<_> = (0..4).map(|s| supply.usable(10 * s..10 * s + 10)).collect();
        assert_eq!(seconds, [62_500.0, 125_000.0, 25_000.0, 62_500.0]);
        assert_eq!(supply.usable_in_all(), 275_000.0);
        assert_eq!(supply.capacity(15..25), 75_000);
        assert_eq!((supply.flows(500_000), supply.flows(1_500_000)), (1, 2));
        assert_eq!(supply.around(2_000_000), 15..25);
        assert_eq!(supply.around(3_950_000), 34..40);
    }

    #[test]
    fn without_a_source_nothing_can_be_used() {
        let (run, policy) = example::run(4);
        let supply = Supply::new(&run, &Span::all(&run.record, &policy.frames[..50]));
        assert_eq!(supply.usable_in_all(), 250_000.0);
        assert_eq!(Supply::new(&run, &[]).usable_in_all(), 0.0);
    }
}
