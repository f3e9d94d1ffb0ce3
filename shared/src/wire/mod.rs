//! What crosses the network; written down in `shared/docs/PROTOCOL.md`.
//!
//! The only place that names the serialiser. Lengths are checked before anything is allocated.

pub mod control;
pub mod datagram;
pub mod heartbeat;
pub mod message;
pub mod note;
pub mod parity;
pub mod report;
pub mod shipment;
pub mod update;

use message::Message;

/// The protocol version both ends must share.
pub const PROTOCOL_VERSION: u16 = 1;
/// The application protocol that TLS negotiates. It names no version, so that unequal versions meet
/// and each can be told of the other.
pub const ALPN: &[u8] = b"raq";
/// The application protocol that introduces a sender, in connections of its own. Another way to do
/// that is another name.
pub const PAIRING_ALPN: &[u8] = b"raq-pair";
/// The longest control message in bytes, without its length prefix.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// A control message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The length prefix is over [`MAX_MESSAGE`].
    #[error("a control message of {0} bytes is over the limit of {MAX_MESSAGE}")]
    TooLong(usize),
    /// The bytes are no message, or more than one.
    #[error("a control message cannot be read: {0}")]
    Malformed(String),
}

/// Appends the version preface that opens the control stream in each direction.
pub fn encode_preface(out: &mut Vec<u8>) {
    out.extend_from_slice(&PROTOCOL_VERSION.to_be_bytes());
}

/// The peer's protocol version from the first two bytes of the control stream.
pub fn decode_preface(bytes: [u8; 2]) -> u16 {
    u16::from_be_bytes(bytes)
}

/// Appends `message` with its length prefix.
///
/// # Errors
/// [`MessageError::TooLong`] when it does not fit [`MAX_MESSAGE`].
pub fn encode_message(message: &Message, out: &mut Vec<u8>) -> Result<(), MessageError> {
    let body = bincode::serde::encode_to_vec(message, config())
        .map_err(|error| MessageError::Malformed(error.to_string()))?;
    if body.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong(body.len()));
    }
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// The number of bytes that follow a length prefix.
///
/// # Errors
/// [`MessageError::TooLong`] over [`MAX_MESSAGE`].
pub fn message_len(prefix: [u8; 4]) -> Result<usize, MessageError> {
    let len = u32::from_be_bytes(prefix) as usize;
    if len > MAX_MESSAGE {
        Err(MessageError::TooLong(len))
    } else {
        Ok(len)
    }
}

/// Reads one message from exactly the bytes that follow a length prefix.
///
/// # Errors
/// [`MessageError`] when they are too long, no message, or hold more than it.
pub fn decode_message(body: &[u8]) -> Result<Message, MessageError> {
    if body.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong(body.len()));
    }
    let (message, read): (Message, usize) = bincode::serde::decode_from_slice(body, config())
        .map_err(|error| MessageError::Malformed(error.to_string()))?;
    if read != body.len() {
        let left = body.len() - read;
        return Err(MessageError::Malformed(format!("{left} bytes too many")));
    }
    Ok(message)
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_MESSAGE>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_may_be_left_over() {
        let mut bytes = Vec::new();
        encode_message(&Message::Bye { frames_sent: 9 }, &mut bytes).unwrap();
        assert_eq!(
            decode_message(&bytes[4..]),
            Ok(Message::Bye { frames_sent: 9 })
        );
        bytes.push(0);
        assert!(matches!(
            decode_message(&bytes[4..]),
            Err(MessageError::Malformed(_))
        ));
    }

    #[test]
    fn long_messages_are_refused_by_their_prefix() {
        assert_eq!(message_len([0, 1, 0, 0]), Ok(MAX_MESSAGE));
        assert_eq!(
            message_len([0, 1, 0, 1]),
            Err(MessageError::TooLong(MAX_MESSAGE + 1))
        );
        assert_eq!(
            message_len([0xff; 4]),
            Err(MessageError::TooLong(u32::MAX as usize))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_message(body in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = decode_message(&body) {
                let mut again = Vec::new();
                encode_message(&message, &mut again).unwrap();
                prop_assert_eq!(decode_message(&again[4..]), Ok(message));
            }
        }

        // The first byte selects the message, so every variant's fields are reached.
        #[test]
        fn any_fields_are_an_error_or_a_message(
            variant in 0u8..6, mut body in prop::collection::vec(any::<u8>(), 1..300),
        ) {
            body[0] = variant;
            let _ = decode_message(&body);
        }
    }
}
