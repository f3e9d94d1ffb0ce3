//! Which keys are accepted: one's own and those in a trust file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{IdentityError, KeyId};

const MAX_BYTES: u64 = 1 << 20;

/// The accepted keys.
#[derive(Clone, Debug)]
pub struct Trust {
    keys: BTreeMap<KeyId, String>,
}

impl Trust {
    /// Trusts `own` alone: the same user's programs, on this machine or wherever the key was
    /// copied to.
    pub fn only(own: KeyId) -> Self {
        Self {
            keys: BTreeMap::from([(own, "this key".to_owned())]),
        }
    }

    /// Adds the keys of a trust file: a key id per line, a name after it if one likes, `#` begins
    /// a comment.
    ///
    /// # Errors
    /// [`IdentityError::Io`], [`IdentityError::TrustLine`] with the line's number.
    pub fn with_file(mut self, path: &Path) -> Result<Self, IdentityError> {
        let io = |error| IdentityError::Io {
            path: path.to_owned(),
            error,
        };
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
            .map_err(io)?;
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
        self.keys.contains_key(id)
    }

    /// The name after the key in the trust file; empty where there is none.
    pub fn name(&self, id: &KeyId) -> &str {
        self.keys.get(id).map_or("", String::as_str)
    }
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
