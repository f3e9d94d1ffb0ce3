//! Further bitrates for a comparator, so that its curve covers the rates asked for.
//!
//! Codecs miss the bitrate they are set to, x264 by a quarter with a buffer of two frames. A curve
//! that ends below another codec's measured rate cannot be read there.

use raq_shared::units::Bitrate;

/// Measured rates should begin at this share of the lowest rate asked for …
const BEGIN: f64 = 0.8;
/// … and end at this multiple of the highest.
const END: f64 = 1.1;
/// From one bitrate to the next further up or down.
const STEP: f64 = 1.25;
/// The most bitrates tried in either direction.
const TRIES: usize = 4;
/// A step down that lowers the measured rate by less than this share has come to the floor.
const FLOOR: f64 = 0.01;

/// A bitrate that was set, and the rate in kbit/s that was measured.
pub type Tried = (Bitrate, f64);

/// The next bitrate to try after the ones `asked` for and those `tried` (the former included);
/// `None` when the measured rates reach far enough to both sides, or as far as the codec goes.
pub fn next_rate(asked: &[Bitrate], tried: &[Tried]) -> Option<Bitrate> {
    let (lowest, highest) = (*asked.iter().min()?, *asked.iter().max()?);
    let mut tried = tried.to_vec();
    tried.sort_by_key(|(rate, _)| *rate);
    let (top, top_kbps) = *tried.last()?;
    let above = tried.iter().filter(|(rate, _)| *rate > highest).count();
    if top_kbps < END * highest.kilobits_per_second() && above < TRIES {
        return Some(whole((top.kilobits_per_second() * STEP).ceil()));
    }
    let (bottom, bottom_kbps) = *tried.first()?;
    let below = tried.iter().filter(|(rate, _)| *rate < lowest).count();
    let fell = match tried.get(1) {
        Some((_, next_kbps)) if below > 0 => bottom_kbps < (1.0 - FLOOR) * next_kbps,
        _ => true,
    };
    let next = whole((bottom.kilobits_per_second() / STEP).floor());
    let wanted = bottom_kbps > BEGIN * lowest.kilobits_per_second() && fell && below < TRIES;
    (wanted && next > Bitrate::ZERO).then_some(next)
}

/// Encoders count in whole kbit/s.
fn whole(kbps: f64) -> Bitrate {
    Bitrate::from_kilobits_per_second(kbps as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All bitrates tried for a codec that measures `kbps` of what it is set to, in kbit/s.
    fn tried(asked: &[u64], kbps: impl Fn(f64) -> f64) -> Vec<u64> {
        let rates: Vec<_> = asked
            .iter()
            .map(|&rate| Bitrate::from_kilobits_per_second(rate))
            .collect();
        let measured = |rate: Bitrate| (rate, kbps(rate.kilobits_per_second()));
        let mut tried: Vec<_> = rates.iter().map(|&rate| measured(rate)).collect();
        while let Some(rate) = next_rate(&rates, &tried) {
            tried.push(measured(rate));
        }
        let rates = tried.iter().map(|(rate, _)| rate.bits_per_second() / 1000);
        rates.collect()
    }

    #[test]
    fn a_codec_that_stays_below_is_set_higher() {
        // 141 for 188 does not reach 165, 176 for 235 does; 45 for 60 is below 48.
        assert_eq!(tried(&[60, 150], |rate| 0.75 * rate), [60, 150, 188, 235]);
    }

    #[test]
    fn a_codec_that_keeps_to_its_rate_is_set_once_higher_and_lower() {
        assert_eq!(tried(&[60, 150], |rate| rate), [60, 150, 188, 48]);
    }

    #[test]
    fn the_search_ends_at_the_codecs_own_limits() {
        assert_eq!(tried(&[60, 150], |_| 318.0), [60, 150, 48]);
        let capped = tried(&[60, 150], |rate| rate.min(100.0));
        assert_eq!(capped, [60, 150, 188, 235, 294, 368, 48]);
        assert_eq!(tried(&[1], |rate| rate), [1, 2]);
    }
}
