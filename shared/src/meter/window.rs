//! Sums over an interval.

use std::time::Duration;

use super::Figures;
use crate::stats::{FrameDecoded, FrameSent, FrameSkipped};
use crate::units::Bitrate;
use crate::wire::note::Note;

/// What is known at the end of an interval that no frame tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// QUIC's round trip.
    pub rtt: Option<Duration>,
    /// Share of datagrams lost, 0 to 1, where frames do not tell.
    pub loss: Option<f64>,
    /// What delays are told above, µs.
    pub least_delay: i64,
    /// What the sender noted last, where this end does not see it itself.
    pub note: Option<Note>,
}

/// Sums up records until it is closed, and begins anew. Times are since any fixed moment.
#[derive(Debug, Default)]
pub struct Window {
    since: Duration,
    sums: Sums,
    /// K̃ of the last frame, sorted.
    codewords: Vec<u16>,
    /// µs.
    delays: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    frames: u32,
    skipped: u32,
    bytes: u64,
    budget: Option<u64>,
    estimate_kbps: Option<f64>,
    level: Option<u8>,
    decoded: u32,
    decode_ms: f64,
    datagrams_received: u64,
    datagrams_expected: u64,
    concealed: u64,
    tiles: u64,
}

impl Window {
    /// Begins at `now`; nothing is left of what was before.
    pub fn begin(&mut self, now: Duration) {
        self.since = now;
        self.sums = Sums::default();
        self.codewords.clear();
        self.delays.clear();
    }

    /// When it began.
    pub fn since(&self) -> Duration {
        self.since
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        let Sums {
            frames,
            skipped,
            bytes,
            decoded,
            ..
        } = self.sums;
        (frames, skipped, bytes, decoded) == (0, 0, 0, 0)
    }

    /// A frame has left.
    pub fn sent(&mut self, frame: &FrameSent) {
        let sums = &mut self.sums;
        sums.frames += 1;
        sums.bytes += frame.bytes;
        *sums.budget.get_or_insert(0) += frame.budget;
        sums.estimate_kbps = Some(frame.estimate_kbps);
        self.looked(frame.level, &frame.codewords);
        let delay = frame.sent_unix_us as i64 - frame.capture_unix_us as i64;
        self.delays.push(delay);
    }

    /// A frame was not sent; [`Self::skipped`] counts it.
    pub fn not_sent(&mut self, frame: &FrameSkipped) {
        self.sums.estimate_kbps = Some(frame.estimate_kbps);
    }

    /// Frames were not sent, or have not arrived.
    pub fn skipped(&mut self, frames: u32) {
        self.sums.skipped = self.sums.skipped.saturating_add(frames);
    }

    /// A frame of so many tiles was decoded and shown after `delay` µs, by clocks that may differ; or
    /// not shown, where there is none.
    pub fn decoded(&mut self, frame: &FrameDecoded, tiles: u32, delay: Option<i64>) {
        let sums = &mut self.sums;
        sums.decoded += 1;
        sums.decode_ms += frame.decode_ms;
        sums.datagrams_received += u64::from(frame.datagrams_received);
        sums.datagrams_expected += u64::from(frame.datagrams_expected);
        sums.concealed += u64::from(frame.concealed_tiles);
        sums.tiles += u64::from(tiles);
        match delay {
            Some(delay) => {
                sums.frames += 1;
                self.delays.push(delay);
            }
            None => sums.skipped += 1,
        }
        self.looked(frame.level, &frame.codewords);
    }

    /// Datagrams arrived.
    pub fn arrived(&mut self, bytes: u64) {
        self.sums.bytes += bytes;
    }

    fn looked(&mut self, level: u8, codewords: &[u16]) {
        self.sums.level = Some(level);
        self.codewords.clear();
        self.codewords.extend_from_slice(codewords);
        self.codewords.sort_unstable();
    }

    /// Ends the interval at `now`, which is `unix` since 1970, and begins the next one.
    pub fn close(&mut self, now: Duration, unix: Duration, known: &Known) -> Figures {
        let seconds = now.saturating_sub(self.since).as_secs_f64().max(1e-3);
        let sums = self.sums;
        let share = |part: u64, whole: u64| (whole > 0).then(|| share(part as f64 / whole as f64));
        let lost = sums
            .datagrams_expected
            .saturating_sub(sums.datagrams_received);
        let kbps = |bytes: u64| thousandths(bytes as f64 * 8e-3 / seconds);
        self.delays.sort_unstable();
        let delay = |percent: usize| {
            // Nearest rank.
            let rank = (self.delays.len() * percent).div_ceil(100);
            let delay = self.delays.get(rank.checked_sub(1)?)?;
            Some((delay - known.least_delay) as f64 / 1e3)
        };
        let noted = |rate: fn(Note) -> Bitrate| {
            let note = known.note?;
            Some(rate(note).kilobits_per_second())
        };
        let figures = Figures {
            unix_ms: unix.as_millis() as u64,
            seconds: thousandths(seconds),
            frames: sums.frames,
            skipped: sums.skipped,
            bytes: sums.bytes,
            fps: thousandths(f64::from(sums.frames) / seconds),
            kbps: kbps(sums.bytes),
            target_kbps: sums.budget.map(kbps).or_else(|| noted(|note| note.target)),
            estimate_kbps: (sums.estimate_kbps.map(thousandths))
                .or_else(|| noted(|note| note.estimate)),
            level: sums.level,
            codewords_least: self.codewords.first().copied(),
            codewords_median: self.codewords.get(self.codewords.len() / 2).copied(),
            codewords_most: self.codewords.last().copied(),
            rtt_ms: known.rtt.map(|rtt| thousandths(rtt.as_secs_f64() * 1e3)),
            loss: share(lost, sums.datagrams_expected).or_else(|| known.loss.map(self::share)),
            delay_p50_ms: delay(50),
            delay_p95_ms: delay(95),
            concealed: share(sums.concealed, sums.tiles),
            decode_ms: (sums.decoded > 0)
                .then(|| thousandths(sums.decode_ms / f64::from(sums.decoded))),
        };
        self.begin(now);
        figures
    }
}

fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// To a millionth.
fn share(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
