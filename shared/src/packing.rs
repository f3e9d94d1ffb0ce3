//! Codeword indices as bytes: mixed radix with radix K̃ throughout, an exact inverse for every K̃.
//!
//! Indices are taken in chunks of m; a chunk is one number with m digits in base K̃, the first
//! digit the most significant, written in ceil(m · log2 K̃) bits, most significant bit first. m is
//! the number of digits that wastes least per digit while K̃^m ≤ 2^128 (the smallest such m). The
//! last chunk holds what is left over; the last byte is filled up with zero bits. K̃ = 1 takes no
//! bytes at all.

use crate::codebook::MAX_CODEWORDS;

/// Bytes that are no packed indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackingError {
    /// Not the length that so many indices take.
    #[error("{actual} bytes where the indices take {expected}")]
    Length {
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A chunk is not below K̃^m: an index would be K̃ or more.
    #[error("a chunk of indices is out of range")]
    Value,
    /// The bits after the last index are not zero.
    #[error("the bits after the last index are not zero")]
    Padding,
}

/// Bytes that `count` indices below `codewords` take; exact.
///
/// # Panics
/// When `codewords` is not 1..=4096.
pub fn packed_len(count: usize, codewords: usize) -> usize {
    let radix = Radix::new(codewords);
    let full = count / radix.digits * radix.bits as usize;
    (full + radix.bits_of(count % radix.digits) as usize).div_ceil(8)
}

/// Appends `indices`, each below `codewords`, to `out`.
///
/// # Panics
/// When `codewords` is not 1..=4096 or an index is not below it.
pub fn pack(indices: impl IntoIterator<Item = u16>, codewords: usize, out: &mut Vec<u8>) {
    let radix = Radix::new(codewords);
    let mut writer = BitWriter {
        out,
        held: 0,
        bits: 0,
    };
    let (mut value, mut digits) = (0u128, 0);
    // Digits gather in a machine word first: 128-bit multiplication is dear.
    let (mut word, mut scale, mut gathered) = (0u64, 1u64, 0);
    for index in indices {
        assert!(
            usize::from(index) < codewords,
            "index {index} of {codewords} codewords"
        );
        word = word * radix.base + u64::from(index);
        scale *= radix.base;
        gathered += 1;
        digits += 1;
        if gathered == radix.word_digits || digits == radix.digits {
            value = value * u128::from(scale) + u128::from(word);
            (word, scale, gathered) = (0, 1, 0);
        }
        if digits == radix.digits {
            writer.put(value, radix.bits);
            (value, digits) = (0, 0);
        }
    }
    value = value * u128::from(scale) + u128::from(word);
    writer.put(value, radix.bits_of(digits));
    writer.finish();
}

/// Reads `count` indices below `codewords` from `bytes` into `indices` (cleared first).
///
/// # Errors
/// [`PackingError`] when `bytes` is not exactly what [`pack`] makes of some indices; `indices` is
/// then of no use.
///
/// # Panics
/// When `codewords` is not 1..=4096.
pub fn unpack(
    bytes: &[u8],
    count: usize,
    codewords: usize,
    indices: &mut Vec<u16>,
) -> Result<(), PackingError> {
    let radix = Radix::new(codewords);
    indices.clear();
    let expected = packed_len(count, codewords);
    if bytes.len() != expected {
        return Err(PackingError::Length {
            expected,
            actual: bytes.len(),
        });
    }
    indices.resize(count, 0);
    let mut reader = BitReader {
        bytes,
        held: 0,
        bits: 0,
    };
    for chunk in indices.chunks_mut(radix.digits) {
        let mut value = reader.take(radix.bits_of(chunk.len()));
        // From the last digit backwards, a machine word of digits at a time.
        for word in chunk.rchunks_mut(radix.word_digits) {
            let (quotient, mut rest) = divide(value, radix.base.pow(word.len() as u32) as u32);
            value = quotient;
            for digit in word.iter_mut().rev() {
                *digit = (rest % radix.base as u32) as u16;
                rest /= radix.base as u32;
            }
        }
        if value != 0 {
            return Err(PackingError::Value);
        }
    }
    if reader.held != 0 {
        return Err(PackingError::Padding);
    }
    Ok(())
}

/// How indices of one K̃ are grouped.
struct Radix {
    base: u64,
    /// Digits per chunk, m.
    digits: usize,
    /// Bits per chunk.
    bits: u32,
    /// Digits whose number fits 32 bits.
    word_digits: usize,
}

impl Radix {
    fn new(codewords: usize) -> Self {
        assert!(
            (1..=MAX_CODEWORDS).contains(&codewords),
            "{codewords} codewords"
        );
        let base = codewords as u64;
        let (mut digits, mut bits) = (1, power_bits(base.into()));
        let mut power = u128::from(base);
        // A power of two wastes nothing with one digit.
        if !base.is_power_of_two() {
            for m in 2usize.. {
                let Some(next) = power.checked_mul(base.into()) else {
                    break;
                };
                power = next;
                let candidate = power_bits(power);
                if candidate as usize * digits < bits as usize * m {
                    (digits, bits) = (m, candidate);
                }
            }
        }
        let mut word_digits = 1;
        if base > 1 {
            while base.pow(word_digits as u32 + 1) <= u64::from(u32::MAX) {
                word_digits += 1;
            }
        }
        Self {
            base,
            digits,
            bits,
            word_digits,
        }
    }

    /// Bits of a chunk of `digits` ≤ m digits.
    fn bits_of(&self, digits: usize) -> u32 {
        if digits == self.digits {
            self.bits
        } else {
            power_bits(u128::from(self.base).pow(digits as u32))
        }
    }
}

/// ceil(log2(`power`)).
fn power_bits(power: u128) -> u32 {
    128 - (power - 1).leading_zeros()
}

/// Long division in 32-bit limbs: much faster than a 128-bit one.
fn divide(value: u128, by: u32) -> (u128, u32) {
    let by = u64::from(by);
    let (mut quotient, mut rest) = (0u128, 0u64);
    for shift in [96, 64, 32, 0] {
        let part = rest << 32 | u64::from((value >> shift) as u32);
        quotient |= u128::from(part / by) << shift;
        rest = part % by;
    }
    (quotient, rest as u32)
}

struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet written, the lowest `bits` of it; fewer than 32.
    held: u64,
    bits: u32,
}

impl BitWriter<'_> {
    fn put(&mut self, value: u128, bits: u32) {
        let mut left = bits;
        while left > 0 {
            let take = left.min(32);
            left -= take;
            let piece = (value >> left) as u64 & ((1 << take) - 1);
            self.held = self.held << take | piece;
            self.bits += take;
            if self.bits >= 32 {
                self.bits -= 32;
                self.out
                    .extend_from_slice(&((self.held >> self.bits) as u32).to_be_bytes());
                self.held &= (1 << self.bits) - 1;
            }
        }
    }

    fn finish(self) {
        let aligned = ((self.held << (32 - self.bits)) as u32).to_be_bytes();
        self.out
            .extend_from_slice(&aligned[..self.bits.div_ceil(8) as usize]);
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits not yet taken, the lowest `bits` of it; fewer than 32.
    held: u64,
    bits: u32,
}

impl BitReader<'_> {
    /// The next `bits` ≤ 128 bits; the caller has checked that they are there.
    fn take(&mut self, bits: u32) -> u128 {
        let mut value = 0;
        let mut left = bits;
        while left > 0 {
            let take = left.min(32);
            left -= take;
            while self.bits < take {
                let (&byte, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
                self.bytes = rest;
                self.held = self.held << 8 | u64::from(byte);
                self.bits += 8;
            }
            self.bits -= take;
            value = value << take | u128::from(self.held >> self.bits);
            self.held &= (1 << self.bits) - 1;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(indices: &[u16], codewords: usize) {
        let mut bytes = Vec::new();
        pack(indices.iter().copied(), codewords, &mut bytes);
        assert_eq!(
            bytes.len(),
            packed_len(indices.len(), codewords),
            "K̃ = {codewords}"
        );
        let mut back = Vec::new();
        assert_eq!(
            unpack(&bytes, indices.len(), codewords, &mut back),
            Ok(()),
            "K̃ = {codewords}"
        );
        assert_eq!(back, indices, "K̃ = {codewords}");
    }

    #[test]
    fn every_codebook_size_round_trips() {
        for codewords in 1..=MAX_CODEWORDS {
            let digits = Radix::new(codewords).digits;
            for count in [0, 1, digits - 1, digits, digits + 1, 3 * digits + 2] {
                let top = codewords as u16 - 1;
                round_trip(&vec![top; count], codewords);
                let mixed: Vec<u16> = (0..count)
                    .map(|i| (i * 2654435761 % codewords) as u16)
                    .collect();
                round_trip(&mixed, codewords);
            }
        }
    }

    #[test]
    fn little_is_wasted() {
        for codewords in 2..=MAX_CODEWORDS {
            let bits = packed_len(3840, codewords) as f64 * 8.0 / 3840.0;
            let entropy = (codewords as f64).log2();
            assert!(
                bits < entropy * 1.01 + 0.01,
                "K̃ = {codewords}: {bits} over {entropy}"
            );
        }
    }

    #[test]
    fn one_codeword_takes_no_bytes() {
        assert_eq!(packed_len(1_000_000, 1), 0);
        let mut indices = Vec::new();
        assert_eq!(unpack(&[], 5, 1, &mut indices), Ok(()));
        assert_eq!(indices, [0; 5]);
        assert!(unpack(&[0], 5, 1, &mut indices).is_err());
    }

    #[test]
    fn what_no_packer_writes_is_refused() {
        let mut indices = Vec::new();
        // Three digits of base 3 take 5 bits: 27 to 31 are no chunk.
        assert_eq!(packed_len(3, 3), 1);
        assert_eq!(
            unpack(&[27 << 3], 3, 3, &mut indices),
            Err(PackingError::Value)
        );
        assert_eq!(unpack(&[26 << 3], 3, 3, &mut indices), Ok(()));
        assert_eq!(
            unpack(&[26 << 3 | 1], 3, 3, &mut indices),
            Err(PackingError::Padding)
        );
        let length = PackingError::Length {
            expected: 1,
            actual: 2,
        };
        assert_eq!(unpack(&[0, 0], 3, 3, &mut indices), Err(length));
    }

    proptest! {
        #[test]
        fn any_indices_round_trip(
            (codewords, indices) in (1usize..=MAX_CODEWORDS).prop_flat_map(|k| {
                (Just(k), prop::collection::vec(0..k as u16, 0..300))
            })
        ) {
            round_trip(&indices, codewords);
        }

        #[test]
        fn any_bytes_are_an_error_or_what_packing_makes(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            count in 0usize..300,
            codewords in 1usize..=MAX_CODEWORDS,
        ) {
            let mut indices = Vec::new();
            if unpack(&bytes, count, codewords, &mut indices).is_ok() {
                let mut again = Vec::new();
                pack(indices, codewords, &mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
