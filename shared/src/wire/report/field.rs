//! Fields of a report, one after the other.

use crate::wire::datagram::DatagramError;

/// The largest varint.
pub(super) const MAX_VARINT: u32 = (1 << 28) - 1;

/// Appends a number, at most [`MAX_VARINT`], seven bits a byte, the lowest first.
pub(super) fn put_varint(mut value: u32, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads fields from the bytes of a datagram.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(datagram: &'a [u8]) -> Self {
        Self {
            rest: datagram,
            len: datagram.len(),
        }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn short(&self) -> DatagramError {
        DatagramError::Short(self.len)
    }

    pub(super) fn slice(&mut self, bytes: usize) -> Result<&'a [u8], DatagramError> {
        let (slice, rest) = self
            .rest
            .split_at_checked(bytes)
            .ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DatagramError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DatagramError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A number at most [`MAX_VARINT`], in no more bytes than it needs.
    pub(super) fn varint(&mut self) -> Result<u32, DatagramError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let superfluous = byte == 0 && shift > 0;
                return if superfluous {
                    Err(DatagramError::Field)
                } else {
                    Ok(value)
                };
            }
        }
        Err(DatagramError::Field)
    }
}
