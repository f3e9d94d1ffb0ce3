//! Exact sums over rows of 16-bit numbers, built for the processor at hand.

use raq_shared::twice;

twice! {
    /// Sum of products in 32 bits, which must hold it.
    fn short_dot [short_dot_plain, short_dot_avx2] (a: &[i16], b: &[i16]) -> i32 {
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
