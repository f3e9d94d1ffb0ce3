//! The peers that were accepted before, in a file beside one's own key.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{IdentityError, KeyId, private_file};

const FILE: &str = "known_peers";
const MAX_BYTES: u64 = 1 << 20;

/// What a peer is to this user. Someone one sends to may not send by that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// raq-recv there, known by host and port.
    Receiver,
    /// raq-send there, known by its key.
    Sender,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Sender => "sender",
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPeer {
    /// What it is.
    pub role: Role,
    /// Host and port of a receiver; where a sender was when it was accepted.
    pub name: String,
    /// Its key.
    pub id: KeyId,
    /// When it was accepted, as RFC 3339 writes it.
    pub since: String,
}

/// The file `known_peers`, mode 0600: a line each, `receiver HOST:PORT KEY TIME` or
/// `sender ADDRESS KEY TIME`; `#` begins a comment. It is replaced whole or not at all, by one
/// program at a time.
#[derive(Clone, Debug)]
pub struct KnownPeers {
    path: PathBuf,
}

/// Which file it was, to tell whether it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, u64, i64, i64)>);

impl KnownPeers {
    /// That of the user.
    ///
    /// # Errors
    /// [`IdentityError::NoFolder`].
    pub fn of_user() -> Result<Self, IdentityError> {
        let folder =
            crate::paths::config_dir().map_err(|e| IdentityError::NoFolder(e.to_string()))?;
        Ok(Self::in_folder(&folder))
    }

    /// The one in `folder`; it need not exist.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All peers, in the order in which they were accepted.
    ///
    /// # Errors
    /// [`IdentityError::Io`], [`IdentityError::TooLarge`], [`IdentityError::Writable`] where others can
    /// change the file,
    /// [`IdentityError::KnownPeer`] with the number of a line that cannot be read.
    pub fn list(&self) -> Result<Vec<KnownPeer>, IdentityError> {
        self.peers(&self.read()?)
    }

    /// The peers in a text of this file.
    fn peers(&self, text: &str) -> Result<Vec<KnownPeer>, IdentityError> {
        let lines = text.lines().enumerate();
        lines
            .filter_map(|(number, line)| match parse(line) {
                Ok(peer) => peer.map(Ok),
                Err(reason) => Some(Err(IdentityError::KnownPeer {
                    path: self.path.clone(),
                    line: number + 1,
                    reason,
                })),
            })
            .collect()
    }

    /// The key of the receiver at `place`, host and port.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn receiver_at(&self, place: &str) -> Result<Option<KeyId>, IdentityError> {
        let peers = self.list()?;
        let here = |peer: &&KnownPeer| peer.role == Role::Receiver && peer.name == place;
        Ok(peers.iter().find(here).map(|peer| peer.id))
    }

    /// Remembers a peer from `now` on, seconds since 1970: a receiver in place of the one that was
    /// there before, a sender once.
    ///
    /// # Errors
    /// As [`Self::list`]; [`IdentityError::PeerName`] where `name` does not fit a line.
    pub fn remember(
        &self,
        role: Role,
        name: &str,
        id: KeyId,
        now: u64,
    ) -> Result<(), IdentityError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '#') {
            return Err(IdentityError::PeerName(name.to_owned()));
        }
        let since = i64::try_from(now).ok().and_then(|now| {
            let time = OffsetDateTime::from_unix_timestamp(now).ok()?;
            time.format(&Rfc3339).ok()
        });
        let since = since.unwrap_or_else(|| "-".to_owned());
        let line = format!("{} {name} {id} {since}", role.word());
        let replaced = |peer: &KnownPeer| {
            peer.role == role
                && match role {
                    Role::Receiver => peer.name == name,
                    Role::Sender => peer.id == id,
                }
        };
        self.change(replaced, Some(&line)).map(drop)
    }

    /// Forgets the peers of this role with this key or name; how many there were.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn forget(&self, role: Role, what: &str) -> Result<usize, IdentityError> {
        self.change(
            |peer| peer.role == role && (peer.name == what || peer.id.to_string() == what),
            None,
        )
    }

    /// Drops the lines of some peers and adds one; how many were dropped.
    fn change(
        &self,
        dropped: impl Fn(&KnownPeer) -> bool,
        added: Option<&str>,
    ) -> Result<usize, IdentityError> {
        let io = |error| IdentityError::Io {
            path: self.path.clone(),
            error,
        };
        // Not the file itself, which is replaced while the other program may wait for it.
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(io)?;
        lock.lock().map_err(io)?;
        let text = self.read()?;
        // A line that cannot be read is neither lost nor passed over.
        self.peers(&text)?;
        let stays = |line: &&str| !matches!(parse(line), Ok(Some(peer)) if dropped(&peer));
        let lines: Vec<&str> = text.lines().filter(stays).collect();
        let count = text.lines().count() - lines.len();
        if count > 0 || added.is_some() {
            let lines = lines.into_iter().chain(added);
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            self.check_length(text.len() as u64)?;
            self.replace(&text).map_err(io)?;
        }
        Ok(count)
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        // Nobody else writes it while the lock is held.
        let partial = self.path.with_extension("partial");
        let mut file = private_file(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &self.path)
    }

    fn read(&self) -> Result<String, IdentityError> {
        let io = |error| IdentityError::Io {
            path: self.path.clone(),
            error,
        };
        let metadata = match self.path.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
            metadata => metadata.map_err(io)?,
        };
        if !metadata.is_file() {
            return Err(io(std::io::Error::other("it is no file")));
        }
        // Cut off, it would lose its end when it is replaced.
        self.check_length(metadata.len())?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(IdentityError::Writable {
                path: self.path.clone(),
                mode,
            });
        }
        let mut text = String::new();
        let file = File::open(&self.path).map_err(io)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(io)?;
        Ok(text)
    }

    fn check_length(&self, bytes: u64) -> Result<(), IdentityError> {
        match bytes > MAX_BYTES {
            true => Err(IdentityError::TooLarge {
                path: self.path.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Which file it is now.
    pub(super) fn stamp(&self) -> Stamp {
        let metadata = std::fs::metadata(&self.path).ok();
        Stamp(metadata.map(|m| (m.ino(), m.size(), m.mtime(), m.mtime_nsec())))
    }
}

fn parse(line: &str) -> Result<Option<KnownPeer>, String> {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [role, name, id, since] = words[..] else {
        return match words[..] {
            [] => Ok(None),
            _ => Err("a line has four words".to_owned()),
        };
    };
    let roles = [Role::Receiver, Role::Sender];
    let role = roles.into_iter().find(|it| it.word() == role);
    Ok(Some(KnownPeer {
        role: role.ok_or("a line begins with receiver or sender")?,
        name: name.to_owned(),
        id: id
            .parse()
            .map_err(|error: super::ParseKeyIdError| error.to_string())?,
        since: since.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u8) -> KeyId {
        KeyId::of_public_key(&[seed])
    }

    fn empty() -> (tempfile::TempDir, KnownPeers) {
        let dir = tempfile::tempdir().unwrap();
        let peers = KnownPeers::in_folder(dir.path());
        (dir, peers)
    }

    #[test]
    fn receivers_are_known_by_place_and_senders_by_key() {
        let (dir, peers) = empty();
        assert_eq!(peers.list().unwrap(), []);
        peers.remember(Role::Receiver, "a:1", id(1), 0).unwrap();
        peers.remember(Role::Receiver, "b:1", id(1), 1).unwrap();
        peers.remember(Role::Sender, "192.0.2.1", id(2), 2).unwrap();
        peers.remember(Role::Sender, "192.0.2.1", id(3), 3).unwrap();
        peers.remember(Role::Sender, "192.0.2.9", id(2), 4).unwrap();
        assert_eq!(peers.receiver_at("a:1").unwrap(), Some(id(1)));
        assert_eq!(peers.receiver_at("192.0.2.1").unwrap(), None);
        peers.remember(Role::Receiver, "a:1", id(4), 5).unwrap();
        assert_eq!(peers.receiver_at("a:1").unwrap(), Some(id(4)));
        let names: Vec<_> = peers
            .list()
            .unwrap()
            .into_iter()
            .map(|peer| peer.name)
            .collect();
        assert_eq!(names, ["b:1", "192.0.2.1", "192.0.2.9", "a:1"]);
        let text = std::fs::read_to_string(peers.path()).unwrap();
        assert!(
            text.starts_with(&format!("receiver b:1 {} 1970-01-01T00:00:01Z\n", id(1))),
            "{text}"
        );
        let mode = std::fs::metadata(peers.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!dir.path().join("known_peers.partial").exists());
        for name in ["", "a b", "a#b", "a\nb"] {
            assert!(
                peers.remember(Role::Receiver, name, id(1), 0).is_err(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_rest_stays() {
        let (_dir, peers) = empty();
        let text = format!("# ours\nreceiver a:1 {0} -\nsender x {0} - # old\n", id(1));
        std::fs::write(peers.path(), &text).unwrap();
        std::fs::set_permissions(peers.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(peers.forget(Role::Sender, "a:1").unwrap(), 0);
        assert_eq!(std::fs::read_to_string(peers.path()).unwrap(), text);
        assert_eq!(peers.forget(Role::Receiver, &id(1).to_string()).unwrap(), 1);
        let left = std::fs::read_to_string(peers.path()).unwrap();
        assert_eq!(left, format!("# ours\nsender x {} - # old\n", id(1)));
        assert_eq!(peers.forget(Role::Sender, "x").unwrap(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_left_alone() {
        let (_dir, peers) = empty();
        for bad in ["receiver a:1", "friend a:1 raq1 -", "sender a raq1x -"] {
            std::fs::write(peers.path(), format!("# ours\n{bad}\n")).unwrap();
            let error = peers.list().unwrap_err().to_string();
            assert!(error.contains("known_peers:2:"), "{error}");
            peers.remember(Role::Sender, "a", id(1), 0).unwrap_err();
            assert!(std::fs::read_to_string(peers.path()).unwrap().contains(bad));
        }
        std::fs::write(peers.path(), "").unwrap();
        std::fs::set_permissions(peers.path(), std::fs::Permissions::from_mode(0o620)).unwrap();
        let error = peers.list().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_cut() {
        let (_dir, peers) = empty();
        let line = "# a comment\n";
        let text = line.repeat(MAX_BYTES as usize / line.len());
        std::fs::write(peers.path(), &text).unwrap();
        assert_eq!(peers.list().unwrap(), []);
        let full = peers.remember(Role::Sender, "a", id(1), 0).unwrap_err();
        assert!(full.to_string().contains("1 MiB"), "{full}");
        std::fs::write(peers.path(), text.clone() + line).unwrap();
        peers.list().unwrap_err();
        assert_eq!(std::fs::read_to_string(peers.path()).unwrap(), text + line);
    }

    #[test]
    fn programs_that_write_together_lose_nothing() {
        let (_dir, peers) = empty();
        std::thread::scope(|scope| {
            for seed in 0..16 {
                let peers = &peers;
                scope.spawn(move || {
                    let name = format!("host:{seed}");
                    peers.remember(Role::Receiver, &name, id(seed), 0).unwrap();
                });
            }
        });
        assert_eq!(peers.list().unwrap().len(), 16);
    }
}
