//! What became of the frames: one measure for the programs and for the simulator.

use std::path::Path;

use anyhow::{Context as _, Result};
use raq_shared::video::FrameRate;
use serde::{Deserialize, Serialize};

use super::programs::Relayed;
use crate::delay::Delay;

/// A frame of the source. Times are microseconds since any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    captured: u64,
    /// Whether a datagram of it left.
    sent: bool,
    shown: Option<u64>,
}

/// The figures of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) captured: usize,
    pub(super) sent: usize,
    pub(super) shown: usize,
    /// From a frame's capture until it or a later one is shown, or until the end: how old the
    /// picture gets (Salsify, NSDI 2018, section 5). Skipped frames count.
    pub(super) signal_ms: Delay,
    /// From capture to being shown, of the frames that are.
    pub(super) delay_ms: Delay,
}

impl Figures {
    /// Of frames that ascend by number; what is shown after `end` is not. None where nothing is shown.
    pub(super) fn of(frames: &[Frame], end: u64) -> Option<Self> {
        let shown = |frame: &Frame| frame.shown.filter(|&at| at <= end);
        let mut next = end;
        let signal = frames.iter().rev().map(|frame| {
            next = next.min(shown(frame).unwrap_or(next));
            next.saturating_sub(frame.captured)
        });
        let signal = signal.collect();
        let delays: Vec<_> = frames
            .iter()
            .filter_map(|frame| Some(shown(frame)?.saturating_sub(frame.captured)))
            .collect();
        Some(Self {
            captured: frames.len(),
            sent: frames.iter().filter(|frame| frame.sent).count(),
            shown: delays.len(),
            signal_ms: Delay::of(signal)?,
            delay_ms: Delay::of(delays)?,
        })
    }

    /// Of the programs; the end is a frame's interval after the last capture.
    pub(super) fn of_programs(relayed: &Relayed, count: u32, rate: FrameRate) -> Option<Self> {
        let frames = joined(relayed, count, rate)?;
        let end = frames.first()?.captured + micros(rate, count);
        Self::of(&frames, end)
    }

    /// Of the simulator's `frames.csv`, likewise.
    pub(super) fn of_simulator(path: &Path, count: u32, rate: FrameRate) -> Result<Option<Self>> {
        let frames = read(path)?;
        let first = frames.first().map_or(0, |frame| frame.captured);
        Ok(Self::of(&frames, first + micros(rate, count)))
    }
}

/// The two programs' records, joined by frame number: `count` frames. A frame without any record,
/// passed over by a busy machine or too old when it should have left, was captured as long after
/// the one before as the frame rate says. None of no records.
fn joined(relayed: &Relayed, count: u32, rate: FrameRate) -> Option<Vec<Frame>> {
    let mut captures = vec![None; count as usize];
    let sent = relayed.sent.iter();
    let sent = sent.map(|frame| (frame.frame, frame.capture_unix_us));
    let skipped = relayed.skipped.iter();
    let skipped = skipped.map(|frame| (frame.frame, frame.capture_unix_us));
    for (number, at) in sent.chain(skipped) {
        if let Some(capture) = captures.get_mut(number as usize) {
            *capture = Some(at);
        }
    }
    let first = captures.iter().position(Option::is_some)?;
    let before = captures[first]?.saturating_sub(micros(rate, first as u32));
    let (mut known, mut from) = (before, 0);
    let mut frames: Vec<_> = (0u32..)
        .zip(captures)
        .map(|(number, capture)| {
            if let Some(capture) = capture {
                (known, from) = (capture, number);
            }
            Frame {
                captured: known + micros(rate, number) - micros(rate, from),
                ..Frame::default()
            }
        })
        .collect();
    for sent in &relayed.sent {
        if let Some(frame) = frames.get_mut(sent.frame as usize) {
            frame.sent = true;
        }
    }
    for decoded in relayed.decoded.iter().filter(|frame| !frame.superseded) {
        if let Some(frame) = frames.get_mut(decoded.frame as usize) {
            frame.shown = Some(decoded.shown_unix_us);
        }
    }
    Some(frames)
}

/// A row of the simulator's `frames.csv`, as far as it is of use here.
#[derive(Deserialize)]
struct Row {
    captured_us: u64,
    sent_us: Option<u64>,
    shown_us: Option<u64>,
}

/// The frames of a `frames.csv` with one flow.
pub(super) fn read(path: &Path) -> Result<Vec<Frame>> {
    let name = || format!("the simulator's records {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(name)?;
    let frames = reader.deserialize().map(|row| {
        let row: Row = row?;
        Ok(Frame {
            captured: row.captured_us,
            sent: row.sent_us.is_some(),
            shown: row.shown_us,
        })
    });
    let frames: Result<_, csv::Error> = frames.collect();
    frames.with_context(name)
}

/// When the first frame was captured.
pub(super) fn first_capture(frames: &[Frame]) -> Option<u64> {
    frames.first().map(|frame| frame.captured)
}

fn micros(rate: FrameRate, frames: u32) -> u64 {
    rate.time_of(frames.into()).as_micros() as u64
}

#[cfg(test)]
mod tests {
    use raq_shared::stats::{FrameDecoded, FrameSkipped};

    use super::*;
    use crate::stats::sample;

    /// Captured every 40 ms.
    fn frame(number: u64, shown: Option<u64>) -> Frame {
        Frame {
            captured: 40_000 * number,
            sent: shown.is_some(),
            shown,
        }
    }

    #[test]
    fn what_is_not_shown_waits_for_the_next() {
        let mut frames: Vec<_> = (0..20)
            .map(|n| frame(n, Some(40_000 * n + 30_000)))
            .collect();
        frames[3].shown = None;
        frames[4].shown = None;
        // Later than the next one.
        frames[7].shown = Some(frames[7].captured + 90_000);
        let figures = Figures::of(&frames, 800_000).unwrap();
        assert_eq!(
            (figures.captured, figures.sent, figures.shown),
            (20, 20, 18)
        );
        // Frame 3 waits 110 ms, 4 and 7 wait 70 ms, the others 30 ms; the 19th of 20 counts.
        assert_eq!(
            figures.signal_ms,
            Delay {
                p50: 30.0,
                p95: 70.0
            }
        );
        // The 18th of 18.
        assert_eq!(
            figures.delay_ms,
            Delay {
                p50: 30.0,
                p95: 90.0
            }
        );
    }

    #[test]
    fn what_is_never_shown_waits_for_the_end() {
        let frames = [
            frame(0, Some(30_000)),
            frame(1, None),
            frame(2, Some(120_001)),
        ];
        let figures = Figures::of(&frames, 120_000).unwrap();
        assert_eq!(figures.shown, 1);
        assert_eq!(
            figures.signal_ms,
            Delay {
                p50: 40.0,
                p95: 80.0
            }
        );
        assert_eq!(Figures::of(&frames[1..], 120_000), None);
    }

    fn relayed() -> Relayed {
        let sent = |frame| sample::sent(frame, 1_000_000 + 40_000 * u64::from(frame));
        let decoded = |frame, superseded| FrameDecoded {
            superseded,
            ..sample::decoded(frame, 1_050_000 + 40_000 * u64::from(frame))
        };
        Relayed {
            sent: vec![sent(1), sent(2), sent(5)],
            skipped: vec![FrameSkipped {
                frame: 3,
                // The source was late.
                capture_unix_us: 1_125_000,
                reason: "room".to_owned(),
                estimate_kbps: 0.0,
                queue_ms: 0.0,
            }],
            decoded: vec![decoded(1, false), decoded(2, true), decoded(5, false)],
            ..Relayed::default()
        }
    }

    #[test]
    fn frames_without_a_record_are_captured_at_the_frame_rate() {
        let rate = FrameRate::new(25, 1).unwrap();
        let frames = joined(&relayed(), 7, rate).unwrap();
        let captured: Vec<_> = frames.iter().map(|frame| frame.captured / 1000).collect();
        assert_eq!(captured, [1000, 1040, 1080, 1125, 1165, 1200, 1240]);
        let sent: Vec<_> = frames.iter().map(|frame| frame.sent).collect();
        assert_eq!(sent, [false, true, true, false, false, true, false]);
        let shown: Vec<_> = frames.iter().map(|frame| frame.shown).collect();
        let (one, five) = (Some(1_090_000), Some(1_250_000));
        assert_eq!(shown, [None, one, None, None, None, five, None]);
        let figures = Figures::of_programs(&relayed(), 7, rate).unwrap();
        assert_eq!((figures.sent, figures.shown), (3, 2));
        // Frame 6 waits for the end at 1280 ms, frame 2 for frame 5.
        assert_eq!(
            figures.signal_ms,
            Delay {
                p50: 85.0,
                p95: 170.0
            }
        );
        assert_eq!(joined(&Relayed::default(), 7, rate), None);
    }

    #[test]
    fn the_simulators_records_are_read_by_the_names_of_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.csv");
        let text = "flow,frame,captured_us,skipped,sent_us,closed_us,shown_us\n\
                    0,0,7000,0,9000,9500,37000\n0,1,47000,1,,,\n0,2,87000,0,90000,,\n";
        std::fs::write(&path, text).unwrap();
        let frames = read(&path).unwrap();
        let made = |captured, sent, shown| Frame {
            captured,
            sent,
            shown,
        };
        let wanted = [
            made(7000, true, Some(37_000)),
            made(47_000, false, None),
            made(87_000, true, None),
        ];
        assert_eq!(frames, wanted);
        assert_eq!(first_capture(&frames), Some(7000));
        std::fs::write(&path, text.replace("9000", "soon")).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("frames.csv"), "{error}");
    }
}
