//! All codebooks of a model sent as integers, for a receiver that regenerated others.
//!
//! For each codebook, in the manifest's order: u32 rows, u32 dims (big-endian), then the rows as
//! little-endian `i16`; alone on a stream.

use std::sync::Arc;
use std::time::Duration;

use crate::codebook::{Codebook, CodebookDigest};
use crate::codebooks::Codebooks;

const HEADER_LEN: usize = 8;
/// How long a shipment may take to begin.
const BEGINNING: Duration = Duration::from_secs(10);
/// A shipment may take as long as this many bytes a second need.
const RATE: usize = 32 << 10;

/// How long a shipment of `bytes` may take.
pub fn patience(bytes: usize) -> Duration {
    BEGINNING + Duration::from_millis((1000 * bytes / RATE) as u64)
}

/// What shipped codebooks must be.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Codebooks of the model, whose names, shapes and stages those that come have.
    pub like: Arc<Codebooks>,
    /// Largest absolute value.
    pub codeword_limit: i16,
    /// The digest that the sender's Hello named.
    pub digest: CodebookDigest,
}

impl Expected {
    /// Bytes of the whole shipment; read no more than this.
    pub fn shipment_len(&self) -> usize {
        self.like.list().iter().map(part_len).sum()
    }
}

/// Bytes of one codebook in a shipment.
fn part_len(codebook: &Codebook) -> usize {
    HEADER_LEN + 2 * codebook.rows().len()
}

/// A shipment that is not the codebooks it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShipmentError {
    /// Cut short or too long.
    #[error("the shipped codebooks have {actual} bytes instead of {expected}")]
    Length {
        /// Bytes they must have.
        expected: usize,
        /// Bytes they have.
        actual: usize,
    },
    /// Another shape than the model's.
    #[error("the shipped codebook {name} is {rows}x{dims}, the model's is {codewords}x{dim}")]
    Shape {
        /// What the model calls it.
        name: String,
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
    #[error("the shipped codebook {name} holds {value}, over the model's limit of {limit}")]
    Value {
        /// What the model calls it.
        name: String,
        /// The value.
        value: i16,
        /// The limit.
        limit: i16,
    },
    /// Not the codebooks that Hello named.
    #[error("the shipped codebooks have digest {actual}, Hello said {expected}")]
    Digest {
        /// Digest in Hello.
        expected: CodebookDigest,
        /// Digest of what came.
        actual: CodebookDigest,
    },
    /// They do not go together, although they are like the model's.
    #[error("the shipped codebooks make no model: {0}")]
    Set(String),
}

/// The bytes of a shipment.
pub fn encode(codebooks: &Codebooks) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(codebooks.list().iter().map(part_len).sum());
    for codebook in codebooks.list() {
        bytes.extend_from_slice(&(codebook.codewords() as u32).to_be_bytes());
        bytes.extend_from_slice(&(codebook.dim() as u32).to_be_bytes());
        bytes.extend(codebook.rows().iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

/// Reads and verifies a shipment.
///
/// # Errors
/// [`ShipmentError`] when anything differs from `expected`.
pub fn decode(bytes: &[u8], expected: &Expected) -> Result<Codebooks, ShipmentError> {
    let length = || ShipmentError::Length {
        expected: expected.shipment_len(),
        actual: bytes.len(),
    };
    let like = &expected.like;
    let mut rest = bytes;
    let mut list = Vec::with_capacity(like.list().len());
    for model in like.list() {
        let header = rest.split_off(..HEADER_LEN).ok_or_else(length)?;
        check_header(header, model)?;
        let body = rest
            .split_off(..2 * model.rows().len())
            .ok_or_else(length)?;
        list.push(read(body, model, expected.codeword_limit)?);
    }
    if !rest.is_empty() {
        return Err(length());
    }
    let codebooks = Codebooks::new(like.latent_dim(), list, like.stages().to_vec())
        .map_err(|error| ShipmentError::Set(error.to_string()))?;
    if codebooks.digest() != expected.digest {
        return Err(ShipmentError::Digest {
            expected: expected.digest,
            actual: codebooks.digest(),
        });
    }
    Ok(codebooks)
}

/// Compares the shape in `header` with that of the model's codebook.
fn check_header(header: &[u8], model: &Codebook) -> Result<(), ShipmentError> {
    let number = |at: usize| {
        let bytes = header[at..].first_chunk().copied();
        u32::from_be_bytes(bytes.unwrap_or_default())
    };
    let (rows, dims) = (number(0), number(4));
    let (codewords, dim) = (model.codewords(), model.dim());
    if (rows as usize, dims as usize) == (codewords, dim) {
        return Ok(());
    }
    Err(ShipmentError::Shape {
        name: model.name().to_owned(),
        rows,
        dims,
        codewords,
        dim,
    })
}

/// A codebook like `model` of the rows in `body`, which has their length.
fn read(body: &[u8], model: &Codebook, limit: i16) -> Result<Codebook, ShipmentError> {
    let pairs = body.as_chunks::<2>().0.iter();
    let values: Vec<i16> = pairs.map(|&pair| i16::from_le_bytes(pair)).collect();
    let over = |value: &&i16| value.unsigned_abs() > limit.unsigned_abs();
    if let Some(&value) = values.iter().find(over) {
        let name = model.name().to_owned();
        return Err(ShipmentError::Value { name, value, limit });
    }
    Codebook::named(model.name(), model.shape(), values)
        .map_err(|error| ShipmentError::Set(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codebook::CodewordShape;
    use crate::codebooks::Stage;
    use proptest::prelude::*;

    /// Ten codewords of three numbers, and two of four that cover a square of positions: 68 and
    /// 24 bytes.
    fn sample() -> (Codebooks, Expected) {
        let position = Codebook::new(3, (0..30).map(|i| i * 7 - 100).collect()).unwrap();
        let shape = CodewordShape { cover: 2, lead: 1 };
        let quarter = Codebook::named("quarter", shape, (10..18).collect()).unwrap();
        let stages = [(0, 0), (1, 0), (1, 2)].map(|(codebook, shift)| Stage { codebook, shift });
        let codebooks = Codebooks::new(3, vec![position, quarter], stages.to_vec()).unwrap();
        let digest = codebooks.digest();
        // What the receiver regenerated differs in one number.
        let mut rows = codebooks.list()[0].rows().to_vec();
        rows[4] ^= 1;
        let other = Codebook::new(3, rows).unwrap();
        let like = vec![other, codebooks.list()[1].clone()];
        let like = Codebooks::new(3, like, stages.to_vec()).unwrap();
        let expected = Expected {
            like: Arc::new(like),
            codeword_limit: 120,
            digest,
        };
        (codebooks, expected)
    }

    #[test]
    fn a_shipment_arrives() {
        let (codebooks, expected) = sample();
        let bytes = encode(&codebooks);
        assert_eq!((bytes.len(), expected.shipment_len()), (92, 92));
        assert_ne!(*expected.like, codebooks);
        assert_eq!(decode(&bytes, &expected), Ok(codebooks));
    }

    #[test]
    fn values_are_range_checked_and_the_digest_verified() {
        let (codebooks, expected) = sample();
        for (at, name) in [(8, "position"), (76, "quarter")] {
            let mut bytes = encode(&codebooks);
            bytes[at..at + 2].copy_from_slice(&i16::MIN.to_le_bytes());
            let limit = ShipmentError::Value {
                name: name.to_owned(),
                value: i16::MIN,
                limit: 120,
            };
            assert_eq!(decode(&bytes, &expected), Err(limit));
            bytes[at..at + 2].copy_from_slice(&5i16.to_le_bytes());
            assert!(matches!(
                decode(&bytes, &expected),
                Err(ShipmentError::Digest { .. })
            ));
            bytes[at - 1] ^= 1;
            assert!(matches!(
                decode(&bytes, &expected),
                Err(ShipmentError::Shape { name: found, .. }) if found == name
            ));
        }
    }

    #[test]
    fn the_order_is_the_manifests() {
        let (codebooks, expected) = sample();
        let bytes = encode(&codebooks);
        let swapped = [&bytes[68..], &bytes[..68]].concat();
        assert!(decode(&swapped, &expected).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_shipment_is_refused(at in 0usize..92, flip in 1u8.., cut in 0usize..92) {
            let (codebooks, expected) = sample();
            let mut bytes = encode(&codebooks);
            prop_assert!(decode(&[&bytes[..], &[0]].concat(), &expected).is_err());
            bytes[at] ^= flip;
            prop_assert!(decode(&bytes, &expected).is_err());
            prop_assert!(decode(&bytes[..cut], &expected).is_err());
        }
    }
}
