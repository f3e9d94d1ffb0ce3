//! What policies are called.

use std::{fmt, str::FromStr};

use raq_send::bandwidth::EstimatorName;
use raq_shared::units::Bitrate;

use super::{Fixed, Gcc, Oracle, Policy, Raq, Salsify, Setup};

/// Kilobits per second that `fixed` can be given.
const FIXED: std::ops::RangeInclusive<u64> = 1..=1_000_000;

/// A policy to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyName {
    /// At this rate, whole kbit/s: `fixed:KBPS`.
    Fixed(Bitrate),
    /// libwebrtc's.
    Gcc,
    /// Knows the link.
    Oracle,
    /// The product.
    Raq,
    /// The product with libwebrtc's estimator, as `raq-send --estimator gcc`.
    RaqGcc,
    /// Salsify's estimator.
    Salsify,
}

impl PolicyName {
    /// The policy at the start of its flow.
    pub fn build(&self, setup: &Setup) -> Box<dyn Policy> {
        match self {
            Self::Fixed(rate) => Box::new(Fixed::new(setup.capped(*rate))),
            Self::Gcc => Box::new(Gcc::new(setup)),
            Self::Oracle => Box::new(Oracle::new(setup)),
            Self::Raq => Box::new(Raq(EstimatorName::Burst)),
            Self::RaqGcc => Box::new(Raq(EstimatorName::Gcc)),
            Self::Salsify => Box::new(Salsify::new(setup)),
        }
    }
}

/// The names, each once, in their order.
pub fn distinct(names: &[PolicyName]) -> Vec<PolicyName> {
    let first = |(at, name): &(usize, &PolicyName)| !names[..*at].contains(name);
    let kept = names.iter().enumerate().filter(first);
    kept.map(|(_, name)| *name).collect()
}

impl PolicyName {
    /// Whether QUIC's congestion window limits it: the product leaves it in force, comparators bring
    /// their own control.
    pub fn is_windowed(self) -> bool {
        matches!(self, Self::Raq | Self::RaqGcc)
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(rate) => write!(f, "fixed:{}", rate.bits_per_second() / 1000),
            Self::Gcc => f.write_str("gcc"),
            Self::Oracle => f.write_str("oracle"),
            Self::Raq => f.write_str("raq"),
            Self::RaqGcc => f.write_str("raq+gcc"),
            Self::Salsify => f.write_str("salsify"),
        }
    }
}

/// The text is no policy's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is called so.
    #[error("there is no policy {0:?}; choose raq, raq+gcc, gcc, salsify, oracle or fixed:KBPS")]
    Unknown(String),
    /// `fixed` without a rate that can be used.
    #[error("{0:?} is no rate for fixed; give whole kbit/s, 1 to 1000000, as in fixed:500")]
    Rate(String),
}

impl FromStr for PolicyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "gcc" => Ok(Self::Gcc),
            "oracle" => Ok(Self::Oracle),
            "raq" => Ok(Self::Raq),
            "raq+gcc" => Ok(Self::RaqGcc),
            "salsify" => Ok(Self::Salsify),
            _ => {
                let rate = match text.strip_prefix("fixed") {
                    Some("") => "",
                    Some(rest) => rest
                        .strip_prefix(':')
                        .ok_or_else(|| NameError::Unknown(text.into()))?,
                    None => return Err(NameError::Unknown(text.into())),
                };
                let kilobits = rate
                    .parse()
                    .ok()
                    .filter(|kilobits| FIXED.contains(kilobits));
                kilobits
                    .map(|kilobits| Self::Fixed(Bitrate::from_kilobits_per_second(kilobits)))
                    .ok_or_else(|| NameError::Rate(rate.into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_again_counts_once() {
        let names: Vec<PolicyName> = ["raq", "gcc", "raq", "fixed:5", "gcc"]
            .map(|name| name.parse().unwrap())
            .to_vec();
        let once: Vec<String> = distinct(&names).iter().map(ToString::to_string).collect();
        assert_eq!(once, ["raq", "gcc", "fixed:5"]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "raq",
            "raq+gcc",
            "gcc",
            "salsify",
            "oracle",
            "fixed:1",
            "fixed:500",
        ] {
            let name: PolicyName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        let rate = Bitrate::from_kilobits_per_second(500);
        assert_eq!("fixed:500".parse(), Ok(PolicyName::Fixed(rate)));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_choices() {
        for text in ["", "GCC", "bbr", "fixedly", "fixed500", "raq:3", "raq+"] {
            let error = text.parse::<PolicyName>().unwrap_err().to_string();
            assert!(
                error.contains("salsify") && error.contains("fixed:KBPS"),
                "{error}"
            );
        }
        for text in [
            "fixed",
            "fixed:",
            "fixed:0",
            "fixed:-5",
            "fixed:1.5",
            "fixed:1000001",
        ] {
            let error = text.parse::<PolicyName>().unwrap_err().to_string();
            assert!(error.contains("kbit/s"), "{error}");
        }
    }
}
