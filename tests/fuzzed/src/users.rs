//! What users type and write, and what other programs read of it: keys, tickets, lists of peers, records,
//! scenarios and traces.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use raq_shared::identity::{Identity, KeyId, KnownPeers, Role, Ticket, Trust};
use raq_shared::stats::{Line, ReceiverRecord, SenderRecord};
use raq_sim::link::{Link, Outcome, Packet, Trace};
use raq_sim::scenario::Loaded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// Packets that a link is given.
const PACKETS: u32 = 40;

/// Where files lie; a target at a time.
static FOLDER: LazyLock<Mutex<TempDir>> =
    LazyLock::new(|| Mutex::new(tempfile::tempdir().expect("a temporary folder")));

/// Gives `look` a folder in which the file `name` holds `bytes`, for its owner's eyes.
fn with_file(name: &str, bytes: &[u8], look: impl FnOnce(&Path)) {
    let folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    let path = folder.path().join(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&path).expect("a file in the own folder");
    std::io::Write::write_all(&mut file, bytes).expect("room for a small file");
    look(folder.path());
    let _ = fs::remove_file(path);
}

/// Reads bytes as the id of a key, a ticket, a key file, and the two lists of keys.
pub fn keys(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(id) = text.parse::<KeyId>() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        if let Ok(ticket) = text.parse::<Ticket>() {
            let again: Ticket = ticket
                .to_string()
                .parse()
                .expect("what was written is read");
            assert_eq!(again.receiver(), ticket.receiver());
            assert_eq!(again.expires(), ticket.expires());
        }
        let _ = Identity::from_pem(text, Path::new("identity.pem"));
    }
    with_file("known_peers", bytes, |folder| {
        let file = KnownPeers::in_folder(folder);
        if let Ok(peers) = file.list() {
            for peer in &peers {
                assert!(!peer.name.contains(char::is_whitespace), "{peer:?}");
                if peer.role == Role::Receiver {
                    assert!(file.receiver_at(&peer.name).is_ok());
                }
            }
            assert!(peers.len() <= bytes.len());
        }
        let _ = Trust::only(KeyId::of_public_key(b"own")).with_file(file.path());
    });
}

/// Reads bytes as lines of both programs' `--stats`.
pub fn stats(bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        same::<SenderRecord>(line);
        same::<ReceiverRecord>(line);
    }
}

/// What is read is written with the same meaning.
fn same<R: Serialize + DeserializeOwned>(line: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<Line<R>>(line) {
        let again = serde_json::to_string(&record).expect("records can be written");
        let read = serde_json::from_str::<Line<R>>(&again).expect("what was written is read");
        let twice = serde_json::to_string(&read).expect("records can be written");
        assert_eq!(again, twice);
    }
}

/// Reads bytes as a scenario, and sends packets over its link.
pub fn scenario(bytes: &[u8]) {
    with_file("scenario.toml", bytes, |folder| {
        let Ok(loaded) = Loaded::read(&folder.join("scenario.toml"), &[]) else {
            return;
        };
        let text = loaded.to_toml(7);
        let again = folder.join("again.toml");
        fs::write(&again, &text).expect("room for a small file");
        let same = Loaded::read(&again, &[]).expect("what was written is read");
        assert_eq!(same.to_toml(7), text);
        let _ = fs::remove_file(again);
        let config = &loaded.scenario.link.down;
        // Others name files, which are not for this.
        if config.trace.is_none()
            && let Ok(capacity) = config.capacity(folder)
        {
            let mut link = Link::new(config, capacity, 1);
            for number in 0..PACKETS {
                let packet = Packet {
                    bytes: 1200,
                    delay: None,
                    payload: number,
                };
                let now = Duration::from_millis(u64::from(number));
                link.offer(now, packet);
                let outcomes = std::iter::from_fn(|| link.poll(now));
                outcomes.for_each(|outcome: Outcome<u32>| assert!(outcome.at() <= now));
            }
        }
    });
}

/// Reads bytes as a recorded trace.
pub fn trace(bytes: &[u8]) {
    with_file("trace", bytes, |folder| {
        if let Ok(trace) = Trace::read(&PathBuf::from(folder).join("trace")) {
            assert!(trace.duration() > Duration::ZERO);
        }
    });
}
