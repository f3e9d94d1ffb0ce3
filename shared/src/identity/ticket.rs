//! A line that introduces a sender to a receiver, once.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use super::{IdentityError, KeyId};

const PREFIX: &str = "raqt1";
/// Bytes of the secret: nobody guesses 16.
const SECRET: usize = 16;
/// Bytes that tell a typing error: one in 16 million goes unnoticed.
const CHECK: usize = 3;
/// Key id, secret, expiry, check.
const BYTES: usize = 32 + SECRET + 4 + CHECK;
/// What the secret is for, as BLAKE3's key derivation wants it.
const PURPOSE: &str = "raq 2026-11 ticket";
/// What the check digits are for.
const CHECK_PURPOSE: &str = "raq 2026-11 ticket check digits";

/// Names a receiver by its key and holds a secret that it knows the hash of, and until when it is
/// good. The text form is `raqt1` and 88 characters of lower-case base32 (RFC 4648, no padding);
/// `shared/docs/PROTOCOL.md` says what is in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    receiver: KeyId,
    secret: [u8; SECRET],
    /// Seconds since 1970.
    expires: u32,
}

/// The hash of a ticket's secret. Whoever has it can prove that they hold the ticket.
#[derive(Clone)]
pub struct TicketKey([u8; blake3::KEY_LEN]);

impl Ticket {
    /// A new ticket for the receiver with this key, good until `expires`, seconds since 1970.
    ///
    /// # Errors
    /// [`IdentityError::Io`] where the system gives no randomness.
    pub fn new(receiver: KeyId, expires: u64) -> Result<Self, IdentityError> {
        let mut secret = [0; SECRET];
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut secret).map_err(|_| IdentityError::Io {
            path: "a new ticket".into(),
            error: std::io::Error::other("the system gives no randomness"),
        })?;
        Ok(Self {
            receiver,
            secret,
            expires: u32::try_from(expires).unwrap_or(u32::MAX),
        })
    }

    /// The only receiver that takes it.
    pub fn receiver(&self) -> KeyId {
        self.receiver
    }

    /// When it ends, seconds since 1970 by the receiver's clock.
    pub fn expires(&self) -> u64 {
        self.expires.into()
    }

    /// What to prove that one holds it, and what the receiver keeps instead of it.
    pub fn key(&self) -> TicketKey {
        TicketKey(blake3::derive_key(PURPOSE, &self.secret))
    }

    fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..32].copy_from_slice(self.receiver.bytes());
        bytes[32..48].copy_from_slice(&self.secret);
        bytes[48..52].copy_from_slice(&self.expires.to_be_bytes());
        let check = check(&bytes[..52]);
        bytes[52..].copy_from_slice(&check);
        bytes
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let [a, b, c, ..] = blake3::derive_key(CHECK_PURPOSE, bytes);
    [a, b, c]
}

impl TicketKey {
    /// What one who holds the ticket says on a connection with this `exporter` (RFC 8446, 7.5):
    /// nothing that is of use on another connection.
    pub fn proof(&self, exporter: &[u8; 32]) -> [u8; blake3::OUT_LEN] {
        *blake3::keyed_hash(&self.0, exporter).as_bytes()
    }

    /// Whether `proof` is [`Self::proof`], in a time that says nothing of where they differ.
    pub fn proves(&self, exporter: &[u8; 32], proof: &[u8; blake3::OUT_LEN]) -> bool {
        // Hashes are compared in constant time; arrays are not.
        blake3::keyed_hash(&self.0, exporter) == blake3::Hash::from_bytes(*proof)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = BASE32_NOPAD.encode(&self.bytes()).to_ascii_lowercase();
        write!(f, "{PREFIX}{digits}")
    }
}

impl fmt::Debug for Ticket {
    // The secret stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("receiver", &self.receiver)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey").finish_non_exhaustive()
    }
}

/// The text is no ticket. It is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseTicketError {
    /// Something else altogether.
    #[error("that is no ticket; give the one that raq-recv has printed, it begins with {PREFIX}")]
    Other,
    /// A piece is missing or too much.
    #[error(
        "the ticket has {0} characters instead of {len}; copy it again from raq-recv, whole",
        len = PREFIX.len() + (BYTES * 8).div_ceil(5)
    )]
    Length(usize),
    /// Characters that tickets do not have, or the check digits do not fit the rest.
    #[error("the ticket has a typing error; copy it again from raq-recv")]
    Typo,
}

impl FromStr for Ticket {
    type Err = ParseTicketError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.strip_prefix(PREFIX).ok_or(ParseTicketError::Other)?;
        if digits.len() != (BYTES * 8).div_ceil(5) {
            return Err(ParseTicketError::Length(text.chars().count()));
        }
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseTicketError::Typo);
        }
        let bytes = BASE32_NOPAD
            .decode(digits.to_ascii_uppercase().as_bytes())
            .map_err(|_| ParseTicketError::Typo)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| ParseTicketError::Typo)?;
        let (content, digits) = bytes.split_at(BYTES - CHECK);
        if check(content) != digits {
            return Err(ParseTicketError::Typo);
        }
        let (receiver, rest) = content.split_at(32);
        let (secret, expires) = rest.split_at(SECRET);
        let parts = (receiver.try_into(), secret.try_into(), expires.try_into());
        let (Ok(receiver), Ok(secret), Ok(expires)) = parts else {
            return Err(ParseTicketError::Typo);
        };
        Ok(Self {
            receiver: KeyId::from_bytes(receiver),
            secret,
            expires: u32::from_be_bytes(expires),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            receiver: KeyId::from_bytes([1; 32]),
            secret: [2; SECRET],
            expires: 0x0304_0506,
        }
    }

    #[test]
    fn the_bytes_are_fixed() {
        let ticket = ticket();
        let bytes = ticket.bytes();
        assert_eq!(bytes[..32], [1; 32]);
        assert_eq!(bytes[32..48], [2; 16]);
        assert_eq!(bytes[48..52], [3, 4, 5, 6]);
        // Check digits and proof by an independent implementation of BLAKE3.
        let text = "raqt1aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqeaqcaibaeaqcaibaeaqcaibae\
                    ayeaudoptx5";
        assert_eq!(ticket.to_string(), text);
        let proof = ticket.key().proof(&[7; 32]);
        assert_eq!(
            blake3::Hash::from_bytes(proof).to_hex().as_str(),
            "38f3e171e02ad1d1812368e2edece066e6b96b3270390c0ef108be3d70e8b237"
        );
    }

    #[test]
    fn typing_errors_are_told_and_nothing_is_repeated() {
        let text = ticket().to_string();
        assert_eq!(format!(" {text}\n").parse(), Ok(ticket()));
        for at in PREFIX.len()..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[at] = if typo[at] == b'a' { b'b' } else { b'a' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(typo.parse::<Ticket>(), Err(ParseTicketError::Typo), "{at}");
        }
        let short = text[..60].parse::<Ticket>().unwrap_err();
        assert_eq!(short, ParseTicketError::Length(60));
        assert!(short.to_string().contains("60 characters instead of 93"));
        let id = KeyId::from_bytes([1; 32]).to_string();
        for other in ["", "-", "raqt", &id, &text.to_uppercase()] {
            assert_eq!(
                other.parse::<Ticket>(),
                Err(ParseTicketError::Other),
                "{other}"
            );
        }
        assert!(!format!("{:?} {:?}", ticket(), ticket().key()).contains("2, 2"));
    }

    #[test]
    fn a_proof_is_good_for_one_ticket_and_one_connection() {
        let (key, other) = (ticket().key(), Ticket::new(ticket().receiver, 9).unwrap());
        let proof = key.proof(&[1; 32]);
        assert!(key.proves(&[1; 32], &proof));
        assert!(!key.proves(&[2; 32], &proof));
        assert!(!other.key().proves(&[1; 32], &proof));
        let again = Ticket::new(ticket().receiver, 9).unwrap();
        assert_ne!(other, again, "secrets differ");
        assert_eq!((other.expires(), other.receiver()), (9, ticket().receiver));
    }

    proptest! {
        #[test]
        fn every_ticket_round_trips(id: [u8; 32], secret: [u8; SECRET], expires: u32) {
            let ticket = Ticket { receiver: KeyId::from_bytes(id), secret, expires };
            prop_assert_eq!(ticket.to_string().parse::<Ticket>(), Ok(ticket));
        }

        #[test]
        fn any_text_is_a_ticket_or_an_error(text in "(raqt1)?.{0,100}") {
            let _ = text.parse::<Ticket>();
        }
    }
}
