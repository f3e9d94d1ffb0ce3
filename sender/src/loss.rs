//! How many datagrams get lost, as the receiver's reports tell.

use raq_shared::tile::scene::Arrivals;

use crate::mirror::Trust;

/// Datagrams over which the mean runs.
const MEMORY: f64 = 100.0;
/// The share of lost datagrams from which on updates build on what is proven alone.
const TOO_MANY: f64 = 0.03;

/// A running mean of the share of datagrams that get lost; 0 before the first report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loss {
    share: f64,
}

impl Loss {
    /// Learns that of a frame's `count` datagrams these arrived.
    pub fn note(&mut self, count: u8, arrived: &Arrivals) {
        for index in 0..count {
            let lost = if arrived.contains(index) { 0.0 } else { 1.0 };
            self.share += (lost - self.share) / MEMORY;
        }
    }

    /// The share lost, 0 to 1.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// What the next frame should build on.
    pub fn trust(&self) -> Trust {
        if self.share < TOO_MANY {
            Trust::Hope
        } else {
            Trust::Prove
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_follows_the_loss() {
        let mut loss = Loss::default();
        assert_eq!(loss.trust(), Trust::Hope);
        let (mut all, mut half) = (Arrivals::default(), Arrivals::default());
        for index in 0..4 {
            all.insert(index);
        }
        half.insert(1);
        half.insert(3);
        loss.note(4, &half);
        assert_eq!(loss.trust(), Trust::Hope, "two lost ones may be chance");
        for _ in 0..100 {
            loss.note(4, &half);
        }
        assert!((loss.share() - 0.5).abs() < 0.02);
        assert_eq!(loss.trust(), Trust::Prove);
        for _ in 0..100 {
            loss.note(4, &all);
        }
        assert_eq!(loss.trust(), Trust::Hope);
    }
}
