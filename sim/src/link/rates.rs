//! A rate that is constant in pieces, for ever or in a loop.

use std::sync::Arc;

/// Pieces of constant rate. Times are nanoseconds since the start; amounts are bits times 10⁹, so
/// that nothing is rounded.
#[derive(Debug, Clone)]
pub(super) struct Rates(Arc<Pieces>);

#[derive(Debug)]
struct Pieces {
    /// Where each piece begins; the first at 0.
    starts: Vec<u64>,
    /// Bits per second.
    rates: Vec<u64>,
    /// What was carried before each piece.
    before: Vec<u128>,
    /// After what time it begins anew, and what is carried in it.
    round: Option<(u64, u128)>,
}

impl Rates {
    /// Pieces as (beginning, bits per second), the first at 0 and each after the one before. With
    /// a `length`, beyond the last beginning, they are repeated; without one, the last piece goes
    /// on for ever. None where nothing would ever be carried from some moment on.
    pub(super) fn new(pieces: &[(u64, u64)], length: Option<u64>) -> Option<Self> {
        let mut before = Vec::with_capacity(pieces.len());
        let mut amount = 0u128;
        for (piece, &(start, rate)) in pieces.iter().enumerate() {
            before.push(amount);
            let end = pieces.get(piece + 1).map(|next| next.0).or(length);
            let time = end.map_or(0, |end| end.saturating_sub(start));
            amount += u128::from(time) * u128::from(rate);
        }
        let goes_on = match length {
            Some(_) => amount > 0,
            None => pieces.last().is_some_and(|&(_, rate)| rate > 0),
        };
        goes_on.then(|| {
            Self(Arc::new(Pieces {
                starts: pieces.iter().map(|piece| piece.0).collect(),
                rates: pieces.iter().map(|piece| piece.1).collect(),
                before,
                round: length.map(|length| (length, amount)),
            }))
        })
    }

    /// Which piece holds at this moment, how long it is past its beginning, and what was carried
    /// in the rounds before.
    fn piece(&self, at: u64) -> (usize, u64, u128) {
        let pieces = &*self.0;
        let (at, rounds) = match pieces.round {
            Some((length, amount)) => (at % length, u128::from(at / length) * amount),
            None => (at, 0),
        };
        let piece = pieces.starts.partition_point(|&start| start <= at) - 1;
        (piece, at - pieces.starts[piece], rounds)
    }

    /// Bits per second at this moment.
    pub(super) fn at(&self, at: u64) -> u64 {
        self.0.rates[self.piece(at).0]
    }

    /// The last rate up to this moment that was not 0; 0 if there was none.
    pub(super) fn last_at(&self, at: u64) -> u64 {
        let (piece, _, carried) = self.piece(at);
        let rates = &self.0.rates;
        let in_order = rates[..=piece].iter().rev();
        // What was carried in earlier rounds was carried by some piece.
        let earlier = rates.iter().rev().filter(|_| carried > 0);
        in_order
            .chain(earlier)
            .copied()
            .find(|&rate| rate > 0)
            .unwrap_or(0)
    }

    /// What is carried before this moment.
    pub(super) fn amount(&self, at: u64) -> u128 {
        let (piece, past, rounds) = self.piece(at);
        let since = u128::from(past) * u128::from(self.0.rates[piece]);
        rounds + self.0.before[piece] + since
    }

    /// The first moment before which `amount` is carried.
    pub(super) fn time_of(&self, amount: u128) -> u64 {
        let pieces = &*self.0;
        let (amount, begun) = match pieces.round {
            Some((length, each)) => {
                let rounds = amount.saturating_sub(1) / each;
                let begun = u64::try_from(rounds)
                    .unwrap_or(u64::MAX)
                    .saturating_mul(length);
                (amount - rounds * each, begun)
            }
            None => (amount, 0),
        };
        // The last piece before which less was carried: in it, the rate is not 0.
        let piece = pieces
            .before
            .partition_point(|&before| before < amount)
            .max(1)
            - 1;
        let missing = amount - pieces.before[piece];
        let time = match u128::from(pieces.rates[piece]) {
            0 => 0,
            rate => u64::try_from(missing.div_ceil(rate)).unwrap_or(u64::MAX),
        };
        begun
            .saturating_add(pieces.starts[piece])
            .saturating_add(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn amounts_and_times_are_inverse() {
        let pieces = [(0, 0), (SECOND, 1000), (2 * SECOND, 0), (3 * SECOND, 500)];
        let bit = u128::from(SECOND);
        for length in [None, Some(4 * SECOND)] {
            let rates = Rates::new(&pieces, length).unwrap();
            assert_eq!(rates.amount(SECOND + SECOND / 2), 500 * bit);
            assert_eq!(rates.amount(3 * SECOND), 1000 * bit);
            assert_eq!(rates.time_of(1), SECOND + 1);
            assert_eq!(rates.time_of(500 * bit), SECOND + SECOND / 2);
            assert_eq!(rates.time_of(1000 * bit), 2 * SECOND);
            assert_eq!(rates.time_of(1001 * bit), 3 * SECOND + SECOND / 500);
            assert_eq!(rates.at(2 * SECOND), 0);
            assert_eq!(rates.last_at(2 * SECOND), 1000);
            assert_eq!(rates.last_at(SECOND - 1), 0);
        }
        let looped = Rates::new(&pieces, Some(4 * SECOND)).unwrap();
        assert_eq!(looped.time_of(1500 * bit), 4 * SECOND);
        assert_eq!(looped.time_of(1501 * bit), 5 * SECOND + SECOND / 1000);
        assert_eq!(looped.amount(9 * SECOND), 3000 * bit);
        assert_eq!(looped.last_at(4 * SECOND), 500);
    }

    #[test]
    fn what_never_carries_anything_is_no_link() {
        assert!(Rates::new(&[(0, 0)], None).is_none());
        assert!(Rates::new(&[(0, 5), (1, 0)], None).is_none());
        assert!(Rates::new(&[(0, 5), (1, 0)], Some(2)).is_some());
        assert!(Rates::new(&[(0, 0)], Some(2)).is_none());
    }
}
