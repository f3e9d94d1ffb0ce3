//! What the sender is told when an output fails.

use std::io;

/// What the system says on a full disk (`ENOSPC`, as ffmpeg prints it too).
pub(super) const FULL: &str = "No space left on device";

/// Why nothing more can be written, for [`raq_shared::exit::Failure::telling`].
pub(super) fn unwritable(error: &io::Error) -> String {
    let text = error.to_string();
    let cause = text.split(" (os error ").next().unwrap_or_default();
    because(cause)
}

/// The same with a cause in words that name no file.
pub(super) fn because(cause: &str) -> String {
    let mut letters = cause.chars();
    let first = letters.next().map(|it| it.to_ascii_lowercase());
    let cause: String = first.into_iter().chain(letters).collect();
    format!("it could not write its output: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_in_words() {
        let error = io::Error::from_raw_os_error(28);
        let told = unwritable(&error);
        assert_eq!(
            told,
            "it could not write its output: no space left on device"
        );
        assert_eq!(because(FULL), told);
    }
}
