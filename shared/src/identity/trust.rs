//! Which keys are accepted: one's own and those in a trust file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known_peers::Stamp;
use super::{IdentityError, KeyId, KnownPeers, Role};

const MAX_BYTES: u64 = 1 << 20;

/// The accepted keys, and what happens to the holders of others.
#[derive(Clone, Debug)]
pub struct Trust {
    keys: BTreeMap<KeyId, String>,
    senders: Option<Arc<Senders>>,
    strangers: Strangers,
    /// The unknown key that came last.
    stranger: Arc<Mutex<Option<KeyId>>>,
}

/// What happens to those who prove a key that is not accepted.
#[derive(Clone, Debug, Default)]
pub enum Strangers {
    /// They are refused in the handshake, and told so.
    #[default]
    Refused,
    /// The handshake ends: somebody is asked before there may be another one.
    Unasked,
    /// While it is true the handshake succeeds, and what they may do is decided after it.
    LetIn(Arc<AtomicBool>),
}

/// The senders in the file of known peers, read again when it has changed.
#[derive(Debug)]
struct Senders {
    file: KnownPeers,
    read: Mutex<(Stamp, BTreeSet<KeyId>)>,
}

impl Senders {
    fn contains(&self, id: &KeyId) -> bool {
        let mut read = lock(&self.read);
        let stamp = self.file.stamp();
        if read.0 != stamp {
            match self.file.list() {
                Ok(peers) => {
                    let senders = peers.iter().filter(|peer| peer.role == Role::Sender);
                    *read = (stamp, senders.map(|peer| peer.id).collect());
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    // Whoever damaged it, nobody gets in by it.
                    *read = (stamp, BTreeSet::new());
                }
            }
        }
        read.1.contains(id)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds it can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trust {
    /// Trusts `own` alone: the same user's programs, on this machine or wherever the key was
    /// copied to.
    pub fn only(own: KeyId) -> Self {
        Self {
            keys: BTreeMap::from([(own, "this key".to_owned())]),
            senders: None,
            strangers: Strangers::Refused,
            stranger: Arc::default(),
        }
    }

    /// Adds a key with a name for it.
    pub fn with(mut self, id: KeyId, name: &str) -> Self {
        self.keys.entry(id).or_insert_with(|| name.to_owned());
        self
    }

    /// Adds the senders that are remembered, now and from now on.
    ///
    /// # Errors
    /// As [`KnownPeers::list`].
    pub fn with_senders(mut self, file: KnownPeers) -> Result<Self, IdentityError> {
        file.list()?;
        self.senders = Some(Arc::new(Senders {
            file,
            read: Mutex::default(),
        }));
        Ok(self)
    }

    /// What happens to strangers; otherwise they are refused.
    pub fn with_strangers(mut self, strangers: Strangers) -> Self {
        self.strangers = strangers;
        self
    }

    /// Adds the keys of a trust file: a key id per line, a name after it if one likes, `#` begins
    /// a comment.
    ///
    /// # Errors
    /// [`IdentityError::Io`], [`IdentityError::TooLarge`], [`IdentityError::TrustLine`] with the line's number.
    pub fn with_file(mut self, path: &Path) -> Result<Self, IdentityError> {
        let io = |error| IdentityError::Io {
            path: path.to_owned(),
            error,
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map_err(io)?;
        if text.len() as u64 > MAX_BYTES {
            let path = path.to_owned();
            return Err(IdentityError::TooLarge { path });
        }
        self.add(&text)
            .map_err(|(line, reason)| IdentityError::TrustLine {
                path: path.to_owned(),
                line,
                reason,
            })?;
        Ok(self)
    }

    fn add(&mut self, text: &str) -> Result<(), (usize, String)> {
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (id, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let id: KeyId = id
                .parse()
                .map_err(|e: super::ParseKeyIdError| (number + 1, e.to_string()))?;
            self.keys
                .entry(id)
                .or_insert_with(|| name.trim().to_owned());
        }
        Ok(())
    }

    /// Whether peers with this key are accepted.
    pub fn accepts(&self, id: &KeyId) -> bool {
        self.keys.contains_key(id) || self.senders.as_ref().is_some_and(|it| it.contains(id))
    }

    /// The unknown key that came last, if any did.
    pub fn stranger(&self) -> Option<KeyId> {
        *lock(&self.stranger)
    }

    /// What the handshake does with the holder of a key.
    pub(super) fn judge(&self, id: KeyId) -> Judgement {
        if self.accepts(&id) {
            return Judgement::Go;
        }
        *lock(&self.stranger) = Some(id);
        match &self.strangers {
            Strangers::Refused => Judgement::Refuse,
            Strangers::Unasked => Judgement::Stop,
            Strangers::LetIn(open) if open.load(Ordering::Relaxed) => Judgement::Go,
            Strangers::LetIn(_) => Judgement::Refuse,
        }
    }

    /// The name after the key in the trust file; empty where there is none.
    pub fn name(&self, id: &KeyId) -> &str {
        self.keys.get(id).map_or("", String::as_str)
    }
}

/// What the handshake does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Go,
    Refuse,
    /// Ends it without saying that the key is refused.
    Stop,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(seed: u8) -> KeyId {
        KeyId::of_public_key(&[seed])
    }

    #[test]
    fn reads_ids_names_and_comments() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trust");
        std::fs::write(
            &path,
            format!("# ours\n\n{} gate camera # north\r\n  {}\n", id(1), id(2)),
        )
        .unwrap();
        let trust = Trust::only(id(0)).with_file(&path).unwrap();
        assert!([0, 1, 2].iter().all(|&seed| trust.accepts(&id(seed))));
        assert!(!trust.accepts(&id(3)));
        assert_eq!(trust.name(&id(1)), "gate camera");
        assert_eq!(trust.name(&id(2)), "");
    }

    #[test]
    fn strangers_are_refused_noted_or_let_in() {
        let trust = Trust::only(id(0)).with(id(1), "one");
        assert_eq!(trust.judge(id(1)), Judgement::Go);
        assert_eq!(trust.stranger(), None);
        assert_eq!(trust.judge(id(2)), Judgement::Refuse);
        assert_eq!(trust.stranger(), Some(id(2)));
        let unasked = trust.clone().with_strangers(Strangers::Unasked);
        assert_eq!(unasked.judge(id(3)), Judgement::Stop);
        let open = Arc::new(AtomicBool::new(true));
        let door = trust.with_strangers(Strangers::LetIn(open.clone()));
        assert_eq!(door.judge(id(3)), Judgement::Go);
        assert!(!door.accepts(&id(3)));
        open.store(false, Ordering::Relaxed);
        assert_eq!(door.judge(id(3)), Judgement::Refuse);
    }

    #[test]
    fn remembered_senders_come_and_go_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let file = KnownPeers::in_folder(dir.path());
        let trust = Trust::only(id(0)).with_senders(file.clone()).unwrap();
        assert!(!trust.accepts(&id(1)));
        file.remember(Role::Sender, "192.0.2.1", id(1), 0).unwrap();
        file.remember(Role::Receiver, "a:1", id(2), 0).unwrap();
        assert!(trust.accepts(&id(1)));
        assert!(!trust.accepts(&id(2)), "receivers may not send by that");
        file.forget(Role::Sender, &id(1).to_string()).unwrap();
        assert!(!trust.accepts(&id(1)));
        assert!(trust.accepts(&id(0)));
    }

    #[test]
    fn errors_name_file_line_and_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trust");
        std::fs::write(&path, format!("{}\nraq1oops name\n", id(1))).unwrap();
        let text = Trust::only(id(0)).with_file(&path).unwrap_err().to_string();
        assert!(
            text.contains("trust:2:") && text.contains("raq1oops"),
            "{text}"
        );
        let text = Trust::only(id(0))
            .with_file(&dir.path().join("none"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("none"), "{text}");
        // Lines that nobody reads would be keys that are silently not trusted.
        std::fs::write(&path, "# a comment\n".repeat(MAX_BYTES as usize)).unwrap();
        let long = Trust::only(id(0)).with_file(&path).unwrap_err();
        assert!(long.to_string().contains("1 MiB"), "{long}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_by_line(text in "(.{0,60}\n){0,5}") {
            let mut trust = Trust::only(id(0));
            if let Err((line, _)) = trust.add(&text) {
                prop_assert!((1..=text.lines().count()).contains(&line));
            }
        }
    }
}
