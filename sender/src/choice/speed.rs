//! Names of speeds, as flags give them.

use std::fmt;
use std::str::FromStr;

use super::Speed;

const NAMES: [(&str, Speed); 3] = [
    ("fast", Speed::Fast),
    ("medium", Speed::Medium),
    ("thorough", Speed::Thorough),
];

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(_, speed)| speed == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// No name of a speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no speed; give fast, medium or thorough")]
pub struct ParseSpeedError(String);

impl FromStr for Speed {
    type Err = ParseSpeedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, speed)| *speed)
            .ok_or_else(|| ParseSpeedError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, speed) in NAMES {
            assert_eq!(name.parse(), Ok(speed));
            assert_eq!(speed.to_string(), name);
        }
        assert!("Fast".parse::<Speed>().is_err());
    }
}
