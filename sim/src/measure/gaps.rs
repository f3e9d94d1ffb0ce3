//! Gaps between displayed pictures: freezes, and time without anything new.

use super::{SECOND, Span, share};

/// Gaps above this are noticed, microseconds.
const NOTICED: u64 = 200_000;
/// A freeze is this much longer than the mean, microseconds, and ...
const FREEZE_MORE: f64 = 150_000.0;
/// ... this many times as long ...
const FREEZE_TIMES: f64 = 3.0;
/// ... the mean being over so many gaps before it.
const FREEZE_MEMORY: usize = 30;

/// What a viewer notices of irregular display.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gaps {
    /// Freezes as W3C's `freezeCount` (webrtc-stats) has them: gaps of at least
    /// max(3 × mean, mean + 150 ms), the mean being over up to 30 gaps before. Silence until the
    /// source stops or the run ends is a gap too.
    pub freezes: u64,
    /// Share of the sources' time that lies in gaps above 200 ms, those before the first picture
    /// and after the last included.
    pub gap200_share: Option<f64>,
    /// Displayed pictures over the sources' time, per second and flow.
    pub fps: Option<f64>,
}

impl Gaps {
    /// Of all spans.
    pub fn of(spans: &[Span<'_>]) -> Self {
        let (mut freezes, mut noticed, mut shown) = (0, 0, 0);
        for span in spans {
            let displays = displays(span);
            shown += displays.len();
            let between: Vec<_> = displays.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let first = displays.first().copied().unwrap_or(span.end);
            let last = displays.last().copied().unwrap_or(span.end);
            let opening = first.saturating_sub(span.start);
            let closing = span.end.saturating_sub(last);
            let all = between.iter().copied().chain([opening, closing]);
            noticed += all.filter(|&gap| gap > NOTICED).sum::<u64>();
            freezes += count_freezes(&between, closing);
        }
        let time = spans.iter().map(Span::length).sum::<u64>() as f64;
        Self {
            freezes,
            gap200_share: share(noticed as f64, time),
            fps: share(shown as f64 * SECOND as f64, time),
        }
    }
}

/// Times of display, ascending.
fn displays(span: &Span<'_>) -> Vec<u64> {
    let shown = span.frames.iter().filter_map(|frame| frame.shown_us);
    let mut displays: Vec<_> = shown.collect();
    displays.sort_unstable();
    displays
}

fn count_freezes(between: &[u64], closing: u64) -> u64 {
    let is_freeze = |gap: u64, before: &[u64]| {
        let recent = &before[before.len().saturating_sub(FREEZE_MEMORY)..];
        let mean = recent.iter().sum::<u64>() as f64 / recent.len() as f64;
        gap as f64 >= (FREEZE_TIMES * mean).max(mean + FREEZE_MORE)
    };
    let gaps: Vec<_> = between.iter().copied().chain([closing]).collect();
    // The first gap has none to be compared with.
    let freezes = (1..gaps.len()).filter(|&number| is_freeze(gaps[number], &gaps[..number]));
    freezes.count() as u64
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    /// Of frames 40 ms apart, but for those never displayed.
    fn gaps(seconds: u64, lost: impl IntoIterator<Item = u64>) -> Gaps {
        let (run, mut policy) = example::run(seconds);
        for number in lost {
            policy.frames[number as usize].shown_us = None;
        }
        Gaps::of(&Span::all(&run.record, &policy.frames))
    }

    #[test]
    fn regular_display_has_no_gaps() {
        let gaps = gaps(10, []);
        assert_eq!((gaps.freezes, gaps.gap200_share), (0, Some(0.0)));
        assert_eq!(gaps.fps, Some(25.0));
    }

    #[test]
    fn a_freeze_begins_at_the_mean_and_150_ms() {
        // 4 frames missing: 200 ms, above 40 + 150; 3 missing: 160 ms.
        assert_eq!(gaps(10, 100..104).freezes, 1);
        assert_eq!(gaps(10, 100..103).freezes, 0);
        // 200 ms are not above 200 ms; 240 of 10 000 ms are.
        assert_eq!(gaps(10, 100..104).gap200_share, Some(0.0));
        assert_eq!(gaps(10, 100..105).gap200_share, Some(0.024));
        assert_eq!(gaps(10, 100..105).fps, Some(24.5));
    }

    #[test]
    fn three_times_the_mean_counts_at_low_rates() {
        // Every third frame: 120 ms. A gap of 240 ms is none, one of 360 ms is.
        let slow = |more: u64| {
            let lost = (0..250).filter(move |n| n % 3 != 0);
            gaps(10, lost.chain((0..more).map(|n| 150 + 3 * n)))
        };
        assert_eq!(slow(1).freezes, 0);
        assert_eq!(slow(2).freezes, 1);
    }

    #[test]
    fn silence_to_the_end_counts_and_a_rest_does_not() {
        let gone = gaps(10, 200..250);
        assert_eq!(gone.freezes, 1);
        assert_eq!(gone.gap200_share, Some(0.201));
        let never = gaps(10, 0..250);
        assert_eq!((never.freezes, never.gap200_share), (0, Some(1.0)));

        let (run, mut policy) = example::run(10);
        policy.frames.drain(100..200);
        let rest = Gaps::of(&Span::all(&run.record, &policy.frames));
        assert_eq!((rest.freezes, rest.gap200_share), (0, Some(0.0)));
        assert_eq!(rest.fps, Some(25.0));
        assert_eq!(Gaps::of(&[]).fps, None);
    }
}
