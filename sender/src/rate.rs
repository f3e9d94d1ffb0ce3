//! How many bytes a frame may take, and whether it is sent at all.

use std::fmt;
use std::time::Duration;

use raq_shared::units::Bitrate;

use crate::frame_coder::Allowance;

/// What QUIC, UDP and IP add to a datagram, in bytes: short header, packet number, tag, frame
/// header; 8 and 20 to 40.
pub const PATH_OVERHEAD: usize = 64;
/// Below so many bytes a frame says too little to be worth a datagram.
const LEAST: usize = 120;
/// Bytes on the path of the smallest frame.
pub const LEAST_FRAME: usize = LEAST + PATH_OVERHEAD;
/// Most bytes per tile: more than an update can use.
pub const MOST_PER_TILE: usize = 512;
/// Most bytes of a frame: the header counts its datagrams in a byte, and tiles fill them unevenly.
const MOST: usize = 255 * 1000;
/// Share of the rate that frames take: what is left drains a queue.
const SHARE: f64 = 0.95;
/// Fewer bytes on the path are too few for a frame: rather fewer frames …
const USEFUL: f64 = 400.0;
/// … unless they would be further apart than this.
const LONGEST_GAP: Duration = Duration::from_millis(150);
/// While nothing comes back, frames are the least that is sent, so far apart …
const SILENT_GAP: Duration = Duration::from_millis(100);
/// … and after this time there are none.
const LONG_SILENCE: Duration = Duration::from_secs(2);
/// From so many frames that wait for the decoder on, every other frame is skipped.
const BACKLOG: u8 = 3;

/// What the network carries, as far as QUIC knows or others have decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Bytes handed over before and not yet sent.
    pub queued: usize,
    /// The longest datagram that fits.
    pub max_datagram: usize,
    /// What the frame may take, headers of the path included, where somebody else has decided that
    /// already; it then goes in as few datagrams as hold it, all at once.
    pub budget: Option<usize>,
}

/// What the estimator says of the path before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is to be sent so that the queue stays short.
    pub rate: Bitrate,
    /// Bytes on the path that may be added to those under way; less than none where too much is.
    pub room: i64,
    /// For how long nothing has come back, where something was awaited.
    pub silence: Duration,
    /// Frames that the receiver has and has not decoded.
    pub backlog: u8,
}

/// What kept a frame from taking more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Its share of the rate.
    Rate,
    /// What is under way.
    Room,
    /// The highest rate that the user allows.
    MaxRate,
    /// It could not use more.
    Picture,
    /// Somebody else has decided.
    Given,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::Room => "room",
            Self::MaxRate => "max-rate",
            Self::Picture => "picture",
            Self::Given => "given",
        })
    }
}

/// Why a frame is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Too much is under way.
    Room,
    /// The rate is too low for all frames.
    Rate,
    /// Nothing comes back.
    Silence,
    /// The receiver does not keep up with decoding.
    Backlog,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Room => "room",
            Self::Rate => "rate",
            Self::Silence => "silence",
            Self::Backlog => "backlog",
        })
    }
}

/// Bytes on the path for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Bytes, headers of the path included.
    pub bytes: usize,
    /// Why no more.
    pub limit: Limit,
    /// Bytes on the path beyond these that it carries as well, for parity.
    pub spare: usize,
}

/// Gives every frame its share of the rate, or less where much is under way. Where shares are too
/// small for frames, fewer are sent.
#[derive(Debug)]
pub struct RateControl {
    interval: Duration,
    max_rate: Option<Bitrate>,
    /// Most bytes of a frame.
    most: usize,
    /// When a frame was sent last.
    last: Option<Duration>,
    /// Whether the last frame was skipped for the decoder's sake.
    spared: bool,
}

impl RateControl {
    /// For pictures of `tiles` tiles, one every `interval`, and never more than `max_rate`.
    pub fn new(interval: Duration, tiles: usize, max_rate: Option<Bitrate>) -> Self {
        Self {
            interval,
            max_rate,
            most: (tiles * MOST_PER_TILE).clamp(LEAST, MOST),
            last: None,
            spared: false,
        }
    }

    /// What a frame that is ready at `now` may take.
    ///
    /// # Errors
    /// [`Skip`] where it is better skipped.
    pub fn share(
        &mut self,
        now: Duration,
        path: &Path,
        standing: &Standing,
    ) -> Result<Share, Skip> {
        if standing.silence > LONG_SILENCE {
            return Err(Skip::Silence);
        }
        if !standing.silence.is_zero() {
            // When the path is back, a picture is there, not just the news of it.
            let since = self
                .last
                .map_or(SILENT_GAP, |last| now.saturating_sub(last));
            return match since + self.interval / 2 < SILENT_GAP {
                true => Err(Skip::Silence),
                false => Ok(self.least(now)),
            };
        }
        self.spared = standing.backlog >= BACKLOG && !self.spared;
        if self.spared {
            return Err(Skip::Backlog);
        }
        let rate = standing.rate.scaled(SHARE);
        let capped = self.max_rate.filter(|&most| most < rate);
        let bytes_per_second = capped.unwrap_or(rate).bits_per_second() as f64 / 8.0;
        let mut share = bytes_per_second * self.interval.as_secs_f64();
        if share < USEFUL {
            let longest = LONGEST_GAP.max(self.interval);
            let since = self.last.map_or(longest, |last| now.saturating_sub(last));
            share = bytes_per_second * since.min(longest).as_secs_f64();
            // Timers and clocks are not exact: half a frame early is in time.
            if share < USEFUL && since + self.interval / 2 < LONGEST_GAP {
                return Err(Skip::Rate);
            }
            share = share.max(LEAST_FRAME as f64);
        }
        let room = standing.room.saturating_sub(path.queued as i64);
        let limit = match capped {
            _ if room < share as i64 => Limit::Room,
            Some(_) => Limit::MaxRate,
            None => Limit::Rate,
        };
        let bytes = (share as i64).min(room);
        if bytes < LEAST_FRAME as i64 {
            return Err(Skip::Room);
        }
        self.last = Some(now);
        let carried = rate.bits_per_second() as f64 / 8.0 * self.interval.as_secs_f64();
        let spare = (carried as i64).min(room) - bytes;
        Ok(Share {
            bytes: bytes as usize,
            limit,
            spare: usize::try_from(spare).unwrap_or(0),
        })
    }

    /// The least that is sent, where numbers would otherwise jump too far.
    pub fn least(&mut self, now: Duration) -> Share {
        self.last = Some(now);
        Share {
            bytes: LEAST_FRAME,
            limit: Limit::Room,
            spare: 0,
        }
    }

    /// An allowance that costs at most `bytes` on the path, in `count` datagrams where they hold it;
    /// `None` where that is not worth a frame.
    pub fn allowance(
        &self,
        bytes: usize,
        max_datagram: usize,
        count: Option<u8>,
    ) -> Option<Allowance> {
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
        let headers = usize::from(split(bytes).count) * PATH_OVERHEAD;
        let allowance = split(bytes.saturating_sub(headers).min(self.most));
        (allowance.bytes >= LEAST).then_some(allowance)
    }

    /// Whether an allowance is all that a picture can use.
    pub fn is_most(&self, allowance: &Allowance) -> bool {
        allowance.bytes == self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILES: usize = 240;
    const INTERVAL: Duration = Duration::from_nanos(33_333_333);

    fn control(max_rate: Option<u64>) -> RateControl {
        let max_rate = max_rate.map(Bitrate::from_kilobits_per_second);
        RateControl::new(INTERVAL, TILES, max_rate)
    }

    fn path() -> Path {
        Path {
            queued: 0,
            max_datagram: 1162,
            budget: None,
        }
    }

    fn standing(kilobits: u64) -> Standing {
        Standing {
            rate: Bitrate::from_kilobits_per_second(kilobits),
            room: i64::MAX,
            silence: Duration::ZERO,
            backlog: 0,
        }
    }

    /// Shares of ten seconds of frames.
    fn shares(control: &mut RateControl, standing: &Standing) -> Vec<Result<Share, Skip>> {
        let due = |number| number * INTERVAL;
        (0..300)
            .map(|n| control.share(due(n), &path(), standing))
            .collect()
    }

    fn kilobits(shares: &[Result<Share, Skip>]) -> (f64, usize) {
        let sent = shares.iter().flatten();
        let bytes: usize = sent.clone().map(|share| share.bytes).sum();
        (bytes as f64 * 8.0 / 10_000.0, sent.count())
    }

    #[test]
    fn frames_take_most_of_the_rate_and_no_more() {
        for rate in [110, 400, 1000, 3000] {
            let (sent, frames) = kilobits(&shares(&mut control(None), &standing(rate)));
            let share = sent / rate as f64;
            assert!((0.94..=0.951).contains(&share), "{rate}: {share}");
            assert_eq!(frames, 300, "{rate}");
        }
    }

    #[test]
    fn at_low_rates_there_are_fewer_frames_instead_of_smaller_ones() {
        for (rate, fps) in [(96, 15.0), (60, 15.0), (40, 10.0), (24, 7.5), (12, 6.0)] {
            let shares = shares(&mut control(None), &standing(rate));
            let (sent, frames) = kilobits(&shares);
            assert!(
                (frames as f64 / 10.0 - fps).abs() <= fps / 4.0,
                "{rate}: {frames}"
            );
            let least = if rate < 24 { 0.0 } else { 0.85 };
            let share = sent / (rate as f64).max(12.0 / 0.97);
            assert!((least..=0.97).contains(&share), "{rate}: {sent}");
            assert!(shares.contains(&Err(Skip::Rate)));
        }
    }

    #[test]
    fn what_a_frame_does_not_take_is_not_lost_at_any_frame_rate() {
        for (fps, rate) in [
            (30, 75),
            (90, 300),
            (120, 300),
            (240, 500),
            (15, 45),
            (60, 150),
            (4, 12),
            (2, 16),
        ] {
            let interval = Duration::from_secs(1) / fps;
            let mut control = RateControl::new(interval, TILES, None);
            let mut sent = 0;
            for frame in 0..10 * fps {
                let share = control.share(interval * frame, &path(), &standing(rate));
                sent += share.map_or(0, |share| share.bytes);
            }
            let share = sent as f64 * 8.0 / 10_000.0 / rate as f64;
            assert!((0.9..=0.97).contains(&share), "{fps} fps, {rate}: {share}");
        }
    }

    #[test]
    fn what_is_under_way_makes_a_frame_smaller_or_skips_it() {
        let mut control = control(None);
        let share = |room, queued, control: &mut RateControl| {
            let standing = Standing {
                room,
                ..standing(1000)
            };
            control.share(INTERVAL, &Path { queued, ..path() }, &standing)
        };
        let limited = share(2500, 500, &mut control).unwrap();
        assert_eq!((limited.bytes, limited.limit), (2000, Limit::Room));
        assert_eq!(share(600, 500, &mut control), Err(Skip::Room));
        assert_eq!(share(-5000, 0, &mut control), Err(Skip::Room));
    }

    #[test]
    fn while_nothing_comes_back_little_is_sent_and_then_nothing() {
        let silence = |millis| Standing {
            silence: Duration::from_millis(millis),
            room: -5000,
            ..standing(1000)
        };
        let (sent, frames) = kilobits(&shares(&mut control(None), &silence(300)));
        assert_eq!(frames, 100);
        assert!(sent < 15.0, "{sent}");
        let long = shares(&mut control(None), &silence(2001));
        assert!(long.iter().all(|share| *share == Err(Skip::Silence)));
    }

    #[test]
    fn a_slow_decoder_skips_frames() {
        let mut control = control(None);
        let slow = Standing {
            backlog: 9,
            ..standing(1000)
        };
        let shares = shares(&mut control, &slow);
        let skipped = shares.iter().filter(|share| **share == Err(Skip::Backlog));
        assert_eq!(skipped.count(), 150, "every other frame");
    }

    #[test]
    fn the_users_limit_is_kept() {
        let shares = shares(&mut control(Some(200)), &standing(5000));
        let (sent, _) = kilobits(&shares);
        assert!((198.0..=200.1).contains(&sent), "{sent}");
        assert_eq!(shares[5].unwrap().limit, Limit::MaxRate);
    }

    #[test]
    fn what_the_user_leaves_of_the_rate_is_spare() {
        let spare = |max_rate, room| {
            let standing = Standing {
                room,
                ..standing(1000)
            };
            let mut control = control(max_rate);
            control.share(Duration::ZERO, &path(), &standing).unwrap()
        };
        assert_eq!(spare(None, i64::MAX).spare, 0);
        // 950 kbit/s less 500, in a frame of a thirtieth of a second.
        assert_eq!(spare(Some(500), i64::MAX).spare, 3958 - 2083);
        assert_eq!(spare(Some(500), 3000).spare, 3000 - 2083);
        assert_eq!(spare(Some(500), 2000).spare, 0);
    }

    #[test]
    fn an_allowance_costs_no_more_than_its_share() {
        let control = control(None);
        for bytes in [183, 184, 1000, 5000, 100_000] {
            for count in [None, Some(1), Some(5), Some(12)] {
                let Some(allowance) = control.allowance(bytes, 1162, count) else {
                    assert!(bytes < 1000, "{bytes} in {count:?}");
                    continue;
                };
                let cost = allowance.bytes + usize::from(allowance.count) * PATH_OVERHEAD;
                assert!(cost <= bytes, "{cost} of {bytes} in {count:?}");
                assert!(usize::from(allowance.count) * allowance.datagram_bytes >= allowance.bytes);
            }
        }
        assert!(control.is_most(&control.allowance(1 << 30, 1162, None).unwrap()));
    }

    #[test]
    fn a_frame_never_needs_more_datagrams_than_can_be_counted() {
        let wide = RateControl::new(Duration::from_secs(1), 10_000, None);
        for max_datagram in [1162, 300] {
            let taken = wide.allowance(5_000_000, max_datagram, Some(1)).unwrap();
            let of = usize::from(taken.count);
            assert!(
                taken.bytes.div_ceil(of) <= taken.datagram_bytes,
                "{taken:?}"
            );
        }
    }

    #[test]
    fn a_smaller_path_needs_more_datagrams() {
        let allowance = control(None).allowance(4000, 300, None).unwrap();
        assert_eq!(allowance.datagram_bytes, 300);
        assert!(usize::from(allowance.count) * 300 >= allowance.bytes);
    }
}
