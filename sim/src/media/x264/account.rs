//! What frames may take, smoothed, and what they took.

/// How fast the smoothed allowance follows: an eighth of a second at 30 frames a second.
const FOLLOWS: f64 = 0.25;
/// A frame may be so many times as large as it should: rate control is not exact, and key frames
/// are large.
const LARGEST: f64 = 3.0;

/// The rate control of an encoder that can only choose among sizes.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Nobody else counts what frames leave and what they take too much.
    keeps: bool,
    /// Bytes that were left, or taken too much where negative.
    credit: f64,
    /// Smoothed allowances.
    mean: Option<f64>,
    /// What the frame at hand should take at most.
    available: f64,
}

impl Account {
    /// Whether what frames leave or take too much is counted here.
    pub(super) fn keep(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// A frame may take `bytes`. What it had best take: the size, and the largest allowed; none
    /// where earlier frames have taken that already.
    pub(super) fn allow(&mut self, bytes: usize) -> Option<(f64, f64)> {
        let bytes = bytes as f64;
        let mean = self.mean.get_or_insert(bytes);
        *mean += FOLLOWS * (bytes - *mean);
        self.available = bytes + self.credit;
        if self.available <= 0.0 {
            self.credit = self.available;
            return None;
        }
        Some((*mean + self.credit, LARGEST * self.available))
    }

    /// The frame at hand took so much.
    pub(super) fn spend(&mut self, bytes: usize) {
        if self.keeps {
            let most = self.mean.unwrap_or(0.0);
            self.credit = (self.available - bytes as f64).min(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 4] = [400, 700, 1200, 2000];

    /// The largest size that fits.
    fn choose(account: &mut Account, may: usize) -> usize {
        let Some((best, largest)) = account.allow(may) else {
            return 0;
        };
        let fits = |&&size: &&usize| size as f64 <= best.min(largest);
        let size = *SIZES.iter().rfind(fits).unwrap_or(&SIZES[0]);
        account.spend(size);
        size
    }

    #[test]
    fn sizes_average_to_what_is_allowed() {
        let mut account = Account::default();
        account.keep(true);
        for may in [1000, 1500, 500] {
            let total: usize = (0..200).map(|_| choose(&mut account, may)).sum();
            let mean = total as f64 / 200.0;
            assert!((mean / may as f64 - 1.0).abs() < 0.03, "{may}: {mean}");
        }
    }

    #[test]
    fn what_was_taken_too_much_is_repaid() {
        let mut account = Account::default();
        account.keep(true);
        assert_eq!(account.allow(1000), Some((1000.0, 3000.0)));
        account.spend(3000);
        let after: Vec<_> = (0..4).map(|_| choose(&mut account, 1000)).collect();
        assert_eq!(after[..2], [0, 0]);
        assert!(after[2] > 0);
    }

    #[test]
    fn where_the_session_counts_nothing_is_counted_twice() {
        let mut account = Account::default();
        account.allow(1000);
        account.spend(3000);
        assert_eq!(account.allow(1000), Some((1000.0, 3000.0)));
    }
}
