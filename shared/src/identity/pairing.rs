//! What is said on a connection that introduces a sender: a proof that it holds a ticket one way,
//! a verdict the other. Bytes and rules are in `shared/docs/PROTOCOL.md`.

/// Bytes of the proof ([`TicketKey::proof`](super::TicketKey::proof)), all that a sender says.
pub const PROOF: usize = blake3::OUT_LEN;
/// Names the secret that both ends derive from the handshake (RFC 8446, 7.5).
pub(crate) const EXPORTER: &[u8] = b"EXPERIMENTAL raq pairing";

/// What the receiver answers, one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It remembers the sender's key from now on, or has done so before.
    Paired = 0,
    /// Another key has used the ticket.
    Used = 1,
    /// The ticket came too late.
    Expired = 2,
    /// It is none of its tickets.
    Unknown = 3,
    /// There were too many wrong tickets; it did not look at this one.
    TooMany = 4,
    /// It cannot remember the key.
    Failed = 5,
}

impl Verdict {
    /// The verdict in a byte; none where it means nothing.
    pub fn from_byte(byte: u8) -> Option<Self> {
        let all = [
            Self::Paired,
            Self::Used,
            Self::Expired,
            Self::Unknown,
            Self::TooMany,
            Self::Failed,
        ];
        all.into_iter().find(|&verdict| verdict as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_fixed() {
        assert_eq!(PROOF, 32);
        let verdicts: Vec<_> = (0..=255).filter_map(Verdict::from_byte).collect();
        assert_eq!(verdicts.len(), 6);
        assert_eq!(Verdict::from_byte(0), Some(Verdict::Paired));
        assert_eq!(Verdict::from_byte(3), Some(Verdict::Unknown));
        assert_eq!(Verdict::from_byte(6), None);
    }
}
