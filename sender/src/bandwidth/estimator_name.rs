//! What estimators are called.

use std::fmt;
use std::str::FromStr;

const NAMES: [(&str, EstimatorName); 2] =
    [("burst", EstimatorName::Burst), ("gcc", EstimatorName::Gcc)];

/// An estimator to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum EstimatorName {
    /// raq's own, from how far the path spreads frames: [`Bandwidth`](super::Bandwidth).
    #[default]
    Burst,
    /// libwebrtc's, without probes: [`Gcc`](super::gcc::Gcc).
    Gcc,
}

impl fmt::Display for EstimatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, it)| it == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// No name of an estimator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no estimator; give burst or gcc")]
pub struct ParseEstimatorError(String);

impl FromStr for EstimatorName {
    type Err = ParseEstimatorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = NAMES.iter().find(|(name, _)| *name == text);
        name.map(|(_, it)| *it)
            .ok_or_else(|| ParseEstimatorError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (text, estimator) in NAMES {
            assert_eq!(text.parse(), Ok(estimator));
            assert_eq!(estimator.to_string(), text);
        }
        assert!("GCC".parse::<EstimatorName>().is_err());
    }
}
