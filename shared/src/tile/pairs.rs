//! Products of an integer matrix and a vector, two columns at a time.

/// Outputs of one vector register of 32-bit sums.
const LANES: usize = 8;
/// Registers that are summed up together.
const TOGETHER: usize = 6;
/// Outputs that are summed up together.
pub(super) const GROUP: usize = LANES * TOGETHER;

/// Two columns of [`GROUP`] rows: per row both values.
type Columns = [[i16; 2 * LANES]; TOGETHER];

/// A matrix of 16-bit numbers whose products with 16-bit vectors fit 32 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pairs {
    inputs: usize,
    /// Pairs of inputs of one group after the other.
    columns: Vec<Columns>,
}

impl Pairs {
    /// The matrix of these sizes with `at(output, input)`.
    pub(super) fn new(outputs: usize, inputs: usize, at: impl Fn(usize, usize) -> i16) -> Self {
        let pairs = inputs.div_ceil(2);
        let mut columns = vec![[[0; 2 * LANES]; TOGETHER]; outputs.div_ceil(GROUP) * pairs];
        for (output, input) in (0..outputs).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
            let (group, row) = (output / GROUP, output % GROUP);
            let columns = &mut columns[group * pairs + input / 2];
            columns[row / LANES][row % LANES * 2 + input % 2] = at(output, input);
        }
        Self { inputs, columns }
    }

    /// The product with `input`, one group of outputs after the other into `out`; what is beyond
    /// the outputs is zero.
    ///
    /// # Panics
    /// When `input` has another length than the matrix, or `out` too few groups.
    pub(super) fn product(&self, input: &[i16], out: &mut [[i32; GROUP]]) {
        assert_eq!(input.len(), self.inputs, "a vector of the matrix's width");
        let pairs = self.inputs.div_ceil(2);
        for (group, out) in self.columns.chunks_exact(pairs).zip(out) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: this processor has AVX2.
                unsafe { product_avx2(group, input, out) };
                continue;
            }
            product_scalar(group, input, out);
        }
    }
}

fn pair(two: &[i16]) -> (i16, i16) {
    (two[0], two.get(1).copied().unwrap_or(0))
}

fn product_scalar(group: &[Columns], input: &[i16], out: &mut [i32; GROUP]) {
    out.fill(0);
    for (columns, two) in group.iter().zip(input.chunks(2)) {
        let (a, b) = pair(two);
        let columns = columns.as_flattened().chunks_exact(2);
        for (sum, values) in out.iter_mut().zip(columns) {
            *sum += i32::from(a) * i32::from(values[0]) + i32::from(b) * i32::from(values[1]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn product_avx2(group: &[Columns], input: &[i16], out: &mut [i32; GROUP]) {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
        _mm256_setzero_si256, _mm256_storeu_si256,
    };
    let mut sums = [_mm256_setzero_si256(); TOGETHER];
    let mut add = |columns: &Columns, a: i16, b: i16| {
        let both = _mm256_set1_epi32(i32::from(a) & 0xffff | i32::from(b) << 16);
        for (sum, values) in sums.iter_mut().zip(columns) {
            // SAFETY: the values are 32 bytes.
            let values = unsafe { _mm256_loadu_si256(values.as_ptr().cast()) };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(values, both));
        }
    };
    let (pairs, rest) = input.as_chunks::<2>();
    for (columns, &[a, b]) in group.iter().zip(pairs) {
        add(columns, a, b);
    }
    if let (Some(columns), &[last]) = (group.last(), rest) {
        add(columns, last, 0);
    }
    for (to, sum) in out.chunks_exact_mut(LANES).zip(sums) {
        // SAFETY: the chunk is 32 bytes.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), sum) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_build_multiplies(
            outputs in 1usize..100, input in prop::collection::vec(any::<i16>(), 1..70), seed: u16,
        ) {
            // As large as rows of an orthonormal basis: sums just fit.
            let at = |o: usize, i: usize| {
                (o * 31 + i * 57 + usize::from(seed)) as i16 % 512
            };
            let matrix = Pairs::new(outputs, input.len(), at);
            let groups = outputs.div_ceil(GROUP);
            let mut out = vec![[1; GROUP]; groups];
            matrix.product(&input, &mut out);
            let pairs = input.len().div_ceil(2);
            for (group, out) in matrix.columns.chunks_exact(pairs).zip(&out) {
                let mut plain = [1; GROUP];
                product_scalar(group, &input, &mut plain);
                prop_assert_eq!(&plain, out);
            }
            for (output, &value) in out.as_flattened().iter().enumerate() {
                let products = input.iter().enumerate().map(|(i, &v)| i32::from(at(output, i)) * i32::from(v));
                let expected: i32 = if output < outputs { products.sum() } else { 0 };
                prop_assert_eq!(value, expected);
            }
        }
    }
}
