//! How far apart the datagrams of frames arrive.

use std::time::Duration;

/// Frames that are remembered.
const REMEMBERED: usize = 128;
/// So many are needed to tell anything.
const ENOUGH: usize = 8;
/// Of 20 frames one has a longer gap.
const ONE_IN: usize = 20;

/// The longest gap between consecutive arrivals of each of the latest frames. Most gaps are far shorter, but
/// every frame has many of them.
#[derive(Debug)]
pub struct Spread {
    /// The latest, µs.
    gaps: [u32; REMEMBERED],
    noted: usize,
    high: Option<Duration>,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            gaps: [0; REMEMBERED],
            noted: 0,
            high: None,
        }
    }
}

impl Spread {
    /// Takes the longest gap of a frame.
    pub fn note(&mut self, gap: Duration) {
        let micros = u32::try_from(gap.as_micros()).unwrap_or(u32::MAX);
        self.gaps[self.noted % REMEMBERED] = micros;
        self.noted += 1;
        let len = self.noted.min(REMEMBERED);
        if len >= ENOUGH {
            let mut sorted = self.gaps;
            let place = len - 1 - len / ONE_IN;
            let (_, high, _) = sorted[..len].select_nth_unstable(place);
            self.high = Some(Duration::from_micros((*high).into()));
        }
    }

    /// A gap than which only one frame in twenty had a longer one; none before some frames were seen.
    pub fn high(&self) -> Option<Duration> {
        self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_long_gaps_do_not_count() {
        let mut spread = Spread::default();
        let ms = Duration::from_millis;
        for n in 0..7 {
            assert_eq!(spread.high(), None, "after {n}");
            spread.note(ms(2));
        }
        spread.note(ms(3));
        assert_eq!(spread.high(), Some(ms(3)), "of few the longest");
        for n in 0..1000 {
            spread.note(if n % 25 == 0 { ms(90) } else { ms(4) });
        }
        assert_eq!(spread.high(), Some(ms(4)));
        for n in 0..1000 {
            spread.note(if n % 10 == 0 { ms(90) } else { ms(4) });
        }
        assert_eq!(spread.high(), Some(ms(90)));
        for _ in 0..REMEMBERED {
            spread.note(Duration::MAX);
        }
        assert!(spread.high() > Some(ms(4_000_000)), "no overflow");
    }
}
