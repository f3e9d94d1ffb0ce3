//! Sums of absolute differences of squares of pixels.

use raq_shared::tile::displace::QUARTER_PIXELS;

/// Pixels along a row that is compared at once.
const SIDE: usize = QUARTER_PIXELS;

type Row = [u8; SIDE];

/// The row at `at`.
#[inline(always)]
fn row(plane: &[u8], at: usize) -> &Row {
    plane[at..].first_chunk().expect("a row within the plane")
}

/// A square of 16 pixels to compare with.
#[derive(Clone, Copy)]
struct Place<'a> {
    plane: &'a [u8],
    width: usize,
    /// Of its first pixel.
    at: usize,
}

#[cfg(any(test, not(target_arch = "x86_64")))]
impl<'a> Place<'a> {
    #[inline(always)]
    fn row(self, y: usize, right: usize) -> &'a Row {
        row(self.plane, self.at + y * self.width + right)
    }

    /// The row between four: half a pixel on to the right, downwards or both.
    #[inline(always)]
    fn corners(self, y: usize, (right, down): (bool, bool)) -> [&'a Row; 4] {
        let (x, below) = (usize::from(right), y + usize::from(down));
        [(y, 0), (y, x), (below, 0), (below, x)].map(|(y, x)| self.row(y, x))
    }
}

#[inline(always)]
fn sum(a: &[Row], place: Place<'_>) -> [u32; 2] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE2.
    return unsafe { sse2::sum(a, place) };
    #[cfg(not(target_arch = "x86_64"))]
    plain::sum(a, place)
}

/// Sums of the four 8×8 quarters of a square of 16 pixels, whose rows are `a` and at `from` of `b`.
#[inline(always)]
pub(super) fn quarters(a: &[Row; SIDE], b: &[u8], from: usize, width: usize) -> [u32; 4] {
    let (upper, lower) = a.split_at(SIDE / 2);
    let place = |at| Place {
        plane: b,
        width,
        at,
    };
    let above = sum(upper, place(from));
    let below = sum(lower, place(from + SIDE / 2 * width));
    [above[0], above[1], below[0], below[1]]
}

/// The rows of a square of 16 pixels.
pub(super) fn rows(plane: &[u8], at: usize, width: usize) -> [Row; SIDE] {
    std::array::from_fn(|y| *row(plane, at + y * width))
}

/// The sum of a square of 16 pixels.
#[inline(always)]
pub(super) fn square(a: &[Row; SIDE], b: &[u8], from: usize, width: usize) -> u32 {
    let place = Place {
        plane: b,
        width,
        at: from,
    };
    sum(a, place).iter().sum()
}

/// The same with `b` half a pixel on to the right, downwards or both.
#[inline(always)]
pub(super) fn half_square(
    a: &[Row; SIDE],
    b: &[u8],
    from: usize,
    width: usize,
    half: (bool, bool),
) -> u32 {
    let place = Place {
        plane: b,
        width,
        at: from,
    };
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has SSE2.
    return unsafe { sse2::between(a, place, half) };
    #[cfg(not(target_arch = "x86_64"))]
    plain::between(a, place, half)
}

/// The build for any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod plain {
    use super::{Place, Row};

    /// Sums over the left and the right halves of rows.
    pub(super) fn sum(a: &[Row], place: Place<'_>) -> [u32; 2] {
        let mut sums = [0; 2];
        for (y, a) in a.iter().enumerate() {
            for (x, (&a, &b)) in a.iter().zip(place.row(y, 0)).enumerate() {
                sums[x / 8] += u32::from(a.abs_diff(b));
            }
        }
        sums
    }

    /// The sum over rows against the means of four, halves rounded up.
    pub(super) fn between(a: &[Row], place: Place<'_>, half: (bool, bool)) -> u32 {
        let mut sum = 0;
        for (y, a) in a.iter().enumerate() {
            let corners = place.corners(y, half);
            for (x, &a) in a.iter().enumerate() {
                let total: u16 = corners.iter().map(|c| u16::from(c[x])).sum();
                sum += u32::from(a.abs_diff(((total + 2) >> 2) as u8));
            }
        }
        sum
    }
}

/// The build with what every x86-64 processor has.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi64, _mm_and_si128, _mm_avg_epu8, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm_or_si128, _mm_sad_epu8, _mm_set1_epi8, _mm_setzero_si128, _mm_sub_epi8,
        _mm_unpackhi_epi64, _mm_xor_si128,
    };

    use super::{Place, Row, SIDE};

    #[inline]
    #[target_feature(enable = "sse2")]
    fn parts(sums: __m128i) -> [u32; 2] {
        let right = _mm_unpackhi_epi64(sums, sums);
        [
            _mm_cvtsi128_si64(sums) as u32,
            _mm_cvtsi128_si64(right) as u32,
        ]
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn sum(a: &[Row], place: Place<'_>) -> [u32; 2] {
        let end = place.at + a.len().saturating_sub(1) * place.width + SIDE;
        assert!(end <= place.plane.len(), "a square within the plane");
        let mut sums = _mm_setzero_si128();
        for (y, a) in a.iter().enumerate() {
            let at = place.at + y * place.width;
            // SAFETY: both rows have 16 bytes, that of the plane ends at or before `end`.
            let (a, b) = unsafe {
                let b = place.plane.as_ptr().add(at);
                (
                    _mm_loadu_si128(a.as_ptr().cast()),
                    _mm_loadu_si128(b.cast()),
                )
            };
            sums = _mm_add_epi64(sums, _mm_sad_epu8(a, b));
        }
        parts(sums)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn between(a: &[Row], place: Place<'_>, (right, down): (bool, bool)) -> u32 {
        let (rows, x, y) = (a.len(), usize::from(right), usize::from(down));
        let end = place.at + (rows.saturating_sub(1) + y) * place.width + SIDE + x;
        assert!(end <= place.plane.len(), "a square within the plane");
        let mut sums = _mm_setzero_si128();
        // SAFETY: the row has 16 bytes and ends at or before `end`.
        let load = |at: usize| unsafe { _mm_loadu_si128(place.plane.as_ptr().add(at).cast()) };
        let (mut p, mut q) = (load(place.at), load(place.at + x));
        for (n, a) in a.iter().enumerate() {
            let below = place.at + (n + y) * place.width;
            let (r, s) = (load(below), load(below + x));
            // Means round halves up; where two roundings made the mean of means too large by one,
            // the last bits tell.
            let (upper, lower) = (_mm_avg_epu8(p, q), _mm_avg_epu8(r, s));
            let rounded = _mm_or_si128(_mm_xor_si128(p, q), _mm_xor_si128(r, s));
            let over = _mm_and_si128(rounded, _mm_xor_si128(upper, lower));
            let over = _mm_and_si128(over, _mm_set1_epi8(1));
            let mean = _mm_sub_epi8(_mm_avg_epu8(upper, lower), over);
            // SAFETY: a row has 16 bytes.
            let a = unsafe { _mm_loadu_si128(a.as_ptr().cast()) };
            sums = _mm_add_epi64(sums, _mm_sad_epu8(a, mean));
            if n + 1 < rows {
                let next = place.at + (n + 1) * place.width;
                (p, q) = if down {
                    (r, s)
                } else {
                    (load(next), load(next + x))
                };
            }
        }
        parts(sums).iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_build_sums_alike(bytes in prop::collection::vec(any::<u8>(), 20 * 40..=20 * 40)) {
            let plane = &bytes[..];
            let (a, width) = (rows(plane, 3, 40), 40);
            let place = Place { plane, width, at: 17 };
            let quarters = quarters(&a, plane, 17, width);
            let whole = plain::sum(&a, place);
            prop_assert_eq!([quarters[0] + quarters[2], quarters[1] + quarters[3]], whole);
            for half in [(false, false), (true, false), (false, true), (true, true)] {
                let found = half_square(&a, plane, 17, width, half);
                prop_assert_eq!(found, plain::between(&a, place, half));
            }
            prop_assert_eq!(square(&a, plane, 17, width), whole[0] + whole[1]);
        }
    }
}
