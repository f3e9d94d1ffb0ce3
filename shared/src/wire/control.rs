//! The control stream, taken apart: bytes in as they come, versions and messages out.

use super::message::Message;
use super::{MessageError, decode_message, decode_preface, message_len};

/// Something that the peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The protocol version that comes first. Where it is another one, read no further.
    Version(u16),
    /// A message.
    Message(Message),
}

/// Gathers the bytes of one direction of a control stream. It holds at most one message, and
/// messages are limited.
#[derive(Debug, Default)]
pub struct ControlReader {
    held: Vec<u8>,
    versioned: bool,
}

impl ControlReader {
    /// Takes from the front of `bytes` what completes the next thing said; `None` once `bytes`
    /// is used up without completing one.
    ///
    /// # Errors
    /// [`MessageError`] where the peer says what nobody can read; then read no further.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Said>, MessageError> {
        loop {
            let wanted = match self.held.first_chunk() {
                _ if !self.versioned => 2,
                None => 4,
                Some(&prefix) => 4 + message_len(prefix)?,
            };
            let missing = wanted - self.held.len();
            if missing == 0 {
                let said = self.complete();
                self.held.clear();
                return said.map(Some);
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            self.held.extend_from_slice(head);
            *bytes = rest;
        }
    }

    /// What a prefix and the bytes it announces mean, or the two bytes before the first.
    fn complete(&mut self) -> Result<Said, MessageError> {
        match self.held[..] {
            [high, low] if !self.versioned => {
                self.versioned = true;
                Ok(Said::Version(decode_preface([high, low])))
            }
            _ => decode_message(&self.held[4..]).map(Said::Message),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{PROTOCOL_VERSION, encode_message, encode_preface};

    fn all(reader: &mut ControlReader, mut bytes: &[u8]) -> Vec<Result<Said, MessageError>> {
        let mut said = Vec::new();
        while let Some(next) = reader.next(&mut bytes).transpose() {
            let failed = next.is_err();
            said.push(next);
            if failed {
                break;
            }
        }
        said
    }

    #[test]
    fn an_empty_message_is_an_error_and_ends_it() {
        let said = all(&mut ControlReader::default(), &[0, 1, 0, 0, 0, 0]);
        assert_eq!(said[0], Ok(Said::Version(1)));
        assert!(said[1].is_err());
        let long = all(
            &mut ControlReader::default(),
            &[0, 1, 0xff, 0xff, 0xff, 0xff],
        );
        assert_eq!(long[1], Err(MessageError::TooLong(0xffff_ffff)));
    }

    proptest! {
        #[test]
        fn messages_come_whole_however_they_are_cut(
            numbers in prop::collection::vec(any::<u32>(), 0..5),
            cuts in prop::collection::vec(0usize..80, 0..6),
        ) {
            let mut bytes = Vec::new();
            encode_preface(&mut bytes);
            let mut expected = vec![Ok(Said::Version(PROTOCOL_VERSION))];
            for frames_sent in numbers {
                let message = Message::Bye { frames_sent };
                encode_message(&message, &mut bytes).unwrap();
                expected.push(Ok(Said::Message(message)));
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut reader = ControlReader::default();
            let mut said = Vec::new();
            for pair in cuts.windows(2) {
                said.extend(all(&mut reader, &bytes[pair[0]..pair[1]]));
            }
            prop_assert_eq!(said, expected);
        }

        #[test]
        fn any_bytes_are_an_error_or_said(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            all(&mut ControlReader::default(), &bytes);
        }
    }
}
