//! How many datagrams get lost, as the receiver's reports tell.

use raq_shared::tile::scene::Arrivals;

/// Datagrams over which the mean runs.
const MEMORY: f64 = 100.0;
/// As many datagrams are taken to have arrived before the first report.
const PRIOR: f64 = 12.0;

/// A running mean of the share of datagrams that get lost; 0 before the first report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loss {
    share: f64,
    /// Datagrams heard of, and so many more taken for arrived; at most [`MEMORY`].
    heard: f64,
}

impl Loss {
    /// Learns that of a frame's `count` datagrams these arrived.
    pub fn note(&mut self, count: u8, arrived: &Arrivals) {
        for index in 0..count {
            let lost = if arrived.contains(index) { 0.0 } else { 1.0 };
            self.heard = (self.heard + 1.0).clamp(PRIOR, MEMORY);
            self.share += (lost - self.share) / self.heard;
        }
    }

    /// The share lost, 0 to 1.
    pub fn share(&self) -> f64 {
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_follows_the_loss() {
        let mut loss = Loss::default();
        let (mut all, mut half) = (Arrivals::default(), Arrivals::default());
        for index in 0..4 {
            all.insert(index);
        }
        half.insert(1);
        half.insert(3);
        loss.note(4, &all);
        assert_eq!(loss.share(), 0.0, "nothing was ever lost");
        loss.note(4, &half);
        let early = loss.share();
        assert!(
            early > 0.08 && early < 0.25,
            "two lost ones are a hint: {early}"
        );
        for _ in 0..100 {
            loss.note(4, &half);
        }
        assert!((loss.share() - 0.5).abs() < 0.02);
        for _ in 0..100 {
            loss.note(4, &all);
        }
        assert!(loss.share() < 0.02);
    }
}
