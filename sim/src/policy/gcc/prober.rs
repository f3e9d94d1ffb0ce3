//! Short bursts at a given rate, to learn whether the link carries it.

use std::{collections::VecDeque, time::Duration};

use goog_cc::transport::{PacedPacketInfo, ProbeClusterConfig};
use raq_send::bandwidth::gcc::units;
use raq_shared::units::Bitrate;

/// Clusters that could not begin in this time are dropped (libwebrtc's `kProbeClusterTimeout`).
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes on the link of a padding datagram: those of the smallest that libwebrtc counts as a probe
/// and of raq's longest.
const PADDING: (u64, u64) = (264, 1214);

#[derive(Debug)]
struct Cluster {
    id: i32,
    rate: Bitrate,
    asked: Duration,
    least_bytes: u64,
    least_datagrams: u64,
    /// Bytes of a burst.
    burst: u64,
    began: Option<Duration>,
    bytes: u64,
    datagrams: u64,
}

impl Cluster {
    /// When everything up to `bytes` should have been sent.
    fn due(&self, bytes: u64) -> Option<Duration> {
        let seconds = bytes as f64 * 8.0 / self.rate.bits_per_second().max(1) as f64;
        Some(self.began? + Duration::from_secs_f64(seconds.min(1e6)))
    }

    fn padding(&self) -> u64 {
        self.burst.clamp(PADDING.0, PADDING.1)
    }
}

/// Sends probe clusters one after the other, as libwebrtc's `BitrateProber` and pacer do: media
/// that waits first, then padding; a cluster begins with a frame.
#[derive(Debug, Default)]
pub(super) struct Prober {
    clusters: VecDeque<Cluster>,
}

impl Prober {
    /// The controller wants this cluster sent.
    pub(super) fn add(&mut self, now: Duration, config: &ProbeClusterConfig) {
        let rate = units::bitrate(config.target_data_rate);
        let bytes_in =
            |time: Duration| (rate.bits_per_second() as f64 / 8.0 * time.as_secs_f64()) as u64;
        self.clusters.push_back(Cluster {
            id: config.id,
            rate,
            asked: now,
            least_bytes: bytes_in(units::duration(config.target_duration)).max(1),
            least_datagrams: u64::try_from(config.target_probe_count).unwrap_or(0).max(1),
            burst: bytes_in(2 * units::duration(config.min_probe_delta)),
            began: None,
            bytes: 0,
            datagrams: 0,
        });
    }

    /// A frame is there to begin with.
    pub(super) fn frame(&mut self, now: Duration) {
        self.clusters.retain(|cluster| {
            cluster.began.is_some() || now.saturating_sub(cluster.asked) <= TIMEOUT
        });
        if let Some(first) = self.clusters.front_mut() {
            first.began.get_or_insert(now);
        }
    }

    /// The cluster that is being sent.
    fn running(&self) -> Option<&Cluster> {
        self.clusters
            .front()
            .filter(|cluster| cluster.began.is_some())
    }

    /// The rate that is being probed.
    pub(super) fn rate(&self) -> Option<Bitrate> {
        self.running().map(|cluster| cluster.rate)
    }

    /// When a padding datagram is due. While media waits it has the time of one to go first.
    pub(super) fn due(&self, media_waits: bool) -> Option<Duration> {
        let cluster = self.running()?;
        let first = if media_waits { cluster.padding() } else { 0 };
        cluster.due(cluster.bytes + first)
    }

    /// The bytes of a padding datagram that is due.
    pub(super) fn padding(&self, now: Duration, media_waits: bool) -> Option<u32> {
        self.due(media_waits).filter(|&due| due <= now)?;
        self.running().map(|cluster| cluster.padding() as u32)
    }

    /// Counts a datagram; what the controller is to know of the cluster it belongs to, if any.
    pub(super) fn sent(&mut self, at: Duration, bytes: u32) -> PacedPacketInfo {
        let Some(cluster) = self
            .clusters
            .front_mut()
            .filter(|first| first.began.is_some())
        else {
            return PacedPacketInfo::default();
        };
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut info = PacedPacketInfo::new(
            cluster.id,
            whole(cluster.least_datagrams),
            whole(cluster.least_bytes),
        );
        info.send_bitrate = units::rate(cluster.rate);
        info.probe_cluster_bytes_sent = whole(cluster.bytes);
        cluster.bytes += u64::from(bytes);
        cluster.datagrams += 1;
        if cluster.bytes >= cluster.least_bytes && cluster.datagrams >= cluster.least_datagrams {
            self.clusters.pop_front();
            if let Some(next) = self.clusters.front_mut() {
                next.began = Some(at);
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use goog_cc::units::{DataRate, TimeDelta};

    use super::*;

    fn cluster(id: i32, kilobits: i64) -> ProbeClusterConfig {
        ProbeClusterConfig {
            id,
            target_data_rate: DataRate::from_kilobits_per_sec(kilobits),
            target_duration: TimeDelta::from_millis(15),
            target_probe_count: 5,
            ..Default::default()
        }
    }

    #[test]
    fn padding_is_spaced_at_the_rate_of_the_cluster() {
        let mut prober = Prober::default();
        prober.add(Duration::ZERO, &cluster(1, 2000));
        prober.add(Duration::ZERO, &cluster(2, 4000));
        assert_eq!(prober.due(false), None, "there was no frame yet");
        let start = Duration::from_secs(1);
        prober.frame(start);
        let mut sent = Vec::new();
        while let Some(at) = prober.due(false) {
            let bytes = prober.padding(at, false).unwrap();
            sent.push((prober.sent(at, bytes).probe_cluster_id, at, bytes));
        }
        for (id, rate) in [(1, 2e6), (2, 4e6)] {
            let cluster: Vec<_> = sent.iter().filter(|datagram| datagram.0 == id).collect();
            assert!(cluster.len() >= 5);
            let first = cluster[0];
            let last = cluster[cluster.len() - 1];
            let bytes: u32 = cluster.iter().map(|datagram| datagram.2).sum();
            assert!(f64::from(bytes) * 8.0 >= rate * 0.015, "{bytes}");
            let seen = f64::from(bytes - last.2) * 8.0 / (last.1 - first.1).as_secs_f64();
            assert!((seen / rate - 1.0).abs() < 0.01, "{seen}");
        }
        assert_eq!(
            prober.sent(start, 1000).probe_cluster_id,
            PacedPacketInfo::NOT_APROBE
        );
    }

    #[test]
    fn clusters_without_a_frame_run_out() {
        let mut prober = Prober::default();
        prober.add(Duration::ZERO, &cluster(1, 2000));
        prober.frame(Duration::from_secs(6));
        assert_eq!(prober.rate(), None);
    }

    #[test]
    fn a_cluster_at_no_rate_is_harmless() {
        let mut prober = Prober::default();
        prober.add(Duration::ZERO, &cluster(1, 0));
        prober.frame(Duration::ZERO);
        assert_eq!(prober.padding(Duration::ZERO, false), Some(264));
        prober.sent(Duration::ZERO, 264);
        assert!(prober.due(true).is_some());
    }
}
