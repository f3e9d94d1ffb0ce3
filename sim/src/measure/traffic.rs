//! How much was sent and delivered.

use super::{Supply, kbps, share};
use crate::record::{DatagramRow, Direction, PolicyRun, RunRecord};

/// Rates and shares of the own traffic; bytes have UDP and IP headers, but for the goodput.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Bytes delivered in the media direction over the sum per second of min(capacity, limit of the
    /// sources at work). Bytes that left the queue within the run count where they belong. Above 1
    /// where headers and padding exceed the source's limit.
    pub used_share: Option<f64>,
    /// Bytes delivered in the media direction over what the link could have carried, whatever the
    /// sources give.
    pub link_share: Option<f64>,
    /// Bytes offered in the media direction over what was usable.
    pub offered_share: Option<f64>,
    /// Bytes delivered in the media direction over the run, kbit/s.
    pub kbps: Option<f64>,
    /// The same for each flow.
    pub flow_kbps: Vec<f64>,
    /// Payload of frames delivered over the run, kbit/s; a frame counts as far as its datagrams
    /// arrived.
    pub goodput_kbps: Option<f64>,
    /// Bytes offered in the feedback's direction over the run, kbit/s.
    pub feedback_kbps: Option<f64>,
}

impl Traffic {
    /// Of all flows.
    pub fn of(run: &RunRecord, policy: &PolicyRun, supply: &Supply) -> Self {
        let end = run.duration_us;
        let usable = supply.usable_in_all();
        let flow = |flow| {
            let bytes = delivered(&policy.datagrams, 0..end, |row| row.flow == flow);
            kbps(bytes, end).unwrap_or(0.0)
        };
        let arrived = delivered(&policy.datagrams, 0..end, |_| true);
        let frames = policy.frames.iter().filter(|frame| frame.datagrams > 0);
        let payload = frames.map(|frame| {
            let whole = frame.arrived >= frame.datagrams;
            let share = f64::from(frame.arrived) / f64::from(frame.datagrams);
            frame.bytes as f64 * if whole { 1.0 } else { share }
        });
        Self {
            used_share: share(arrived as f64, usable),
            link_share: share(arrived as f64, supply.capacity(0..supply.bins()) as f64),
            offered_share: share(offered(&policy.datagrams, Direction::Down) as f64, usable),
            kbps: kbps(arrived, end),
            flow_kbps: (0..run.flows).map(flow).collect(),
            goodput_kbps: kbps(payload.sum::<f64>() as u64, end),
            feedback_kbps: kbps(offered(&policy.datagrams, Direction::Up), end),
        }
    }
}

/// Own bytes of the media direction that left the queue in a time and arrived.
pub fn delivered(
    datagrams: &[DatagramRow],
    time: std::ops::Range<u64>,
    wanted: impl Fn(&DatagramRow) -> bool,
) -> u64 {
    let own = datagrams
        .iter()
        .filter(|row| row.is_own() && row.direction == Direction::Down);
    let in_time = own.filter(|row| row.left_us.is_some_and(|left| time.contains(&left)));
    let arrived = in_time.filter(|row| row.arrived_us.is_some() && row.lost.is_none());
    arrived
        .filter(|row| wanted(row))
        .map(|row| u64::from(row.bytes))
        .sum()
}

fn offered(datagrams: &[DatagramRow], direction: Direction) -> u64 {
    let own = datagrams
        .iter()
        .filter(|row| row.is_own() && row.direction == direction);
    own.map(|row| u64::from(row.bytes)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Span, example};
    use super::*;
    use crate::record::{Kind, Loss};

    #[test]
    fn what_is_delivered_is_held_against_what_was_usable() {
        let (mut run, mut policy) = example::run(2);
        run.record.flows = 2;
        // 100 datagrams of 1250 bytes, half of what the link carries in two seconds.
        policy.datagrams = (0..100).map(|n| example::datagram(20_000 * n)).collect();
        policy.datagrams[0].lost = Some(Loss::Queue);
        policy.datagrams[0].left_us = None;
        policy.datagrams[1].lost = Some(Loss::Random);
        policy.datagrams[2].left_us = Some(2_000_000);
        policy.datagrams[3].kind = Kind::Cross;
        policy.datagrams[4].direction = Direction::Up;
        policy.datagrams[5].kind = Kind::Quic;
        policy.datagrams[6].flow = 1;
        policy.frames[0].datagrams = 4;
        let spans = Span::all(&run.record, &policy.frames);
        let traffic = Traffic::of(&run.record, &policy, &Supply::new(&run, &spans));
        assert_eq!(traffic.used_share, Some(95.0 / 200.0));
        assert_eq!(traffic.link_share, Some(95.0 / 200.0));
        assert_eq!(traffic.offered_share, Some(98.0 / 200.0));
        assert_eq!(traffic.kbps, Some(475.0));
        assert_eq!(traffic.flow_kbps, [470.0, 5.0]);
        assert_eq!(traffic.feedback_kbps, Some(5.0));
        // 49 frames of 1000 bytes and a quarter of one.
        assert_eq!(traffic.goodput_kbps, Some(197.0));
    }
}
