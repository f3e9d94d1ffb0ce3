//! How much work the choice may do.

use std::fmt;
use std::str::FromStr;

use raq_shared::tile::Filter;

use super::motion::Reach;

const NAMES: [(&str, Speed); 4] = [
    ("fast", Speed::Fast),
    ("brisk", Speed::Brisk),
    ("medium", Speed::Medium),
    ("thorough", Speed::Thorough),
];

/// How much work the choice may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speed {
    /// Motion of whole tiles within 16 pixels, two filters; few codewords, of the stages that win
    /// often.
    Fast,
    /// As medium, but blocks of which little is hoped are not looked at.
    Brisk,
    /// Motion of quarters within 24 pixels, all filters; codewords that point roughly as the residual does.
    #[default]
    Medium,
    /// Motion of quarters as far as it reaches; all codewords of all stages, and blocks of which
    /// little is hoped as well.
    Thorough,
}

impl Speed {
    /// How far motion is looked for.
    pub(super) fn reach(self) -> Reach {
        match self {
            Self::Fast => Reach {
                pixels: 16,
                step: 4,
                quarters: false,
            },
            Self::Brisk | Self::Medium => Reach {
                pixels: 24,
                step: 4,
                quarters: true,
            },
            Self::Thorough => Reach {
                pixels: 31,
                step: 2,
                quarters: true,
            },
        }
    }

    /// How far guesses of gains lie above the mean.
    pub(super) fn hope(self) -> f32 {
        match self {
            Self::Fast => 1.6,
            Self::Brisk => 1.4,
            Self::Medium => 2.0,
            Self::Thorough => 4.0,
        }
    }

    /// The filters that copies are tried with.
    pub(super) fn filters(self) -> &'static [Filter] {
        match self {
            Self::Fast => &[Filter::Linear, Filter::Smooth],
            _ => &Filter::ALL,
        }
    }

    /// How near clusters of codewords are searched: the part of the nearest one's product with the
    /// residual.
    pub(super) fn part(self) -> f32 {
        match self {
            Self::Fast => 0.5,
            Self::Brisk | Self::Medium => 0.4,
            Self::Thorough => f32::NEG_INFINITY,
        }
    }

    /// A stage that won less than this share of the searches of like blocks is left out of most.
    pub(super) fn habit(self) -> f32 {
        match self {
            Self::Fast => 0.12,
            Self::Brisk | Self::Medium => 0.09,
            Self::Thorough => 0.0,
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = NAMES.iter().find(|(_, speed)| speed == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// No name of a speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no speed; give fast, brisk, medium or thorough")]
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
