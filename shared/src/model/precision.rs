//! The numbers that the decoder calculates with: what was asked for, and what is quick here.

use std::fmt;
use std::str::FromStr;

/// Which of the model's decoders to run. The codebooks do not depend on it, and neither does what is
/// sent: only the receiver decodes pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// [`Self::Int8`] on a CPU with instructions for it ([`quick_bytes`]) and where the model has
    /// such a decoder, otherwise [`Self::F32`].
    #[default]
    Auto,
    /// `decoder.onnx`.
    F32,
    /// `decoder_int8.onnx`, on the CPU: bytes between the layers, a picture that is 0.1 dB worse in
    /// the mean.
    Int8,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Int8 => "int8",
        })
    }
}

/// The text names no precision.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no precision: give auto, f32 or int8")]
pub struct ParsePrecisionError(String);

impl FromStr for Precision {
    type Err = ParsePrecisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Auto, Self::F32, Self::Int8]
            .into_iter()
            .find(|precision| precision.to_string() == text)
            .ok_or_else(|| ParsePrecisionError(text.to_owned()))
    }
}

/// Whether this CPU adds up products of bytes in one instruction (VNNI). Without it ONNX Runtime adds
/// pairs of them in 16 bits, which saturate: slower, and a worse picture.
pub fn quick_bytes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for precision in [Precision::Auto, Precision::F32, Precision::Int8] {
            assert_eq!(
                precision.to_string().parse::<Precision>().unwrap(),
                precision
            );
        }
        let error = "fp16".parse::<Precision>().unwrap_err().to_string();
        assert!(
            error.contains("\"fp16\"") && error.contains("int8"),
            "{error}"
        );
    }
}
