//! What those who watch are told of a session: the page and the window twice a second, all others every
//! interval.
//!
//! What the receiver sees, and what the sender's notes tell.

use std::time::Duration;

use raq_shared::frame::FrameSize;
use raq_shared::meter::{self, Known, Window};
use raq_shared::stats::FrameDecoded;
use raq_shared::tile::TileGrid;
use raq_shared::wire::note::Note;
use serde::Serialize;
use tokio::sync::watch;

/// How often there are new ones.
const PERIOD: Duration = Duration::from_millis(500);
/// The least delay is that of the last two stretches of so long.
const STRETCH: Duration = Duration::from_secs(15);
/// A capture time's unit, µs, and after how many µs it begins anew.
const UNIT: i64 = 100;
const WRAP: i64 = UNIT << 24;

/// Figures over half a second; what cannot be told of it is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// When it ended, milliseconds since 1970.
    pub(crate) unix_ms: u64,
    /// Frames shown a second, superseded ones not counted.
    pub(crate) fps: f64,
    /// What arrived, headers included, kbit/s.
    pub(crate) kbps: f64,
    /// What the path is taken to carry, kbit/s, as the sender noted it last.
    pub(crate) estimate_kbps: Option<f64>,
    /// What frames may take, kbit/s, likewise.
    pub(crate) target_kbps: Option<f64>,
    /// Quality level of the last frame, 0 to 96.
    pub(crate) level: Option<u8>,
    /// Codebook size K̃ of its stages: the least, the median, the most.
    pub(crate) codewords: Option<[u16; 3]>,
    /// QUIC's round trip, ms.
    pub(crate) rtt_ms: f64,
    /// From capture to being shown, median, above the least of the last half minute, ms: the two
    /// clocks are not the same.
    pub(crate) delay_ms: Option<f64>,
    /// Share of the datagrams of decoded frames that had not arrived, 0 to 1.
    pub(crate) loss: Option<f64>,
    /// Share of tiles that were never received and show their neighbours, 0 to 1.
    pub(crate) concealed: Option<f64>,
    /// Time in the decoder network, mean, ms.
    pub(crate) decode_ms: Option<f64>,
}

impl From<meter::Figures> for Figures {
    fn from(it: meter::Figures) -> Self {
        let codewords = [it.codewords_least, it.codewords_median, it.codewords_most];
        Self {
            unix_ms: it.unix_ms,
            fps: it.fps,
            kbps: it.kbps,
            estimate_kbps: it.estimate_kbps,
            target_kbps: it.target_kbps,
            level: it.level,
            codewords: it.level.map(|_| codewords.map(Option::unwrap_or_default)),
            rtt_ms: it.rtt_ms.unwrap_or_default(),
            delay_ms: it.delay_p50_ms,
            loss: it.loss,
            concealed: it.concealed,
            decode_ms: it.decode_ms,
        }
    }
}

/// Sums up what happens in a session. Times are since the session began.
#[derive(Debug)]
pub(crate) struct Gauge {
    watchers: watch::Sender<Figures>,
    /// How long the interval of all but the watchers is.
    interval: Duration,
    /// What the watchers are told.
    short: Window,
    /// What all others are.
    long: Window,
    /// Bytes that both know of.
    bytes: u64,
    /// The number after the last frame.
    next: u32,
    tiles: u32,
    least: Least,
}

/// What the connection and the session know of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Bytes of datagrams that have arrived since the session began.
    pub(crate) bytes: u64,
    /// QUIC's round trip.
    pub(crate) rtt: Duration,
    /// What the sender noted last.
    pub(crate) note: Option<Note>,
}

/// The least delay of late, µs.
#[derive(Debug, Default)]
struct Least {
    since: Duration,
    before: Option<i64>,
    now: Option<i64>,
}

impl Least {
    fn note(&mut self, now: Duration, delay: i64) {
        if now.saturating_sub(self.since) >= STRETCH {
            *self = Self {
                since: now,
                before: self.now,
                now: None,
            };
        }
        self.now = Some(self.now.map_or(delay, |least| least.min(delay)));
    }

    fn get(&self) -> Option<i64> {
        self.before.into_iter().chain(self.now).min()
    }
}

impl Gauge {
    /// One that tells `watchers`, and others every `interval`.
    pub(crate) fn new(watchers: watch::Sender<Figures>, interval: Duration) -> Self {
        Self {
            watchers,
            interval,
            short: Window::default(),
            long: Window::default(),
            bytes: 0,
            next: 0,
            tiles: 1,
            least: Least::default(),
        }
    }

    /// A session begins with frames of `size`; nothing is left of the one before.
    pub(crate) fn begin(&mut self, now: Duration, size: FrameSize) {
        self.short.begin(now);
        self.long.begin(now);
        self.bytes = 0;
        self.next = 0;
        self.tiles = TileGrid::of(size).tiles() as u32;
        self.least = Least::default();
    }

    /// A frame that was captured at `capture` (100 µs, 24 bits) was shown or gave way.
    pub(crate) fn shown(&mut self, now: Duration, capture: u32, record: &FrameDecoded) {
        let delay = (!record.superseded).then(|| {
            let raw = record.shown_unix_us as i64 - i64::from(capture) * UNIT;
            let near = self.least.get().unwrap_or(raw);
            let delay = near + (raw - near + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
            self.least.note(now, delay);
            delay
        });
        let missing = record.frame.saturating_sub(self.next);
        self.next = self.next.max(record.frame.saturating_add(1));
        for window in [&mut self.short, &mut self.long] {
            window.skipped(missing);
            window.decoded(record, self.tiles, delay);
        }
    }

    /// When [`Self::tell`] has something to tell.
    pub(crate) fn due(&self) -> Duration {
        let short = self.short.since() + PERIOD;
        short.min(self.long.since() + self.interval)
    }

    /// Tells the watchers at `now`, which is `unix` since 1970, if it is time. Gives what to tell all
    /// others, if it is time for that.
    pub(crate) fn tell(
        &mut self,
        now: Duration,
        unix: Duration,
        path: &Path,
    ) -> Option<meter::Figures> {
        let known = self.know(path);
        if now >= self.short.since() + PERIOD {
            let figures = self.short.close(now, unix, &known);
            self.watchers.send_replace(figures.into());
        }
        let due = now >= self.long.since() + self.interval;
        due.then(|| self.long.close(now, unix, &known))
    }

    /// The session is over: gives what was not told yet, if there is anything.
    pub(crate) fn finish(
        &mut self,
        now: Duration,
        unix: Duration,
        path: &Path,
    ) -> Option<meter::Figures> {
        let known = self.know(path);
        (!self.long.is_empty()).then(|| self.long.close(now, unix, &known))
    }

    fn know(&mut self, path: &Path) -> Known {
        let new = path.bytes.saturating_sub(self.bytes);
        self.bytes = path.bytes;
        self.short.arrived(new);
        self.long.arrived(new);
        Known {
            rtt: Some(path.rtt),
            loss: None,
            least_delay: self.least.get().unwrap_or_default(),
            note: path.note,
        }
    }
}

#[cfg(test)]
mod tests {
    use raq_shared::units::Bitrate;

    use super::*;

    fn frame(number: u32, shown_ms: u64) -> FrameDecoded {
        FrameDecoded {
            frame: number,
            arrived_unix_us: 0,
            shown_unix_us: 1000 * shown_ms,
            playout_wait_ms: 0.0,
            late: false,
            superseded: false,
            level: 40,
            codewords: vec![9, 1, 5],
            datagrams_received: 3,
            datagrams_expected: 4,
            concealed_tiles: 2,
            decode_ms: 6.0,
        }
    }

    /// A gauge for pictures of 8×4 tiles.
    fn gauge() -> (Gauge, watch::Receiver<Figures>) {
        let (sender, figures) = watch::channel(Figures::default());
        let mut gauge = Gauge::new(sender, Duration::from_secs(1));
        gauge.begin(Duration::ZERO, FrameSize::new(256, 128).unwrap());
        (gauge, figures)
    }

    fn path(bytes: u64) -> Path {
        Path {
            bytes,
            rtt: Duration::from_millis(30),
            note: Some(Note {
                estimate: Bitrate::from_kilobits_per_second(700),
                target: Bitrate::from_kilobits_per_second(350),
            }),
        }
    }

    fn tell(gauge: &mut Gauge, now_ms: u64, bytes: u64) -> Option<meter::Figures> {
        let time = Duration::from_millis;
        gauge.tell(time(now_ms), time(77), &path(bytes))
    }

    #[test]
    fn figures_are_those_of_the_last_half_second() {
        let (mut gauge, figures) = gauge();
        assert_eq!(gauge.due(), PERIOD);
        for number in 0..10 {
            // Captured every 50 ms, shown 7000 ms later by another clock, the odd ones 8 ms late.
            let shown = 7000 + 50 * u64::from(number) + 8 * u64::from(number % 2);
            let mut record = frame(number, shown);
            record.superseded = number == 4;
            let now = Duration::from_millis(50 * u64::from(number));
            gauge.shown(now, 500 * number, &record);
        }
        assert_eq!(tell(&mut gauge, 500, 12_500), None, "not yet");
        let expected = Figures {
            unix_ms: 77,
            fps: 18.0,
            kbps: 200.0,
            estimate_kbps: Some(700.0),
            target_kbps: Some(350.0),
            level: Some(40),
            codewords: Some([1, 5, 9]),
            rtt_ms: 30.0,
            delay_ms: Some(8.0),
            loss: Some(0.25),
            concealed: Some(2.0 / 32.0),
            decode_ms: Some(6.0),
        };
        assert_eq!(*figures.borrow(), expected);
        // Nothing comes any more.
        assert_eq!(gauge.due(), 2 * PERIOD);
        let second = tell(&mut gauge, 1000, 12_500).unwrap();
        let expected = Figures {
            unix_ms: 77,
            estimate_kbps: Some(700.0),
            target_kbps: Some(350.0),
            rtt_ms: 30.0,
            ..Figures::default()
        };
        assert_eq!(*figures.borrow(), expected);
        // The interval of a second has both halves.
        assert_eq!(
            (second.frames, second.skipped, second.bytes),
            (9, 1, 12_500)
        );
        assert_eq!((second.kbps, second.delay_p95_ms), (100.0, Some(8.0)));
        assert_eq!(second.loss, Some(0.25));
    }

    #[test]
    fn missing_frames_are_skipped_ones_and_the_end_tells_the_rest() {
        let (mut gauge, _figures) = gauge();
        for number in [2, 3, 7] {
            gauge.shown(Duration::ZERO, 0, &frame(number, 7000));
        }
        let time = Duration::from_millis;
        let rest = gauge.finish(time(200), time(77), &path(500)).unwrap();
        assert_eq!((rest.frames, rest.skipped, rest.bytes), (3, 5, 500));
        assert_eq!((rest.seconds, rest.fps), (0.2, 15.0));
        assert_eq!(gauge.finish(time(300), time(77), &path(500)), None);
    }

    #[test]
    fn delays_outlive_the_wrap_of_capture_times_and_old_ones_are_forgotten() {
        let (mut gauge, figures) = gauge();
        let wrap_ms = (WRAP / 1000) as u64;
        let mut show = |now_s, captured_ms: u64, delay_ms| {
            let record = frame(0, captured_ms + delay_ms);
            let capture = (captured_ms * 10 % (1 << 24)) as u32;
            gauge.shown(Duration::from_secs(now_s), capture, &record);
            let _ = tell(&mut gauge, 1000 * now_s, 0);
            figures.borrow().delay_ms.unwrap()
        };
        assert_eq!(show(1, wrap_ms - 10, 100), 0.0);
        assert_eq!(show(2, wrap_ms + 10, 125), 25.0);
        assert_eq!(show(17, wrap_ms + 20, 125), 25.0);
        assert_eq!(show(40, wrap_ms + 30, 125), 0.0);
    }
}
