//! Functions built for the processor at hand.

/// Builds a function of plain Rust twice, for any processor and with AVX2, and picks at run time:
/// `fn name [plain, avx2] (argument: type) -> type { … }`. Both builds give the same, since they
/// are one source; floating-point operations are not reordered.
#[macro_export]
macro_rules! twice {
    ($(#[$meta:meta])* $vis:vis fn $name:ident [$plain:ident, $avx2:ident]
     ($($arg:ident: $type:ty),* $(,)?) -> $result:ty $body:block) => {
        #[inline(always)]
        fn $plain($($arg: $type),*) -> $result $body

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $avx2($($arg: $type),*) -> $result {
            $plain($($arg),*)
        }

        $(#[$meta])*
        $vis fn $name($($arg: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: this processor has AVX2.
                return unsafe { $avx2($($arg),*) };
            }
            $plain($($arg),*)
        }
    };
}

#[cfg(test)]
mod tests {
    crate::twice! {
        fn distance [distance_plain, distance_avx2] (a: &[i16], b: &[i16]) -> u32 {
            a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
        }
    }

    #[test]
    fn both_builds_give_the_same() {
        let a: Vec<i16> = (0..99).map(|i| i * 331).collect();
        let b: Vec<i16> = a.iter().rev().copied().collect();
        assert_eq!(distance(&a, &b), distance_plain(&a, &b));
    }
}
