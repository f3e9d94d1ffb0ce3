//! A codebook sent as integers, for a receiver that regenerated another one.
//!
//! u32 rows, u32 dims (big-endian), then the rows as little-endian `i16`; alone on a stream.

use crate::codebook::{Codebook, CodebookDigest};

const HEADER_LEN: usize = 8;

/// What a shipped codebook must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Codewords, K_max of the model.
    pub codewords: usize,
    /// Numbers per codeword, D of the model.
    pub dim: usize,
    /// Largest absolute value.
    pub codeword_limit: i16,
    /// The digest that the sender's Hello named.
    pub digest: CodebookDigest,
}

impl Expected {
    /// Bytes of the whole shipment; read no more than this.
    pub fn shipment_len(&self) -> usize {
        HEADER_LEN + 2 * self.codewords * self.dim
    }
}

/// A shipment that is not the codebook it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShipmentError {
    /// Cut short or too long.
    #[error("the shipped codebook has {actual} bytes instead of {expected}")]
    Length {
        /// Bytes it must have.
        expected: usize,
        /// Bytes it has.
        actual: usize,
    },
    /// Another shape than the model's.
    #[error("the shipped codebook is {rows}x{dims}, the model's is {codewords}x{dim}")]
    Shape {
        /// Rows shipped.
        rows: u32,
        /// Numbers per row shipped.
        dims: u32,
        /// Codewords of the model.
        codewords: usize,
        /// Numbers per codeword of the model.
        dim: usize,
    },
    /// A value over the model's limit.
    #[error("the shipped codebook holds {value}, over the model's limit of {limit}")]
    Value {
        /// The value.
        value: i16,
        /// The limit.
        limit: i16,
    },
    /// Not the codebook that Hello named.
    #[error("the shipped codebook has digest {actual}, Hello said {expected}")]
    Digest {
        /// Digest in Hello.
        expected: CodebookDigest,
        /// Digest of what came.
        actual: CodebookDigest,
    },
}

/// The bytes of a shipment.
pub fn encode(codebook: &Codebook) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + 2 * codebook.rows().len());
    bytes.extend_from_slice(&(codebook.codewords() as u32).to_be_bytes());
    bytes.extend_from_slice(&(codebook.dim() as u32).to_be_bytes());
    bytes.extend(codebook.rows().iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Reads and verifies a shipment.
///
/// # Errors
/// [`ShipmentError`] when anything differs from `expected`.
pub fn decode(bytes: &[u8], expected: &Expected) -> Result<Codebook, ShipmentError> {
    let length = ShipmentError::Length {
        expected: expected.shipment_len(),
        actual: bytes.len(),
    };
    let Some((&[r0, r1, r2, r3, d0, d1, d2, d3], body)) = bytes.split_first_chunk::<HEADER_LEN>()
    else {
        return Err(length);
    };
    let rows = u32::from_be_bytes([r0, r1, r2, r3]);
    let dims = u32::from_be_bytes([d0, d1, d2, d3]);
    let &Expected {
        codewords,
        dim,
        codeword_limit: limit,
        digest,
    } = expected;
    let shape = ShipmentError::Shape {
        rows,
        dims,
        codewords,
        dim,
    };
    if (rows as usize, dims as usize) != (codewords, dim) {
        return Err(shape);
    }
    if bytes.len() != expected.shipment_len() {
        return Err(length);
    }
    let values: Vec<i16> = body
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&pair| i16::from_le_bytes(pair))
        .collect();
    let over = |value: &&i16| value.unsigned_abs() > limit.unsigned_abs();
    if let Some(&value) = values.iter().find(over) {
        return Err(ShipmentError::Value { value, limit });
    }
    let codebook = Codebook::new(dim, values).map_err(|_| shape)?;
    if codebook.digest() != digest {
        return Err(ShipmentError::Digest {
            expected: digest,
            actual: codebook.digest(),
        });
    }
    Ok(codebook)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> (Codebook, Expected) {
        let codebook = Codebook::new(3, (0..30).map(|i| i * 7 - 100).collect()).unwrap();
        let digest = codebook.digest();
        (
            codebook,
            Expected {
                codewords: 10,
                dim: 3,
                codeword_limit: 120,
                digest,
            },
        )
    }

    #[test]
    fn a_shipment_arrives() {
        let (codebook, expected) = sample();
        assert_eq!(decode(&encode(&codebook), &expected), Ok(codebook));
    }

    #[test]
    fn values_are_range_checked_and_the_digest_verified() {
        let (codebook, mut expected) = sample();
        let mut bytes = encode(&codebook);
        bytes[8..10].copy_from_slice(&i16::MIN.to_le_bytes());
        let limit = ShipmentError::Value {
            value: i16::MIN,
            limit: 120,
        };
        assert_eq!(decode(&bytes, &expected), Err(limit));
        bytes[8..10].copy_from_slice(&5i16.to_le_bytes());
        assert!(matches!(
            decode(&bytes, &expected),
            Err(ShipmentError::Digest { .. })
        ));
        expected.codewords = 11;
        assert!(matches!(
            decode(&bytes, &expected),
            Err(ShipmentError::Shape { .. })
        ));
    }

    proptest! {
        #[test]
        fn a_changed_shipment_is_refused(at in 0usize..68, flip in 1u8.., cut in 0usize..68) {
            let (codebook, expected) = sample();
            let mut bytes = encode(&codebook);
            bytes[at] ^= flip;
            prop_assert!(decode(&bytes, &expected).is_err());
            prop_assert!(decode(&bytes[..cut], &expected).is_err());
        }
    }
}
