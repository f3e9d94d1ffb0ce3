//! How many codewords a frame may use, and whether it is sent at all.

use std::time::Duration;

use raq_shared::codebook::MAX_CODEWORDS;
use raq_shared::units::Bitrate;
use raq_shared::video::FrameRate;

use crate::packetize::{PATH_OVERHEAD, Spreads};

/// Below this K̃ a frame says too little to be worth its datagrams.
const MIN_CODEWORDS: u16 = 2;
/// How long to wait at most for a frame to be paid for: the estimate may rise meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// What may wait in front of a frame before the frame is rather skipped: more is only delay.
const MAX_BACKLOG: Duration = Duration::from_millis(100);

/// How K̃ is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codewords {
    /// The largest K̃ whose frame fits the estimate.
    Automatic,
    /// Always this one, 1..=4096; less only where a frame would not fit its datagrams.
    Fixed(u16),
}

/// What the network carries, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// What it carries without building up delay.
    pub estimate: Bitrate,
    /// Bytes handed over before and not yet sent.
    pub queued: usize,
    /// The longest datagram that fits.
    pub max_datagram: usize,
}

/// Chooses K̃ frame by frame.
#[derive(Debug)]
pub struct RateControl {
    choice: Codewords,
    frame_rate: FrameRate,
    spreads: Spreads,
    max_payload: usize,
    /// Per K̃ − 1: bytes on the path, `None` where a frame does not fit its datagrams.
    costs: Vec<Option<u64>>,
    /// A frame dearer than its share was sent: none before this.
    not_before: Duration,
}

impl RateControl {
    /// For a codebook of `codewords` and datagrams with up to `max_payload` bytes of indices.
    pub fn new(
        choice: Codewords,
        codewords: usize,
        frame_rate: FrameRate,
        spreads: Spreads,
        max_payload: usize,
    ) -> Self {
        let costs = vec![None; codewords.min(MAX_CODEWORDS)];
        let mut control = Self {
            choice,
            frame_rate,
            spreads,
            max_payload,
            costs,
            not_before: Duration::ZERO,
        };
        control.price();
        control
    }

    /// Takes a new limit of the path for the bytes of indices in a datagram.
    pub fn set_max_payload(&mut self, max_payload: usize) {
        if max_payload != self.max_payload {
            self.max_payload = max_payload;
            self.price();
        }
    }

    fn price(&mut self) {
        let (spreads, max_payload) = (&mut self.spreads, self.max_payload);
        for (index, cost) in self.costs.iter_mut().enumerate() {
            let datagrams = spreads
                .datagrams(index + 1, max_payload)
                .map_or(0, usize::from);
            let len = spreads.frame_len(index + 1, max_payload);
            *cost = len.map(|len| (len + datagrams * PATH_OVERHEAD) as u64);
        }
    }

    /// Number of datagrams for a frame with this K̃, which [`RateControl::choose`] gave.
    pub fn datagrams(&mut self, codewords: u16) -> Option<u8> {
        self.spreads.datagrams(codewords.into(), self.max_payload)
    }

    /// K̃ for a frame that is ready at `now`; `None` when it is better skipped.
    pub fn choose(&mut self, now: Duration, path: &Path) -> Option<u16> {
        let interval = self.frame_rate.time_of(1);
        let drains_in = |bytes: u64| match path.estimate.bits_per_second() {
            0 => Duration::MAX,
            rate => Duration::from_micros(bytes.saturating_mul(8_000_000) / rate),
        };
        let backlog = match path.queued as u64 {
            0 => Duration::ZERO,
            queued => drains_in(queued),
        };
        if backlog > MAX_BACKLOG.max(2 * interval) || now < self.not_before {
            return None;
        }
        match self.choice {
            Codewords::Fixed(wanted) => self.largest(wanted, u64::MAX),
            Codewords::Automatic => {
                let budget = path.estimate.bytes_per_frame(self.frame_rate);
                let top = self.costs.len() as u16;
                if let Some(codewords) = self.largest(top, budget)
                    && codewords >= MIN_CODEWORDS.min(top)
                {
                    return Some(codewords);
                }
                // Fewer frames instead: this one, and none until it is paid for.
                let least = MIN_CODEWORDS.min(top);
                let cost = self.costs.get(usize::from(least) - 1).copied().flatten()?;
                if path.estimate == Bitrate::ZERO {
                    return None;
                }
                // Counted on from the moment it was due, not from the frame that came after it.
                let due = self.not_before.max(now.saturating_sub(interval));
                self.not_before = due.saturating_add(drains_in(cost).min(MAX_WAIT));
                Some(least)
            }
        }
    }

    /// The largest K̃ up to `most` whose frame costs at most `budget` bytes.
    fn largest(&self, most: u16, budget: u64) -> Option<u16> {
        let most = usize::from(most).min(self.costs.len());
        let fits = |cost: &Option<u64>| cost.is_some_and(|cost| cost <= budget);
        self.costs[..most]
            .iter()
            .rposition(fits)
            .map(|index| index as u16 + 1)
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::frame::FrameSize;

    use super::*;

    fn control(choice: Codewords) -> RateControl {
        let spreads = Spreads::new(FrameSize::new(640, 360).unwrap().grid());
        RateControl::new(choice, 4096, FrameRate::new(30, 1).unwrap(), spreads, 1150)
    }

    fn path(kilobits: u64) -> Path {
        let estimate = Bitrate::from_kilobits_per_second(kilobits);
        Path {
            estimate,
            queued: 0,
            max_datagram: 1162,
        }
    }

    #[test]
    fn the_largest_that_fits_is_taken() {
        let mut control = control(Codewords::Automatic);
        for kilobits in [150, 400, 800, 1200, 1500] {
            let chosen = control.choose(Duration::ZERO, &path(kilobits)).unwrap();
            let budget = kilobits * 1000 / 8 / 30;
            let cost = |codewords: u16| control.costs[usize::from(codewords) - 1].unwrap();
            assert!(cost(chosen) <= budget, "{kilobits} kbit/s: {chosen}");
            assert!((chosen + 1..=4096).all(|larger| cost(larger) > budget));
            assert!(chosen > 1);
        }
        assert_eq!(control.choose(Duration::ZERO, &path(100_000)), Some(4096));
    }

    #[test]
    fn costs_are_what_the_frame_takes_on_the_path() {
        let control = control(Codewords::Automatic);
        // 3840 indices of 12 bits in 8 datagrams of 480, each with its header and what is around.
        assert_eq!(control.costs[4095], Some(5760 + 8 * (12 + 64)));
    }

    #[test]
    fn a_narrow_path_gets_fewer_frames() {
        let mut control = control(Codewords::Automatic);
        // Two codewords take 556 bytes on the path: 40 kbit/s carry 9 of them a second.
        let sent = (0..300)
            .filter(|&number| {
                let now = FrameRate::new(30, 1).unwrap().time_of(number);
                control
                    .choose(now, &path(40))
                    .inspect(|&k| assert_eq!(k, 2))
                    .is_some()
            })
            .count();
        assert!((80..=95).contains(&sent), "{sent} of 300 frames in 10 s");
        assert_eq!(control.choose(Duration::from_secs(60), &path(0)), None);
    }

    #[test]
    fn a_backlog_skips_frames_with_any_choice() {
        for choice in [Codewords::Automatic, Codewords::Fixed(4096)] {
            let mut control = control(choice);
            let behind = |queued| Path {
                queued,
                ..path(800)
            };
            // 100 kbyte/s: 9 kbyte take 90 ms, 11 kbyte 110 ms.
            assert!(control.choose(Duration::ZERO, &behind(9_000)).is_some());
            assert_eq!(control.choose(Duration::ZERO, &behind(11_000)), None);
        }
    }

    #[test]
    fn a_fixed_choice_holds_unless_it_does_not_fit_its_datagrams() {
        let mut fixed = control(Codewords::Fixed(777));
        assert_eq!(fixed.choose(Duration::ZERO, &path(1)), Some(777));
        let spreads = Spreads::new(FrameSize::new(8192, 8192).unwrap().grid());
        let rate = FrameRate::new(30, 1).unwrap();
        let mut large = RateControl::new(Codewords::Fixed(4096), 4096, rate, spreads, 1150);
        let chosen = large.choose(Duration::ZERO, &path(1)).unwrap();
        assert!((2..4096).contains(&chosen));
        assert!(large.datagrams(chosen).is_some());
    }

    #[test]
    fn a_smaller_path_needs_more_datagrams() {
        let mut control = control(Codewords::Fixed(4096));
        assert_eq!(control.datagrams(4096), Some(8));
        control.set_max_payload(300);
        assert!(control.datagrams(4096).unwrap() >= 20);
    }
}
