//! Exact sums over rows of 16-bit numbers, built for the processor at hand.

use raq_shared::stage::Stage;
use raq_shared::twice;

twice! {
    /// Sum of products in 32 bits, which must hold it.
    pub(super) fn short_dot [short_dot_plain, short_dot_avx2] (a: &[i16], b: &[i16]) -> i32 {
        let product = |(&a, &b): (&i16, &i16)| i32::from(a) * i32::from(b);
        a.iter().zip(b).map(product).fold(0, i32::wrapping_add)
    }
}

/// Sum of products; `short` says that 32 bits hold it, which is quick.
pub(super) fn dot(a: &[i16], b: &[i16], short: bool) -> f32 {
    if short {
        return short_dot(a, b) as f32;
    }
    let product = |(&a, &b): (&i16, &i16)| i64::from(a) * i64::from(b);
    a.iter().zip(b).map(product).sum::<i64>() as f32
}

twice! {
    /// Sum of squares.
    pub(super) fn energy [energy_plain, energy_avx2] (values: &[i16]) -> f32 {
        let square = |v: i16| f32::from(v) * f32::from(v);
        let (whole, rest) = values.as_chunks::<16>();
        let mut lanes = [0f32; 16];
        for part in whole {
            for (lane, &v) in lanes.iter_mut().zip(part) {
                *lane += square(v);
            }
        }
        lanes.iter().sum::<f32>() + rest.iter().map(|&v| square(v)).sum::<f32>()
    }
}

twice! {
    /// Sum of squared differences.
    pub(super) fn distance [distance_plain, distance_avx2] (a: &[i16], b: &[i16]) -> f32 {
        let square = |a: i16, b: i16| {
            let difference = (i32::from(a) - i32::from(b)) as f32;
            difference * difference
        };
        let ((left, left_rest), (right, right_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        let mut lanes = [0f32; 16];
        for (left, right) in left.iter().zip(right) {
            for (lane, (&a, &b)) in lanes.iter_mut().zip(left.iter().zip(right)) {
                *lane += square(a, b);
            }
        }
        let rest = left_rest.iter().zip(right_rest);
        lanes.iter().sum::<f32>() + rest.map(|(&a, &b)| square(a, b)).sum::<f32>()
    }
}

twice! {
    /// By how much the squared error falls when a scaled codeword is taken from a residual.
    pub(super) fn gain [gain_plain, gain_avx2] (
        residual: &[i16],
        codeword: &[i16],
        scale: Stage,
    ) -> i64 {
        let fall = |(&r, &c): (&i16, &i16)| {
            let c = i32::from(scale.scale(c));
            i64::from(2 * i32::from(r) - c) * i64::from(c)
        };
        residual.iter().zip(codeword).map(fall).sum()
    }
}

twice! {
    /// Takes a scaled codeword from a residual.
    pub(super) fn take [take_plain, take_avx2] (
        residual: &mut [i16],
        codeword: &[i16],
        scale: Stage,
    ) -> () {
        for (r, &c) in residual.iter_mut().zip(codeword) {
            *r = r.saturating_sub(scale.scale(c));
        }
    }
}

twice! {
    /// What is left of `target` without `sums`.
    pub(super) fn less [less_plain, less_avx2] (
        target: &[i16],
        sums: &[i16],
        left: &mut [i16],
    ) -> () {
        for (left, (&t, &s)) in left.iter_mut().zip(target.iter().zip(sums)) {
            *left = t.saturating_sub(s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_builds_give_the_same() {
        let a: Vec<i16> = (0..99).map(|i| (i * 7919 % 65536 - 32768) as i16).collect();
        let b: Vec<i16> = a.iter().rev().map(|v| v / 3).collect();
        assert_eq!(short_dot(&a, &b), short_dot_plain(&a, &b));
        assert_eq!(energy(&a), energy_plain(&a));
        assert_eq!(distance(&a, &b), distance_plain(&a, &b));
        for shift in 0..=4 {
            let scale = Stage { codebook: 0, shift };
            assert_eq!(gain(&a, &b, scale), gain_plain(&a, &b, scale));
            let (mut taken, mut plain) = (a.clone(), a.clone());
            take(&mut taken, &b, scale);
            take_plain(&mut plain, &b, scale);
            assert_eq!(taken, plain);
        }
        let (mut left, mut plain) = (a.clone(), a.clone());
        less(&a, &b, &mut left);
        less_plain(&a, &b, &mut plain);
        assert_eq!(left, plain);
    }
}
