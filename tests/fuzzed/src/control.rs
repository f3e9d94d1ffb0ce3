//! The control stream: the same is read however it is cut, and written again with the same meaning.

use raq_shared::wire::control::{ControlReader, Said};
use raq_shared::wire::{MAX_MESSAGE, MessageError, decode_message, encode_message};

/// Reads bytes as a control stream, whole and cut where the first byte says, and as one message.
pub fn control(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else {
        return;
    };
    let (head, tail) = stream.split_at(usize::from(cut).min(stream.len()));
    let whole = read(&[stream]);
    assert_eq!(whole, read(&[head, tail]));
    for said in whole.into_iter().flatten() {
        if let Said::Message(message) = said {
            let mut again = Vec::new();
            encode_message(&message, &mut again).expect("what was read can be written");
            assert!(again.len() <= 4 + MAX_MESSAGE);
            assert_eq!(decode_message(&again[4..]), Ok(message));
        }
    }
    let _ = decode_message(stream);
}

/// Everything that is said up to the first mistake.
fn read(parts: &[&[u8]]) -> Vec<Result<Said, MessageError>> {
    let mut reader = ControlReader::default();
    let mut all = Vec::new();
    for mut part in parts.iter().copied() {
        while let Some(said) = reader.next(&mut part).transpose() {
            let failed = said.is_err();
            all.push(said);
            if failed {
                return all;
            }
        }
    }
    all
}
