//! What is said of pictures that screens and image files cannot take.

use raq_shared::colours::ColourError;
use raq_shared::exit::{Exit, Failure};

/// Cause and cure.
pub(super) fn failure(error: ColourError) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("{error}; choose --output FILE.y4m, - or null"),
    )
}
