//! How many bytes a frame may take, and whether it is sent at all.

use std::time::Duration;

use raq_shared::units::Bitrate;
use raq_shared::video::FrameRate;

use crate::frame_coder::Allowance;

/// What QUIC, UDP and IP add to a datagram, in bytes: short header, packet number, tag, frame
/// header; 8 and 20 to 40.
pub const PATH_OVERHEAD: usize = 64;
/// Below so many bytes a frame says too little to be worth a datagram.
const LEAST: usize = 120;
/// Most bytes per tile: more than an update can use.
pub const MOST_PER_TILE: usize = 512;
/// Most bytes of a frame: the header counts its datagrams in a byte, and tiles fill them unevenly.
const MOST: usize = 255 * 1000;
/// What may wait in front of a frame before the frame is rather skipped: more is only delay.
const MAX_BACKLOG: Duration = Duration::from_millis(100);

/// What the network carries, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// What it carries without building up delay.
    pub estimate: Bitrate,
    /// Bytes handed over before and not yet sent.
    pub queued: usize,
    /// The longest datagram that fits.
    pub max_datagram: usize,
    /// What the frame may take, headers of the path included, where somebody else has decided that
    /// already; it then goes in as few datagrams as hold it. Otherwise it gets its share of the
    /// estimate.
    pub budget: Option<usize>,
}

/// Gives every frame its share of the estimate. What a frame leaves the next one may use, up to
/// one frame's worth; where a share is too small for a frame, fewer are sent.
#[derive(Debug)]
pub struct RateControl {
    frame_rate: FrameRate,
    max_rate: Option<Bitrate>,
    /// Most bytes of a frame.
    most: usize,
    /// Bytes that may be spent, headers of the path included.
    saved: f64,
    /// When bytes were added last.
    last: Option<Duration>,
}

impl RateControl {
    /// For pictures of `tiles` tiles, and never more than `max_rate`.
    pub fn new(frame_rate: FrameRate, tiles: usize, max_rate: Option<Bitrate>) -> Self {
        Self {
            frame_rate,
            max_rate,
            most: (tiles * MOST_PER_TILE).clamp(LEAST, MOST),
            saved: 0.0,
            last: None,
        }
    }

    /// What a frame that is ready at `now` may take; `None` when it is better skipped.
    pub fn allow(&mut self, now: Duration, path: &Path) -> Option<Allowance> {
        if let Some(budget) = path.budget {
            let allowance = self.within(budget, path.max_datagram, Some(1));
            return (allowance.bytes >= LEAST).then_some(allowance);
        }
        let interval = self.frame_rate.time_of(1);
        let capped = self.max_rate.map(|most| most.min(path.estimate));
        let estimate = capped.unwrap_or(path.estimate);
        let last = self.last.replace(now);
        let since = last.map_or(interval, |last| now.saturating_sub(last));
        let bytes_per_second = estimate.bits_per_second() as f64 / 8.0;
        let share = estimate.bytes_per_frame(self.frame_rate) as f64;
        let enough = 2.0 * share.max((LEAST + PATH_OVERHEAD) as f64);
        self.saved = (self.saved + bytes_per_second * since.as_secs_f64()).min(enough);
        let drains_in = path.queued as f64 / bytes_per_second;
        if path.queued > 0 && drains_in > MAX_BACKLOG.max(2 * interval).as_secs_f64() {
            return None;
        }
        let allowance = self.within(self.saved.max(0.0) as usize, path.max_datagram, None);
        if allowance.bytes < LEAST {
            return None;
        }
        self.saved -= cost(allowance.bytes, allowance.count);
        Some(allowance)
    }

    /// The least that is sent, where numbers would otherwise jump too far.
    pub fn least(&mut self, path: &Path) -> Allowance {
        let allowance = self.within(LEAST + PATH_OVERHEAD, path.max_datagram, None);
        self.saved -= cost(allowance.bytes, allowance.count);
        allowance
    }

    /// A frame that was allowed `allowance` took so many bytes.
    pub fn spent(&mut self, allowance: Allowance, bytes: usize, datagrams: u8) {
        self.saved += cost(allowance.bytes, allowance.count) - cost(bytes, datagrams);
    }

    /// An allowance that costs at most `room` on the path, in `count` datagrams where they hold it.
    fn within(&self, room: usize, max_datagram: usize, count: Option<u8>) -> Allowance {
        let split = |bytes: usize| {
            let mut allowance = Allowance::of(bytes, count);
            if max_datagram < allowance.datagram_bytes {
                allowance.datagram_bytes = max_datagram;
                allowance.bytes = bytes.min(usize::from(u8::MAX) * max_datagram);
                let needed = bytes.div_ceil(max_datagram.max(1)).min(u8::MAX.into());
                allowance.count = allowance.count.max(needed as u8);
            }
            allowance
        };
        let headers = usize::from(split(room).count) * PATH_OVERHEAD;
        split(room.saturating_sub(headers).min(self.most))
    }
}

/// Bytes on the path.
fn cost(bytes: usize, datagrams: u8) -> f64 {
    (bytes + usize::from(datagrams) * PATH_OVERHEAD) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILES: usize = 240;

    fn control(max_rate: Option<u64>) -> RateControl {
        let max_rate = max_rate.map(Bitrate::from_kilobits_per_second);
        RateControl::new(FrameRate::new(30, 1).unwrap(), TILES, max_rate)
    }

    fn path(kilobits: u64) -> Path {
        Path {
            estimate: Bitrate::from_kilobits_per_second(kilobits),
            queued: 0,
            max_datagram: 1162,
            budget: None,
        }
    }

    fn due(number: u64) -> Duration {
        FrameRate::new(30, 1).unwrap().time_of(number)
    }

    /// Bytes on the path of 300 frames that take all they may, and how many are sent.
    fn ten_seconds(control: &mut RateControl, path: &Path) -> (f64, usize) {
        let allowed = (0..300).filter_map(|number| control.allow(due(number), path));
        allowed.fold((0.0, 0), |(bytes, frames), a| {
            (bytes + cost(a.bytes, a.count), frames + 1)
        })
    }

    #[test]
    fn frames_fill_the_estimate_and_no_more() {
        for kilobits in [60, 150, 400, 1000, 3000] {
            let (bytes, frames) = ten_seconds(&mut control(None), &path(kilobits));
            let share = bytes * 8.0 / 10_000.0 / kilobits as f64;
            assert!((0.98..=1.01).contains(&share), "{kilobits}: {share}");
            assert_eq!(frames, 300, "{kilobits}");
        }
    }

    #[test]
    fn a_narrow_path_gets_fewer_frames() {
        let (bytes, frames) = ten_seconds(&mut control(None), &path(16));
        assert!((100..=112).contains(&frames), "{frames} of 300 frames");
        assert!(bytes <= 20_200.0, "{bytes}");
        assert_eq!(control(None).allow(due(1), &path(0)), None);
    }

    #[test]
    fn a_limit_is_kept() {
        let (bytes, _) = ten_seconds(&mut control(Some(100)), &path(5000));
        assert!((120_000.0..=126_000.0).contains(&bytes), "{bytes}");
    }

    #[test]
    fn what_is_left_goes_to_the_next_frame_but_not_to_all() {
        let mut control = control(None);
        let path = path(400);
        let first = control.allow(due(0), &path).unwrap();
        let mut last = first;
        for number in 1..20 {
            control.spent(last, 100, 1);
            last = control.allow(due(number), &path).unwrap();
            assert!(last.bytes > first.bytes, "frame {number}");
            assert!(last.bytes <= 2 * first.bytes + PATH_OVERHEAD);
        }
    }

    #[test]
    fn a_frame_never_takes_more_than_a_picture_is_worth() {
        let allowance = control(None).allow(due(0), &path(1_000_000)).unwrap();
        assert!(allowance.bytes <= TILES * MOST_PER_TILE);
        let fits = usize::from(allowance.count) * allowance.datagram_bytes;
        assert!(fits >= allowance.bytes);
    }

    #[test]
    fn a_frame_never_needs_more_datagrams_than_can_be_counted() {
        let mut wide = RateControl::new(FrameRate::new(1, 1).unwrap(), 10_000, None);
        for max_datagram in [1162, 300] {
            let path = Path {
                max_datagram,
                budget: Some(5_000_000),
                ..path(0)
            };
            let taken = wide.allow(due(0), &path).unwrap();
            let of = usize::from(taken.count);
            assert!(
                taken.bytes.div_ceil(of) <= taken.datagram_bytes,
                "{taken:?}"
            );
        }
    }

    #[test]
    fn a_backlog_skips_frames() {
        let mut control = control(None);
        let behind = |queued| Path {
            queued,
            ..path(800)
        };
        // 100 kbyte/s: 9 kbyte take 90 ms, 11 kbyte 110 ms.
        assert!(control.allow(due(0), &behind(9_000)).is_some());
        assert_eq!(control.allow(due(1), &behind(11_000)), None);
    }

    #[test]
    fn a_budget_is_taken_as_it_is() {
        let mut control = control(Some(100));
        for budget in [183, 184, 5000, 1000, 0] {
            let path = Path {
                budget: Some(budget),
                queued: 1 << 20,
                ..path(0)
            };
            let taken = control.allow(due(0), &path).map(|a| cost(a.bytes, a.count));
            assert_eq!(taken, (budget >= 184).then_some(budget as f64));
        }
    }

    #[test]
    fn a_smaller_path_needs_more_datagrams() {
        let narrow = Path {
            max_datagram: 300,
            ..path(1000)
        };
        let allowance = control(None).allow(due(0), &narrow).unwrap();
        assert_eq!(allowance.datagram_bytes, 300);
        assert!(usize::from(allowance.count) * 300 >= allowance.bytes);
    }
}
