//! How much work the choice may do.

use raq_shared::tile::Filter;

use super::motion::Reach;

/// How much work the choice may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speed {
    /// Motion of whole tiles within 16 pixels, two filters; few codewords, of the stages that win
    /// often.
    Fast,
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
                quarters: false,
            },
            Self::Medium => Reach {
                pixels: 24,
                quarters: true,
            },
            Self::Thorough => Reach {
                pixels: 31,
                quarters: true,
            },
        }
    }

    /// How far guesses of gains lie above the mean.
    pub(super) fn hope(self) -> f32 {
        match self {
            Self::Fast => 1.6,
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
            Self::Medium => 0.4,
            Self::Thorough => f32::NEG_INFINITY,
        }
    }

    /// A stage that won less than this share of the searches of like blocks is left out of most.
    pub(super) fn habit(self) -> f32 {
        match self {
            Self::Fast => 0.12,
            Self::Medium => 0.09,
            Self::Thorough => 0.0,
        }
    }
}
