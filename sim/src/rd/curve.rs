//! Quality over rate, interpolated between the measured points.

/// A rate-distortion curve of one codec on one clip: quality rises with rate, strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Natural logarithm of kbit/s, ascending.
    log_kbps: Vec<f64>,
    /// Quality in its own unit (dB for PSNR), ascending.
    quality: Vec<f64>,
}

impl Curve {
    /// The curve through points of (kbit/s, quality) in any order.
    ///
    /// Points that another one dominates (no higher rate, no lower quality) are left out, and so
    /// are those without a rate: what remains can be read in both directions.
    pub fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<_> = points
            .into_iter()
            .filter(|(kbps, quality)| *kbps > 0.0 && kbps.is_finite() && quality.is_finite())
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut curve = Self {
            log_kbps: Vec::new(),
            quality: Vec::new(),
        };
        for (kbps, quality) in points {
            if curve.quality.last().is_none_or(|&best| quality > best) {
                curve.log_kbps.push(kbps.ln());
                curve.quality.push(quality);
            }
        }
        curve
    }

    /// How many points are left.
    pub fn len(&self) -> usize {
        self.quality.len()
    }

    /// Whether there is no point at all.
    pub fn is_empty(&self) -> bool {
        self.quality.is_empty()
    }

    /// The quality at a rate in kbit/s, interpolated over the logarithm of the rate; `None`
    /// outside the measured rates.
    pub fn quality_at(&self, kbps: f64) -> Option<f64> {
        // A measured rate comes back from its logarithm with an error in the last place.
        const ROUNDING: f64 = 1e-9;
        let (first, last) = (*self.log_kbps.first()?, *self.log_kbps.last()?);
        let log = kbps.ln();
        if log < first - ROUNDING || log > last + ROUNDING || log.is_nan() {
            return None;
        }
        if self.len() == 1 {
            return self.quality.first().copied();
        }
        Some(Cubic::through(&self.log_kbps, &self.quality).at(log.clamp(first, last)))
    }

    /// The lowest and the highest rate in kbit/s; `None` without points.
    pub fn kbps_range(&self) -> Option<(f64, f64)> {
        Some((self.log_kbps.first()?.exp(), self.log_kbps.last()?.exp()))
    }

    /// The lowest and the highest quality; `None` without points.
    pub fn quality_range(&self) -> Option<(f64, f64)> {
        Some((*self.quality.first()?, *self.quality.last()?))
    }

    /// Mean of the logarithm of the rate (natural, of kbit/s) over an interval of quality within
    /// [`Curve::quality_range`]; `None` with fewer than two points or outside.
    pub fn mean_log_kbps(&self, low: f64, high: f64) -> Option<f64> {
        let (least, most) = self.quality_range()?;
        (self.len() > 1 && least <= low && low < high && high <= most).then(|| {
            Cubic::through(&self.quality, &self.log_kbps).integral(low, high) / (high - low)
        })
    }
}

/// Piecewise cubic Hermite interpolation that keeps monotone data monotone (PCHIP: Fritsch and
/// Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J. Sci.
/// Stat. Comput. 5(2), 1984), with the derivatives of `scipy.interpolate.PchipInterpolator`.
struct Cubic<'a> {
    x: &'a [f64],
    y: &'a [f64],
    slope: Vec<f64>,
}

impl<'a> Cubic<'a> {
    /// `x` ascends strictly; at least two points.
    fn through(x: &'a [f64], y: &'a [f64]) -> Self {
        let width: Vec<_> = x.windows(2).map(|x| x[1] - x[0]).collect();
        let rise: Vec<_> = y
            .windows(2)
            .zip(&width)
            .map(|(y, width)| (y[1] - y[0]) / width)
            .collect();
        let mut slope = vec![rise[0]; x.len()];
        if let (true, [.., before, last]) = (x.len() > 2, width.as_slice()) {
            for k in 1..x.len() - 1 {
                // Weighted harmonic mean; level at a turn.
                slope[k] = if rise[k - 1] * rise[k] > 0.0 {
                    let (a, b) = (2.0 * width[k] + width[k - 1], width[k] + 2.0 * width[k - 1]);
                    (a + b) / (a / rise[k - 1] + b / rise[k])
                } else {
                    0.0
                };
            }
            let end = x.len() - 1;
            slope[0] = end_slope(width[0], width[1], rise[0], rise[1]);
            slope[end] = end_slope(*last, *before, rise[end - 1], rise[end - 2]);
        }
        Self { x, y, slope }
    }

    fn at(&self, x: f64) -> f64 {
        let k = self.interval(x);
        let (width, t) = self.local(k, x);
        let (t2, t3) = (t * t, t * t * t);
        (2.0 * t3 - 3.0 * t2 + 1.0) * self.y[k]
            + (t3 - 2.0 * t2 + t) * width * self.slope[k]
            + (3.0 * t2 - 2.0 * t3) * self.y[k + 1]
            + (t3 - t2) * width * self.slope[k + 1]
    }

    fn integral(&self, low: f64, high: f64) -> f64 {
        let last = self.interval(high);
        (self.interval(low)..=last)
            .map(|k| self.partial(k, high.min(self.x[k + 1])) - self.partial(k, low.max(self.x[k])))
            .sum()
    }

    /// Integral over piece `k` from its beginning to `x`.
    fn partial(&self, k: usize, x: f64) -> f64 {
        let (width, t) = self.local(k, x);
        let (t2, t3, t4) = (t * t, t * t * t, t * t * t * t);
        width
            * ((t4 / 2.0 - t3 + t) * self.y[k]
                + (t4 / 4.0 - 2.0 * t3 / 3.0 + t2 / 2.0) * width * self.slope[k]
                + (t3 - t4 / 2.0) * self.y[k + 1]
                + (t4 / 4.0 - t3 / 3.0) * width * self.slope[k + 1])
    }

    /// The piece that `x` lies in.
    fn interval(&self, x: f64) -> usize {
        let right = self.x.partition_point(|&knot| knot <= x);
        right.clamp(1, self.x.len() - 1) - 1
    }

    /// The width of piece `k`, and where in it `x` is, 0 to 1.
    fn local(&self, k: usize, x: f64) -> (f64, f64) {
        let width = self.x[k + 1] - self.x[k];
        (width, (x - self.x[k]) / width)
    }
}

/// Three-point derivative at an end, kept from overshooting; `near` belongs to the outer piece.
fn end_slope(near_width: f64, far_width: f64, near_rise: f64, far_rise: f64) -> f64 {
    let slope = ((2.0 * near_width + far_width) * near_rise - near_width * far_rise)
        / (near_width + far_width);
    if slope * near_rise <= 0.0 {
        0.0
    } else if near_rise * far_rise <= 0.0 && slope.abs() > 3.0 * near_rise.abs() {
        3.0 * near_rise
    } else {
        slope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dominated_points_are_left_out() {
        let curve = Curve::new([
            (200.0, 34.0),
            (100.0, 30.0),
            (100.0, 29.0),
            (150.0, 29.5),
            (0.0, 50.0),
            (f64::NAN, 50.0),
        ]);
        assert_eq!(curve.len(), 2);
        assert_eq!(curve.quality_range(), Some((30.0, 34.0)));
    }

    #[test]
    fn two_points_make_a_straight_line_over_the_logarithm() {
        let curve = Curve::new([(100.0, 30.0), (400.0, 36.0)]);
        assert!((curve.quality_at(200.0).unwrap() - 33.0).abs() < 1e-12);
        assert!((curve.quality_at(400.0).unwrap() - 36.0).abs() < 1e-12);
        assert_eq!(curve.quality_at(99.0), None);
        assert_eq!(curve.quality_at(401.0), None);
        let mean = curve.mean_log_kbps(30.0, 36.0).unwrap();
        assert!((mean - 200.0f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn one_point_is_known_at_its_own_rate_alone() {
        let curve = Curve::new([(100.0, 30.0)]);
        assert_eq!(curve.quality_at(100.0), Some(30.0));
        assert_eq!(curve.quality_at(101.0), None);
        assert_eq!(curve.mean_log_kbps(30.0, 30.0), None);
        assert!(Curve::new([]).is_empty());
    }

    /// By hand for x = 0, 1, 3 and y = 0, 1, 2: pieces of width 1 and 2 rise by 1 and 1/2; the
    /// weighted harmonic mean in the middle is (5 + 4) / (5 / 1 + 4 / 0.5) = 9/13; the ends are
    /// ((2 + 2) · 1 − 1 · 1/2) / 3 = 7/6 and ((4 + 1) · 1/2 − 2 · 1) / 3 = 1/6.
    #[test]
    fn three_points_have_the_slopes_computed_by_hand() {
        let (x, y) = ([0.0, 1.0, 3.0], [0.0, 1.0, 2.0]);
        let cubic = Cubic::through(&x, &y);
        for (slope, expected) in cubic.slope.iter().zip([7.0 / 6.0, 9.0 / 13.0, 1.0 / 6.0]) {
            assert!((slope - expected).abs() < 1e-12, "{:?}", cubic.slope);
        }
        // Half of piece 0: 1/2 + (7/6 − 9/13) / 8.
        let middle = 0.5 + (7.0 / 6.0 - 9.0 / 13.0) / 8.0;
        assert!((cubic.at(0.5) - middle).abs() < 1e-12);
        // A cubic's integral over a piece: width · (y0 + y1) / 2 + width² · (s0 − s1) / 12.
        let whole = 0.5 + (7.0 / 6.0 - 9.0 / 13.0) / 12.0 + 3.0 + (9.0 / 13.0 - 1.0 / 6.0) / 3.0;
        assert!((cubic.integral(0.0, 3.0) - whole).abs() < 1e-12);
        let parts = cubic.integral(0.0, 0.4) + cubic.integral(0.4, 2.2) + cubic.integral(2.2, 3.0);
        assert!((parts - whole).abs() < 1e-12);
    }
}
