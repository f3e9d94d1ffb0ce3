//! Reads the constants of an ONNX file, with no more of protobuf and of ONNX than that takes.

use std::collections::HashMap;

/// A constant: its shape and values. All that the adapter stores is exact in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Name in the graph.
    pub name: String,
    /// Length of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f64>,
}

/// The constants of the main graph (not of the bodies of its loops) in the file's order.
///
/// # Panics
/// Where the bytes are no ONNX model, or a constant is stored in another way than raw bytes.
pub fn constants(model: &[u8]) -> Vec<Constant> {
    let graph = fields(model).find_map(|(number, value)| (number == 7).then(|| value.bytes()));
    fields(graph.expect("a model has a graph"))
        .filter(|(number, _)| *number == 5)
        .map(|(_, tensor)| constant(tensor.bytes()))
        .collect()
}

/// [`constants`] by name.
///
/// # Panics
/// As [`constants`].
pub fn constants_by_name(model: &[u8]) -> HashMap<String, Constant> {
    constants(model)
        .into_iter()
        .map(|c| (c.name.clone(), c))
        .collect()
}

fn constant(tensor: &[u8]) -> Constant {
    let (mut name, mut shape, mut kind, mut raw) = (String::new(), Vec::new(), 0, &[][..]);
    for (number, value) in fields(tensor) {
        match (number, value) {
            (1, Value::Number(length)) => shape.push(length as usize),
            // Packed, as protobuf writes repeated numbers by default.
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    shape.push(varint(&mut packed) as usize);
                }
            }
            (2, Value::Number(number)) => kind = number,
            (8, Value::Bytes(text)) => name = String::from_utf8(text.to_vec()).expect("UTF-8"),
            (9, Value::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let values: Vec<f64> = match kind {
        1 => numbers(raw, |b| f64::from(f32::from_le_bytes(b))),
        3 => numbers(raw, |b| f64::from(i8::from_le_bytes(b))),
        5 => numbers(raw, |b| f64::from(i16::from_le_bytes(b))),
        6 => numbers(raw, |b| f64::from(i32::from_le_bytes(b))),
        7 => numbers(raw, |b| i64::from_le_bytes(b) as f64),
        other => panic!("{name} has element type {other}, which the adapter does not use"),
    };
    assert_eq!(
        values.len(),
        shape.iter().product::<usize>(),
        "{name} is not stored as raw bytes"
    );
    Constant {
        name,
        shape,
        values,
    }
}

fn numbers<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.chunks_exact(N)
        .map(|bytes| read(bytes.try_into().expect("N bytes")))
        .collect()
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(_) => panic!("a message was expected"),
        }
    }
}

/// Field numbers and values of a protobuf message.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let tag = varint(&mut message);
        let mut take = |length: usize| {
            let (taken, rest) = message.split_at(length);
            message = rest;
            Value::Bytes(taken)
        };
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)),
            1 => take(8),
            5 => take(4),
            2 => {
                let length = varint(&mut message) as usize;
                let (taken, rest) = message.split_at(length);
                message = rest;
                Value::Bytes(taken)
            }
            wire => panic!("wire type {wire} is not protobuf"),
        };
        Some((tag >> 3, value))
    })
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a number ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
