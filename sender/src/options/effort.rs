//! `--speed`.

use std::fmt;
use std::str::FromStr;

use crate::choice::{ParseSpeedError, Speed};

/// How much work the choice may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// As much as there is time for, at most that of [`Speed::Medium`].
    #[default]
    Auto,
    /// This much, also where frames are left out for it.
    Fixed(Speed),
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(speed) => speed.fmt(f),
        }
    }
}

impl FromStr for Effort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            name => name
                .parse()
                .map(Self::Fixed)
                .map_err(|error: ParseSpeedError| format!("{error}, or auto")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for effort in [Effort::Auto, Effort::Fixed(Speed::Brisk)] {
            assert_eq!(effort.to_string().parse(), Ok(effort));
        }
        let error = "quick".parse::<Effort>().unwrap_err();
        assert!(
            error.contains("thorough") && error.ends_with("or auto"),
            "{error}"
        );
    }
}
