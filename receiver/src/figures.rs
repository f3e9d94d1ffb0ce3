//! What those who watch are told of a session, twice a second.
//!
//! Only what the receiver knows: the sender's estimate and its target do not cross the network.

use std::time::Duration;

use raq_shared::frame::FrameSize;
use raq_shared::stats::FrameDecoded;
use raq_shared::tile::TileGrid;
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

/// Sums up what happens in a session. Times are since the session began.
#[derive(Debug)]
pub(crate) struct Gauge {
    watchers: watch::Sender<Figures>,
    since: Duration,
    bytes: u64,
    tiles: u32,
    least: Least,
    sums: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    frames: u32,
    shown: u32,
    received: u32,
    expected: u32,
    concealed: u64,
    decode_ms: f64,
    level: Option<u8>,
    codewords: Vec<u16>,
    /// µs, by clocks that are not the same.
    delays: Vec<i64>,
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
    /// One that tells `watchers`.
    pub(crate) fn new(watchers: watch::Sender<Figures>) -> Self {
        Self {
            watchers,
            since: Duration::ZERO,
            bytes: 0,
            tiles: 1,
            least: Least::default(),
            sums: Sums::default(),
        }
    }

    /// A session begins with frames of `size`; nothing is left of the one before.
    pub(crate) fn begin(&mut self, now: Duration, size: FrameSize) {
        self.since = now;
        self.bytes = 0;
        self.tiles = TileGrid::of(size).tiles() as u32;
        self.least = Least::default();
        self.sums = Sums::default();
    }

    /// A frame that was captured at `capture` (100 µs, 24 bits) was shown or gave way.
    pub(crate) fn shown(&mut self, now: Duration, capture: u32, record: &FrameDecoded) {
        let sums = &mut self.sums;
        sums.frames += 1;
        sums.received += u32::from(record.datagrams_received);
        sums.expected += u32::from(record.datagrams_expected);
        sums.concealed += u64::from(record.concealed_tiles);
        sums.decode_ms += record.decode_ms;
        sums.level = Some(record.level);
        sums.codewords.clear();
        sums.codewords.extend_from_slice(&record.codewords);
        sums.codewords.sort_unstable();
        if record.superseded {
            return;
        }
        sums.shown += 1;
        let raw = record.shown_unix_us as i64 - i64::from(capture) * UNIT;
        let near = self.least.get().unwrap_or(raw);
        let delay = near + (raw - near + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
        self.least.note(now, delay);
        sums.delays.push(delay);
    }

    /// When [`Self::tell`] has something to tell.
    pub(crate) fn due(&self) -> Duration {
        self.since + PERIOD
    }

    /// Tells the watchers at `now`, which is `unix` since 1970: `bytes` have arrived since the session
    /// began, and the round trip is `rtt`.
    pub(crate) fn tell(&mut self, now: Duration, unix: Duration, bytes: u64, rtt: Duration) {
        let seconds = now.saturating_sub(self.since).as_secs_f64().max(1e-3);
        let sums = &mut self.sums;
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let frames = f64::from(sums.frames);
        let middle = sums.delays.len() / 2;
        let least = self.least.get();
        let delay = (!sums.delays.is_empty()).then(|| *sums.delays.select_nth_unstable(middle).1);
        let codewords = match sums.codewords.as_slice() {
            [] => None,
            [least, .., most] => Some([*least, sums.codewords[sums.codewords.len() / 2], *most]),
            [only] => Some([*only; 3]),
        };
        self.watchers.send_replace(Figures {
            unix_ms: unix.as_millis() as u64,
            fps: f64::from(sums.shown) / seconds,
            kbps: bytes.saturating_sub(self.bytes) as f64 * 8e-3 / seconds,
            level: sums.level,
            codewords,
            rtt_ms: rtt.as_secs_f64() * 1e3,
            delay_ms: delay
                .zip(least)
                .map(|(it, least)| (it - least) as f64 / 1e3),
            loss: share(
                f64::from(sums.expected.saturating_sub(sums.received)),
                f64::from(sums.expected),
            ),
            concealed: share(sums.concealed as f64, frames * f64::from(self.tiles)),
            decode_ms: share(sums.decode_ms, frames),
        });
        let (mut codewords, mut delays) = (
            std::mem::take(&mut sums.codewords),
            std::mem::take(&mut sums.delays),
        );
        codewords.clear();
        delays.clear();
        self.sums = Sums {
            codewords,
            delays,
            ..Sums::default()
        };
        self.since = now;
        self.bytes = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u32, shown_ms: u64) -> FrameDecoded {
        FrameDecoded {
            frame: number,
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
        let mut gauge = Gauge::new(sender);
        gauge.begin(Duration::ZERO, FrameSize::new(256, 128).unwrap());
        (gauge, figures)
    }

    fn tell(gauge: &mut Gauge, now_ms: u64, bytes: u64) {
        let time = Duration::from_millis;
        gauge.tell(time(now_ms), time(77), bytes, time(30));
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
        tell(&mut gauge, 500, 12_500);
        let expected = Figures {
            unix_ms: 77,
            fps: 18.0,
            kbps: 200.0,
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
        tell(&mut gauge, 1000, 12_500);
        let expected = Figures {
            unix_ms: 77,
            rtt_ms: 30.0,
            ..Figures::default()
        };
        assert_eq!(*figures.borrow(), expected);
    }

    #[test]
    fn delays_outlive_the_wrap_of_capture_times_and_old_ones_are_forgotten() {
        let (mut gauge, figures) = gauge();
        let wrap_ms = (WRAP / 1000) as u64;
        let mut show = |now_s, captured_ms: u64, delay_ms| {
            let record = frame(0, captured_ms + delay_ms);
            let capture = (captured_ms * 10 % (1 << 24)) as u32;
            gauge.shown(Duration::from_secs(now_s), capture, &record);
            tell(&mut gauge, 1000 * now_s, 0);
            figures.borrow().delay_ms.unwrap()
        };
        assert_eq!(show(1, wrap_ms - 10, 100), 0.0);
        assert_eq!(show(2, wrap_ms + 10, 125), 25.0);
        assert_eq!(show(17, wrap_ms + 20, 125), 25.0);
        assert_eq!(show(40, wrap_ms + 30, 125), 0.0);
    }
}
