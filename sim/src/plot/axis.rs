//! From values to places, and where the lines of the grid are.

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis<'a> {
    /// What is plotted, with its unit.
    pub label: &'a str,
    scale: Scale,
    /// What is scaled is between these; the second is larger.
    range: (f64, f64),
}

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By their logarithm; for values above 0.
    Log,
}

impl<'a> Axis<'a> {
    /// From `low` to `high`; values beyond are drawn at the edge.
    pub fn between(label: &'a str, scale: Scale, low: f64, high: f64) -> Self {
        let ends = [low, high].map(|value| scale.apply(value));
        Self {
            label,
            scale,
            range: range(ends.into_iter(), 0.0),
        }
    }

    /// As far as `values` go, widened by a share of it on both sides.
    pub fn around(
        label: &'a str,
        scale: Scale,
        values: impl Iterator<Item = f64>,
        margin: f64,
    ) -> Self {
        Self {
            label,
            scale,
            range: range(values.map(|value| scale.apply(value)), margin),
        }
    }

    /// Where a value is: 0 at the low end, 1 at the high one, never beyond.
    pub(super) fn place(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        ((self.scale.apply(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Round values and their names.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let (ticks, decimals) = match self.scale {
            Scale::Linear => linear_ticks(self.range),
            Scale::Log => {
                let ticks = log_ticks(self.range);
                if ticks.len() > 2 {
                    return ticks
                        .into_iter()
                        .map(|tick| (tick, tick.to_string()))
                        .collect();
                }
                let (low, high) = self.range;
                linear_ticks((10f64.powf(low), 10f64.powf(high)))
            }
        };
        let named = ticks
            .into_iter()
            .map(|tick| (tick, format!("{tick:.decimals$}")));
        named.collect()
    }
}

impl Scale {
    fn apply(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
        }
    }
}

fn range(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        width if width > 0.0 && width.is_finite() => (low - margin * width, high + margin * width),
        _ if low.is_finite() => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    }
}

/// 1, 2, 5 times powers of ten within a range of log10; only the powers where these are many.
fn log_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let digits: &[f64] = if high - low > 3.0 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    (low.floor() as i32..=high.ceil() as i32)
        .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)))
        .filter(|value| (low..=high).contains(&value.log10()))
        .collect()
}

/// Five to ten round values within a range, and the decimals they need.
fn linear_ticks((low, high): (f64, f64)) -> (Vec<f64>, usize) {
    let rough = (high - low) / 5.0;
    let power = rough.log10().floor();
    let unit = 10f64.powf(power);
    let step = unit
        * [5.0, 2.0, 1.0]
            .into_iter()
            .find(|&f| f * unit <= rough)
            .unwrap_or(1.0);
    let ticks =
        ((low / step).ceil() as i64..=(high / step).floor() as i64).map(|n| n as f64 * step);
    (ticks.collect(), (-power).max(0.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(log_ticks((1.7, 3.1)), [100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(log_ticks((0.0, 3.5)), [1.0, 10.0, 100.0, 1000.0]);
        let (ticks, decimals) = linear_ticks((27.3, 38.9));
        assert_eq!(
            (ticks[0], *ticks.last().unwrap(), decimals),
            (28.0, 38.0, 0)
        );
        let (ticks, decimals) = linear_ticks((0.901, 0.987));
        assert_eq!((ticks.len(), decimals), (8, 2));
    }

    #[test]
    fn values_have_places_and_never_beyond_the_edge() {
        let linear = Axis::between("s", Scale::Linear, 0.0, 20.0);
        assert_eq!([0.0, 5.0, 30.0].map(|s| linear.place(s)), [0.0, 0.25, 1.0]);
        assert_eq!(linear.ticks()[1], (2.0, "2".to_owned()));
        let log = Axis::between("ms", Scale::Log, 1.0, 100.0);
        assert_eq!(
            [0.0, 1.0, 10.0, 1e9].map(|ms| log.place(ms)),
            [0.0, 0.0, 0.5, 1.0]
        );
        let narrow = Axis::between("ms", Scale::Log, 210.0, 390.0);
        assert!(narrow.ticks().len() > 4, "{:?}", narrow.ticks());
        for values in [vec![], vec![3.0]] {
            let axis = Axis::around("", Scale::Linear, values.into_iter(), 0.1);
            assert!(axis.place(3.0).is_finite());
        }
        let wider = Axis::around("", Scale::Linear, [10.0, 20.0].into_iter(), 0.5);
        assert_eq!(wider.place(10.0), 0.25);
    }
}
