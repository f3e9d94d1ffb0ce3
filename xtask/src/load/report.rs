//! The table.

use std::fmt;

use super::peer::Peer;

/// Its first lines.
pub(super) const HEAD: &str = "\
| senders | frames decoded | of those sent, the least | the most left out by a sender | fairness | p95 capture to picture, ms, median and worst | one more | raq-recv CPU | its memory, MiB |
|---|---|---|---|---|---|---|---|---|";

/// What a run showed.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) peers: Vec<Peer>,
    /// The exit code of one sender too many.
    pub(super) refused: i32,
    /// Processor time of raq-recv by time on the clock.
    pub(super) cpu: f64,
    pub(super) mebibytes: f64,
}

impl Load {
    /// The least part that any stream kept of the frames that were sent.
    pub(super) fn least_kept(&self) -> f64 {
        self.peers.iter().map(Peer::kept).fold(1.0, f64::min)
    }

    /// Jain's index of frames decoded (ACM TR-301, 1984): 1 where all have the same.
    fn fairness(&self) -> f64 {
        let shares = self.peers.iter().map(|peer| peer.decoded as f64);
        let (sum, squares) = shares.fold((0.0, 0.0), |(sum, squares), share| {
            (sum + share, squares + share * share)
        });
        sum * sum / (self.peers.len() as f64 * squares)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decoded: usize = self.peers.iter().map(|peer| peer.decoded).sum();
        let left_out = self.peers.iter().map(|peer| peer.skipped).max();
        let delays = self.peers.iter().filter_map(|peer| peer.delay_ms);
        let mut delays: Vec<f64> = delays.map(|delay| delay.p95).collect();
        delays.sort_by(f64::total_cmp);
        let median = delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN);
        write!(
            f,
            "| {} | {decoded} | {:.1} % | {} | {:.3} | {median:.0}, {:.0} | exit {} | {:.0} % | {:.0} |",
            self.peers.len(),
            100.0 * self.least_kept(),
            left_out.unwrap_or(0),
            self.fairness(),
            delays.last().copied().unwrap_or(f64::NAN),
            self.refused,
            100.0 * self.cpu,
            self.mebibytes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delay::Delay;

    #[test]
    fn the_worst_stream_counts() {
        let peer = |decoded: usize, p95: f64| Peer {
            sent: 100,
            skipped: 100 - decoded as u32,
            decoded,
            delay_ms: Some(Delay { p50: 1.0, p95 }),
        };
        let load = Load {
            peers: vec![peer(100, 20.0), peer(50, 80.0), peer(90, 30.0)],
            refused: 3,
            cpu: 0.25,
            mebibytes: 99.6,
        };
        assert_eq!(load.least_kept(), 0.5);
        let line = "| 3 | 240 | 50.0 % | 50 | 0.932 | 30, 80 | exit 3 | 25 % | 100 |";
        assert_eq!(load.to_string(), line);
    }
}
