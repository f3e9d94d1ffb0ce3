//! Loss by chance alone.

/// Loses each datagram with the same probability, whatever happened to the others; which ones
/// depends on the seed alone.
#[derive(Debug, Clone)]
pub struct RandomLoss {
    loss: f64,
    state: u64,
}

impl RandomLoss {
    /// Loses the share `loss`, 0 to 1, of what it is given.
    pub fn new(loss: f64, seed: u64) -> Self {
        Self { loss, state: seed }
    }

    /// Whether the next datagram arrives.
    pub fn carries(&mut self) -> bool {
        // SplitMix64 (Steele, Lea and Flood, 2014); the upper 53 bits make a number below 1.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64 >= self.loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(share: f64, seed: u64) -> Vec<bool> {
        let mut loss = RandomLoss::new(share, seed);
        (0..10_000).map(|_| loss.carries()).collect()
    }

    #[test]
    fn the_share_is_lost_and_the_seed_says_which() {
        for loss in [0.0, 0.03, 0.3, 1.0] {
            let lost = carried(loss, 7).iter().filter(|&&arrives| !arrives).count();
            assert!((lost as f64 / 1e4 - loss).abs() < 0.02, "{lost} for {loss}");
        }
        assert_eq!(carried(0.5, 1), carried(0.5, 1));
        assert_ne!(carried(0.5, 1), carried(0.5, 2));
    }
}
