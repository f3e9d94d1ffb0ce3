//! Datagrams: what can be read is written with the same bytes.

use raq_shared::wire::heartbeat::Heartbeat;
use raq_shared::wire::note::Note;
use raq_shared::wire::parity::{ParityHeader, fill_shard};
use raq_shared::wire::report::Report;
use raq_shared::wire::update::{UPDATE_HEADER_LEN, UpdateHeader};

/// The flag of padded updates, whose headers are written without it.
const PADDED: u8 = 4;

/// Reads a datagram as each of its kinds.
pub fn datagram(bytes: &[u8]) {
    let mut kinds = 0;
    if let Some(Ok(heartbeat)) = Heartbeat::parse(bytes) {
        assert_eq!(heartbeat.encode(), bytes);
        kinds += 1;
    }
    if let Some(Ok(note)) = Note::parse(bytes) {
        assert_eq!(note.encode(), bytes);
        kinds += 1;
    }
    if let Ok(report) = Report::parse(bytes) {
        let mut again = Vec::new();
        report.encode(&mut again);
        assert_eq!(again, bytes);
        kinds += 1;
    }
    if let Ok((header, body)) = UpdateHeader::parse(bytes) {
        updates(bytes, &header, body);
        kinds += 1;
    }
    if let Some(Ok((header, shard))) = ParityHeader::parse(bytes) {
        parity(bytes, &header, shard);
        kinds += 1;
    }
    assert!(kinds <= 1, "it is of one kind");
}

fn updates(bytes: &[u8], header: &UpdateHeader, body: &[u8]) {
    let again = header.encode();
    assert_eq!(again[0], bytes[0] & !PADDED);
    assert_eq!(again[1..], bytes[1..UPDATE_HEADER_LEN]);
    if bytes[0] & PADDED == 0 {
        assert_eq!(body, &bytes[UPDATE_HEADER_LEN..]);
        let mut padded = bytes.to_vec();
        UpdateHeader::pad(&mut padded, bytes.len() + 9);
        let read = UpdateHeader::parse(&padded);
        assert_eq!(read, Ok((*header, body)), "padding changes nothing");
    }
}

fn parity(bytes: &[u8], header: &ParityHeader, shard: &[u8]) {
    assert_eq!([&header.encode()[..], shard].concat(), bytes);
    let mut restored = Vec::new();
    if header.restore(0, shard, &mut restored) && UpdateHeader::parse(&restored).is_ok() {
        let mut again = Vec::new();
        assert!(fill_shard(&restored, shard.len(), &mut again));
        let kept = usize::from(u16::from_be_bytes([again[0], again[1]]));
        assert_eq!(again[..2 + kept], shard[..2 + kept]);
    }
}
