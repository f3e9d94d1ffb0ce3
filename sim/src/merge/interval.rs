//! Mean and confidence over seeds.

use serde::Serialize;

/// A mean with its 95 % confidence interval (Student's t).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; none for a single value.
    pub half: Option<f64>,
    /// Values.
    pub count: usize,
}

/// Student's t at 0.975 for 1 to 30 degrees of freedom; beyond, the normal distribution's.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
const NORMAL: f64 = 1.960;

impl Interval {
    /// Of values; none where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let freedom = count - 1;
        let half = (freedom > 0).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let error = (squares / freedom as f64 / count as f64).sqrt();
            T.get(freedom - 1).unwrap_or(&NORMAL) * error
        });
        Some(Self { mean, half, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_have_a_mean_and_a_width() {
        let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((interval.mean, interval.count), (3.0, 5));
        // s = 1.5811, t = 2.776.
        assert!((interval.half.unwrap() - 1.963).abs() < 1e-3);
        assert_eq!(Interval::of(&[7.0]).unwrap().half, None);
        assert_eq!(Interval::of(&[]), None);
    }
}
