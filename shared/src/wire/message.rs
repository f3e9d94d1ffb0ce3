//! Control messages: the handshake and the end of a session.

use std::fmt;

use serde::{Deserialize, Serialize, de::Error as _};

use crate::{codebook::CodebookDigest, video::VideoFormat};

/// The longest text a peer may send, in bytes.
pub const MAX_TEXT: usize = 256;

/// BLAKE3 of a model's `manifest.json`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(pub [u8; 32]);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Text from a peer that is safe to print: at most [`MAX_TEXT`] bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// `text` with control characters replaced, cut at [`MAX_TEXT`] bytes.
    pub fn new(text: &str) -> Self {
        let mut clean: String = text
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        clean.truncate(clean.floor_char_boundary(MAX_TEXT));
        Self(clean)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(D::Error::custom(
                "a text is too long or holds control characters",
            ));
        }
        Ok(Self(text))
    }
}

/// What travels on the control stream. The sender speaks first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Sender → receiver: what I am about to send.
    Hello(Hello),
    /// Receiver → sender: go on.
    Welcome {
        /// Whether the codebooks have to be sent first.
        codebook: CodebookOffer,
    },
    /// Receiver → sender: I will not take it; the connection ends.
    Refuse(Refusal),
    /// Sender → receiver: no more frames.
    Bye {
        /// The number after the last frame of the source: frames sent, and those skipped.
        frames_sent: u32,
    },
    /// Receiver → sender: everything that arrived is decoded and written.
    Done {
        /// Frames decoded, in whole or in part.
        frames_decoded: u32,
    },
}

/// The sender's side of the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Protocol version, again after the preface.
    pub protocol: u16,
    /// Version of the program, for the log.
    pub program: Text,
    /// The model both ends must hold.
    pub model_id: ModelId,
    /// The model's name, for messages.
    pub model_name: Text,
    /// Digest of the codebooks the sender regenerated.
    pub codebook_digest: CodebookDigest,
    /// The stream's format.
    pub video: VideoFormat,
}

/// Whether both ends regenerated the same codebooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodebookOffer {
    /// The digests agree.
    Same,
    /// They differ: send yours.
    Send,
}

/// Why a receiver refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Another protocol version.
    #[error("the receiver speaks protocol {ours}, this program {PROTOCOL_VERSION}; install the same version on both sides", PROTOCOL_VERSION = super::PROTOCOL_VERSION)]
    Protocol {
        /// The receiver's protocol version.
        ours: u16,
    },
    /// Another model.
    #[error("the receiver has model {name} ({id:.16}…); give both sides the same --model")]
    Model {
        /// The receiver's model.
        id: ModelId,
        /// Its name.
        name: Text,
    },
    /// Larger than the receiver allows.
    #[error(
        "the receiver takes at most {max_width}x{max_height}; send less or raise its --max-size"
    )]
    Size {
        /// Widest frame taken, luma pixels.
        max_width: u32,
        /// Highest frame taken, luma pixels.
        max_height: u32,
    },
    /// As many senders as it takes are being received.
    #[error(
        "the receiver is busy with as many senders as it takes; try again when one has ended, \
            about a minute later if it was killed, or raise its --max-peers"
    )]
    Busy,
    /// Anything else about the format.
    #[error("the receiver cannot take this video: {0}")]
    Format(Text),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode_message, encode_message};

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(Text::new("a\x1b[2J\nb").as_str(), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(Text::new(&"é".repeat(200)).as_str().len(), MAX_TEXT);
    }

    #[test]
    fn a_peers_control_characters_are_refused() {
        for text in ["a\x1bb".to_owned(), "x".repeat(MAX_TEXT + 1)] {
            let message = Message::Refuse(Refusal::Format(Text(text)));
            let mut bytes = Vec::new();
            encode_message(&message, &mut bytes).unwrap();
            assert!(decode_message(&bytes[4..]).is_err());
        }
    }
}
