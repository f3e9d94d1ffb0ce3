//! Percentiles by nearest rank.

/// The smallest of `values` that at least `percent` of them do not exceed: no mean of two, always a
/// value that was seen. None of no values; `percent` above 0, at most 100.
pub fn percentile<T: Copy + PartialOrd>(sorted: &[T], percent: f64) -> Option<T> {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_is_taken() {
        // The example of Wikipedia's article on percentiles.
        let values = [15, 20, 35, 40, 50];
        let of = |percent| percentile(&values, percent);
        assert_eq!(of(5.0), Some(15));
        assert_eq!(of(30.0), Some(20));
        assert_eq!(of(40.0), Some(20));
        assert_eq!(of(50.0), Some(35));
        assert_eq!(of(100.0), Some(50));
        assert_eq!(percentile(&[7], 1.0), Some(7));
        assert_eq!(percentile::<u64>(&[], 50.0), None);
        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 95.0), Some(95));
    }
}
