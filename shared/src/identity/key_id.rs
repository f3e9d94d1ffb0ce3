//! The name of a key: what `--print-id` prints and a trust file lists.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

const PREFIX: &str = "raq1";

/// BLAKE3 of a certificate's SubjectPublicKeyInfo. The text form is `raq1` and 52 characters of
/// lower-case base32 (RFC 4648, no padding).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The id of the key in a DER-encoded SubjectPublicKeyInfo.
    pub fn of_public_key(spki: &[u8]) -> Self {
        Self(*blake3::hash(spki).as_bytes())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Enough of the text form to recognise a key in a log.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}",
            BASE32_NOPAD.encode(&self.0).to_ascii_lowercase()
        )
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a key id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a key id ({PREFIX} and 52 characters a–z, 2–7); copy it again from --print-id, whole"
)]
pub struct ParseKeyIdError(String);

impl FromStr for KeyId {
    type Err = ParseKeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseKeyIdError(text.chars().take(80).collect());
        let digits = text.strip_prefix(PREFIX).ok_or_else(error)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(error());
        }
        let bytes = BASE32_NOPAD
            .decode(digits.to_ascii_uppercase().as_bytes())
            .map_err(|_| error())?;
        bytes.try_into().map(Self).map_err(|_| error())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_form_is_fixed() {
        // BLAKE3 of the empty input, af1349b9…; base32 by an independent tool.
        assert_eq!(
            KeyId::of_public_key(b"").to_string(),
            "raq1v4jutopv7gq2nicajxvdnxgjjgn4wjojvxarfn6mtkj4vza7gjra"
        );
    }

    proptest! {
        #[test]
        fn every_id_round_trips(bytes: [u8; 32]) {
            let id = KeyId(bytes);
            prop_assert_eq!(id.to_string().parse::<KeyId>(), Ok(id));
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in ".{0,80}") {
            if let Ok(id) = text.parse::<KeyId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
