//! Which processor runs the networks: what was asked for and what is really used.

use std::fmt;
use std::str::FromStr;

/// What `--provider` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Encoder and decoder on the first CUDA device where one works, otherwise on the CPU; the
    /// adapter always on the CPU.
    #[default]
    Auto,
    /// Everything on the CPU.
    Cpu,
    /// Everything on the CUDA device of this number; an error where that does not work.
    Cuda(u32),
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(device) => write!(f, "cuda:{device}"),
        }
    }
}

/// The text names no provider.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no provider: give auto, cpu, cuda or cuda:N")]
pub struct ParseProviderError(String);

impl FromStr for Provider {
    type Err = ParseProviderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let device = match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => "0",
            _ => text.strip_prefix("cuda:").unwrap_or_default(),
        };
        // CUDA device numbers are i32; a sign or blanks are refused.
        match device.parse::<u32>() {
            Ok(number) if number <= 0xffff && device.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self::Cuda(number))
            }
            _ => Err(ParseProviderError(text.to_owned())),
        }
    }
}

/// The processor that a network really runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderUsed {
    /// ONNX Runtime's CPU provider.
    Cpu,
    /// ONNX Runtime's CUDA provider on the device of this number; shape arithmetic may still be
    /// on the CPU.
    Cuda(u32),
}

impl fmt::Display for ProviderUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(device) => write!(f, "cuda:{device}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        for provider in [
            Provider::Auto,
            Provider::Cpu,
            Provider::Cuda(0),
            Provider::Cuda(7),
        ] {
            assert_eq!(provider.to_string().parse::<Provider>().unwrap(), provider);
        }
        assert_eq!("cuda".parse::<Provider>().unwrap(), Provider::Cuda(0));
    }

    #[test]
    fn refuses_everything_else() {
        for bad in [
            "",
            "gpu",
            "CUDA",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:99999999999",
            "cpu ",
        ] {
            assert!(bad.parse::<Provider>().is_err(), "{bad:?}");
        }
    }
}
