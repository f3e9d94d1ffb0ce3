//! The key of this user on this machine, shared by both programs.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{IdentityError, KeyId, private_file, verifier};

const FILE: &str = "identity.pem";
const MAX_BYTES: u64 = 16 << 10;

/// An Ed25519 key and the self-signed certificate that carries its public half.
pub struct Identity {
    key: PrivatePkcs8KeyDer<'static>,
    certificate: CertificateDer<'static>,
    id: KeyId,
}

impl std::fmt::Debug for Identity {
    // The private key stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The key in the per-user configuration directory, made on first use.
    ///
    /// # Errors
    /// As [`Self::load_or_create`]; [`IdentityError::NoFolder`].
    pub fn of_user() -> Result<Self, IdentityError> {
        let folder =
            crate::paths::config_dir().map_err(|e| IdentityError::NoFolder(e.to_string()))?;
        Self::load_or_create(&folder)
    }

    /// The key in `folder`/identity.pem, made if there is none: the folder with mode 0700, the
    /// file with mode 0600, whole or not at all, and the same one for programs that start at
    /// the same time.
    ///
    /// # Errors
    /// [`IdentityError::Io`], [`IdentityError::Readable`] where others can read the file,
    /// [`IdentityError::Damaged`].
    pub fn load_or_create(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(FILE);
        let io = |error| IdentityError::Io {
            path: path.clone(),
            error,
        };
        match File::open(&path) {
            Ok(file) => Self::load(file, &path),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(io)?;
                create(&path).map_err(io)?;
                let file = File::open(&path).map_err(io)?;
                let identity = Self::load(file, &path)?;
                tracing::info!(path = %path.display(), id = %identity.id, "made a new key");
                Ok(identity)
            }
            Err(e) => Err(io(e)),
        }
    }

    fn load(file: File, path: &Path) -> Result<Self, IdentityError> {
        let io = |error| IdentityError::Io {
            path: path.to_owned(),
            error,
        };
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Readable {
                path: path.to_owned(),
                mode,
            });
        }
        let mut pem = String::new();
        match file.take(MAX_BYTES).read_to_string(&mut pem) {
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(IdentityError::Damaged {
                path: path.to_owned(),
                reason: "it is no text".to_owned(),
            }),
            Err(error) => Err(io(error)),
            Ok(_) => Self::from_pem(&pem, path),
        }
    }

    /// The Ed25519 key that `pem` holds; `path` is where it is from. The same key always gives the
    /// same certificate.
    ///
    /// # Errors
    /// [`IdentityError::Damaged`].
    pub fn from_pem(pem: &str, path: &Path) -> Result<Self, IdentityError> {
        let damaged = |reason: String| IdentityError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let pair = KeyPair::from_pem(pem).map_err(|e| damaged(e.to_string()))?;
        if pair.algorithm() != &PKCS_ED25519 {
            return Err(damaged("it is not an Ed25519 key".to_owned()));
        }
        Self::from_key_pair(&pair).map_err(|e| damaged(e.to_string()))
    }

    /// A key that lives in memory only, for tests.
    ///
    /// # Errors
    /// [`IdentityError::Io`] where the system gives no randomness.
    pub fn ephemeral() -> Result<Self, IdentityError> {
        let failed = |error: rcgen::Error| IdentityError::Io {
            path: PathBuf::from("a new key"),
            error: std::io::Error::other(error),
        };
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
        Self::from_key_pair(&pair).map_err(failed)
    }

    fn from_key_pair(pair: &KeyPair) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new([crate::quic::SERVER_NAME.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "raq");
        let certificate = params.self_signed(pair)?.der().clone();
        let id =
            verifier::key_id(&certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
        Ok(Self {
            key: PrivatePkcs8KeyDer::from(pair.serialize_der()),
            certificate,
            id,
        })
    }

    /// The id that others put into their trust file.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Another secret of whoever holds this key; `purpose` is a text that nothing else uses, `of`
    /// tells secrets for one purpose apart.
    pub fn derive(&self, purpose: &str, of: &[u8]) -> [u8; blake3::OUT_LEN] {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(self.key.secret_pkcs8_der()).update(of);
        *hasher.finalize().as_bytes()
    }

    /// The certificate to present, and its key.
    pub(crate) fn for_tls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (
            vec![self.certificate.clone()],
            PrivateKeyDer::Pkcs8(self.key.clone_key()),
        )
    }
}

/// Writes a new key beside its final place and links it there: never half a file, and never over
/// a key that another program made in the meantime.
fn create(path: &Path) -> std::io::Result<()> {
    let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(std::io::Error::other)?;
    let partial = path.with_extension(format!("pem.{}", std::process::id()));
    // A crash of a process with this number may have left one.
    let mut file = private_file(&partial)?;
    let written = file
        .write_all(pair.serialize_pem().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match std::fs::hard_link(&partial, path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    std::fs::remove_file(&partial).and(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn made_once_private_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/raq");
        let first = Identity::load_or_create(&folder).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing left over"
        );
        assert_eq!(Identity::load_or_create(&folder).unwrap().id(), first.id());
        assert_ne!(Identity::ephemeral().unwrap().id(), first.id());
    }

    #[test]
    fn a_given_key_always_has_the_same_certificate() {
        let pem = KeyPair::generate_for(&PKCS_ED25519)
            .unwrap()
            .serialize_pem();
        let path = Path::new("given.pem");
        let [one, other] = [0, 1].map(|_| Identity::from_pem(&pem, path).unwrap());
        assert_eq!(one.for_tls().0, other.for_tls().0);
        let error = Identity::from_pem(&pem[..60], path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("given.pem"), "{error}");
    }

    #[test]
    fn programs_that_start_together_share_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<_> = std::thread::scope(|scope| {
            // Threads share a process number, so make the race by hand: create over an existing.
            let first = scope.spawn(|| Identity::load_or_create(dir.path()).unwrap().id());
            let first = first.join().unwrap();
            create(&dir.path().join(FILE)).unwrap();
            vec![first, Identity::load_or_create(dir.path()).unwrap().id()]
        });
        assert_eq!(ids[0], ids[1]);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        Identity::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        for mode in [0o640, 0o604, 0o660] {
            set_mode(&path, mode);
            let text = Identity::load_or_create(dir.path())
                .unwrap_err()
                .to_string();
            assert!(
                text.contains(&format!("chmod 600 {}", path.display())),
                "{text}"
            );
        }
        set_mode(&path, 0o600);
        Identity::load_or_create(dir.path()).unwrap();
    }

    #[test]
    fn damaged_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let p256 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .unwrap()
            .serialize_pem();
        for text in [
            "",
            "not a key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
            &p256,
        ] {
            std::fs::write(&path, text).unwrap();
            set_mode(&path, 0o600);
            let error = Identity::load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "left alone");
        }
    }
}
