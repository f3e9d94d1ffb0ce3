//! Bjøntegaard's difference in rate: how much more a codec needs for the same quality.

use super::curve::Curve;

/// A mean difference in rate between two curves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BdRate {
    /// How much more rate the codec under test needs, in percent; negative where it needs less.
    pub percent: f64,
    /// From this quality on, in the curves' unit.
    pub from: f64,
    /// Up to this quality, in the curves' unit.
    pub to: f64,
}

/// Why there is no such difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BdRateError {
    /// A curve has no two points of which one has more rate and more quality.
    #[error("fewer than two points on a curve; give more --rates")]
    TooFewPoints,
    /// No quality is reached by both.
    #[error("no quality that both reach; give --rates that bring them together")]
    NoOverlap,
    /// None up to the highest rate allowed.
    #[error("no quality that both reach up to --bd-max-kbps; give more")]
    NoOverlapUpToLimit,
}

/// Mean difference in rate of `test` from `reference` over the qualities that both reach (and
/// reach with at most `max_kbps` kbit/s each, where given): exp of the mean difference of the log
/// rates, less 1, in percent. Log rate is interpolated over quality as [`Curve`] does; two points
/// are enough, four or more are usual.
///
/// G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", ITU-T SG16 Q6
/// VCEG-M33, 2001, with piecewise instead of one cubic.
///
/// # Errors
/// [`BdRateError`] where there is nothing to compare.
pub fn bd_rate(
    test: &Curve,
    reference: &Curve,
    max_kbps: Option<f64>,
) -> Result<BdRate, BdRateError> {
    if test.len() < 2 || reference.len() < 2 {
        return Err(BdRateError::TooFewPoints);
    }
    let (Some(a), Some(b)) = (test.quality_range(), reference.quality_range()) else {
        return Err(BdRateError::TooFewPoints);
    };
    let (from, mut to) = (a.0.max(b.0), a.1.min(b.1));
    if from >= to {
        return Err(BdRateError::NoOverlap);
    }
    if let Some(max_kbps) = max_kbps {
        for curve in [test, reference] {
            match curve.kbps_range() {
                Some((_, most)) if most <= max_kbps => {}
                _ => {
                    let reached = curve.quality_at(max_kbps);
                    to = to.min(reached.ok_or(BdRateError::NoOverlapUpToLimit)?);
                }
            }
        }
        if from >= to {
            return Err(BdRateError::NoOverlapUpToLimit);
        }
    }
    let means = test
        .mean_log_kbps(from, to)
        .zip(reference.mean_log_kbps(from, to));
    let (test, reference) = means.ok_or(BdRateError::NoOverlap)?;
    Ok(BdRate {
        percent: 100.0 * (test - reference).exp_m1(),
        from,
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [(f64, f64); 5] = [
        (50.0, 28.1),
        (110.0, 31.7),
        (190.0, 33.2),
        (420.0, 36.9),
        (900.0, 38.0),
    ];

    fn curve(rate: f64, quality: f64) -> Curve {
        Curve::new(POINTS.map(|(kbps, db)| (kbps * rate, db + quality)))
    }

    #[test]
    fn a_tenth_more_rate_is_ten_percent() {
        let result = bd_rate(&curve(1.1, 0.0), &curve(1.0, 0.0), None).unwrap();
        assert!((result.percent - 10.0).abs() < 1e-9, "{result:?}");
        assert_eq!((result.from, result.to), (28.1, 38.0));
        let back = bd_rate(&curve(1.0, 0.0), &curve(1.1, 0.0), None).unwrap();
        assert!((back.percent + 100.0 / 11.0).abs() < 1e-9, "{back:?}");
        let none = bd_rate(&curve(1.0, 0.0), &curve(1.0, 0.0), None).unwrap();
        assert_eq!(none.percent, 0.0);
    }

    /// Straight lines over the log rate: 6 dB a factor of 4 against 6 dB a factor of 2, meeting at
    /// 100 kbit/s and 30 dB. Up to 36 dB the log ratio rises from 0 to ln 2, its mean is ln √2.
    #[test]
    fn lines_that_part_differ_by_the_mean_of_the_logarithms() {
        let slow = Curve::new([(100.0, 30.0), (400.0, 36.0)]);
        let fast = Curve::new([(100.0, 30.0), (200.0, 36.0)]);
        let result = bd_rate(&slow, &fast, None).unwrap();
        assert!((result.percent - 100.0 * (2.0f64.sqrt() - 1.0)).abs() < 1e-9);
        // The slow one reaches 33 dB with 200 kbit/s: the mean is a quarter of ln 2.
        let limited = bd_rate(&slow, &fast, Some(200.0)).unwrap();
        assert!((limited.to - 33.0).abs() < 1e-9);
        assert!((limited.percent - 100.0 * (2.0f64.powf(0.25) - 1.0)).abs() < 1e-9);
        // Both end below this limit.
        assert_eq!(bd_rate(&slow, &fast, Some(1e6)).unwrap(), result);
    }

    #[test]
    fn where_nothing_can_be_compared_it_says_why() {
        let one = Curve::new([(100.0, 30.0), (200.0, 29.0)]);
        assert_eq!(
            bd_rate(&one, &curve(1.0, 0.0), None),
            Err(BdRateError::TooFewPoints)
        );
        assert_eq!(
            bd_rate(&curve(1.0, 9.9), &curve(1.0, 0.0), None),
            Err(BdRateError::NoOverlap)
        );
        for limit in [40.0, 50.0] {
            assert_eq!(
                bd_rate(&curve(1.0, 0.0), &curve(1.0, 0.0), Some(limit)),
                Err(BdRateError::NoOverlapUpToLimit)
            );
        }
    }
}
