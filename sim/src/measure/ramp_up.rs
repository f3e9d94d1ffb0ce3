//! How soon the link is in use.

use super::{
    Supply,
    supply::{BIN_US, BINS_PER_SECOND},
};
use crate::record::{DatagramRow, Direction, FrameRow};

/// Share of what can be used.
const REACHED: f64 = 0.9;

/// Time from the first capture to the end of the first second (they begin every 100 ms) in which
/// 90 % of what the sources could use was delivered, in seconds. None where there is no such
/// second.
pub fn seconds(frames: &[FrameRow], datagrams: &[DatagramRow], supply: &Supply) -> Option<f64> {
    let start = frames.iter().map(|frame| frame.captured_us).min()?;
    let mut bins = vec![0; supply.bins()];
    for row in datagrams
        .iter()
        .filter(|row| row.is_own() && row.direction == Direction::Down)
    {
        let arrived = row.arrived_us.is_some() && row.lost.is_none();
        let bin = row
            .left_us
            .filter(|_| arrived)
            .map(|left| (left / BIN_US) as usize);
        if let Some(bytes) = bin.and_then(|bin| bins.get_mut(bin)) {
            *bytes += u64::from(row.bytes);
        }
    }
    let first = start.div_ceil(BIN_US) as usize;
    let end = (first + BINS_PER_SECOND..=bins.len()).find(|&end| {
        let window = end - BINS_PER_SECOND..end;
        let usable = supply.usable(window.clone());
        usable > 0.0 && bins[window].iter().sum::<u64>() as f64 >= REACHED * usable
    })?;
    Some((end as u64 * BIN_US - start) as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::super::{Span, example};
    use super::*;

    #[test]
    fn the_first_full_second_ends_the_ramp() {
        let (run, policy) = example::run(10);
        let supply = Supply::new(&run, &Span::all(&run.record, &policy.frames));
        // 10 datagrams in 100 ms are all of the link; half until 3 s, then 9 of 10.
        let rate = |n: u64| (n % 10) < if n < 300 { 5 } else { 9 };
        let sent = (0..1000).filter(|&n| rate(n));
        let rows: Vec<_> = sent.map(|n| example::datagram(10_000 * n)).collect();
        assert_eq!(seconds(&policy.frames, &rows, &supply), Some(4.0));
        assert_eq!(seconds(&policy.frames, &rows[..150], &supply), None);
        assert_eq!(seconds(&policy.frames[25..], &rows, &supply), Some(3.0));
        assert_eq!(seconds(&[], &rows, &supply), None);
    }
}
