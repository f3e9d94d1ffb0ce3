//! Symbol frequencies in whole numbers, exactly alike on every machine.

use constriction::stream::model::ContiguousCategoricalEntropyModel;

/// Probabilities are multiples of 2^−16.
pub const PRECISION: usize = 16;

/// The entropy model of one alphabet.
pub(super) type Model = ContiguousCategoricalEntropyModel<u16, Vec<u16>, PRECISION>;

/// A static alphabet: what its symbols cost, and the model that codes them.
#[derive(Debug, Clone)]
pub struct Frequencies {
    bits: Vec<f32>,
    /// None for an alphabet of one symbol, which takes no bits.
    model: Option<Model>,
}

impl Frequencies {
    /// From counts, at least one of them: symbol i of n gets
    /// 1 + ⌊countᵢ · (2^16 − n) / Σ count⌋ of 2^16; what is left over goes to the first of the most
    /// frequent symbols. Counts that are all zero mean equal frequencies.
    ///
    /// # Panics
    /// Without counts, or with more than 2^15.
    pub fn new(counts: &[u32]) -> Self {
        let size = counts.len();
        assert!((1..=1 << 15).contains(&size), "{size} symbols");
        if size == 1 {
            let (bits, model) = (vec![0.0], None);
            return Self { bits, model };
        }
        let even = vec![1; size];
        let total: u64 = counts.iter().map(|&c| u64::from(c)).sum();
        let (counts, total) = match total {
            0 => (&even[..], size as u64),
            total => (counts, total),
        };
        let spread = (1u64 << PRECISION) - size as u64;
        let mut shares: Vec<u64> = counts
            .iter()
            .map(|&count| 1 + u64::from(count) * spread / total)
            .collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        let first = counts.iter().position(|&c| c == most).unwrap_or(0);
        shares[first] += (1 << PRECISION) - shares.iter().sum::<u64>();
        let whole = (1u64 << PRECISION) as f32;
        let bits = shares.iter().map(|&s| (whole / s as f32).log2()).collect();
        let shares = shares.iter().map(|&s| s as u16);
        let model = Model::from_nonzero_fixed_point_probabilities(shares, false)
            .expect("positive shares with the right sum");
        let model = Some(model);
        Self { bits, model }
    }

    /// Number of symbols.
    pub fn size(&self) -> usize {
        self.bits.len()
    }

    /// What a symbol costs, in bits.
    ///
    /// # Panics
    /// When there is no such symbol.
    pub fn bits(&self, symbol: usize) -> f32 {
        self.bits[symbol]
    }

    pub(super) fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use constriction::stream::model::IterableEntropyModel;

    fn shares(counts: &[u32]) -> Vec<u16> {
        let frequencies = Frequencies::new(counts);
        let model = frequencies.model().unwrap();
        model.symbol_table().map(|(_, _, p)| p.get()).collect()
    }

    #[test]
    fn shares_follow_the_rule() {
        assert_eq!(shares(&[0, 0]), [32768, 32768]);
        assert_eq!(shares(&[1, 0]), [65535, 1]);
        // 65533 spread: 1 + 21844, 1 + 43688 and what rounding left.
        assert_eq!(shares(&[1, 2, 0]), [21845, 43690, 1]);
        assert_eq!(shares(&[u32::MAX, u32::MAX, 7]), [32768, 32767, 1]);
        assert_eq!(Frequencies::new(&[9]).bits(0), 0.0);
    }

    #[test]
    fn costs_are_those_of_the_shares() {
        let frequencies = Frequencies::new(&[1, 1, 2]);
        let whole: f32 = (0..3).map(|s| (-frequencies.bits(s)).exp2()).sum();
        assert!((whole - 1.0).abs() < 1e-4);
        assert!((frequencies.bits(2) - 1.0).abs() < 1e-3);
    }
}
