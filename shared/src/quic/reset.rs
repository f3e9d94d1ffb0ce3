//! A receiver that was started again recognises the packets of connections that it had before and
//! resets these at once (RFC 9000, 10.3), instead of leaving their senders to wait for an answer.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};

use crate::identity::Identity;

/// Length of a connection ID, bytes.
const ID: usize = 8;
/// What the key is for, as BLAKE3's key derivation wants it.
const PURPOSE: &str = "raq 2026-11 stateless reset";

/// Settings for an endpoint that listens on `port`: its reset tokens are the same whenever a holder
/// of this key listens there, and others elsewhere, so that no neighbour can be made to reset its
/// connections.
pub fn listener_config(identity: &Identity, port: u16) -> EndpointConfig {
    let key = identity.derive(PURPOSE, &port.to_be_bytes());
    let mut config = EndpointConfig::new(Arc::new(ResetKey(key)));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// A key for BLAKE3's keyed mode, which is a MAC.
struct ResetKey([u8; blake3::KEY_LEN]);

impl ResetKey {
    fn mac(&self, data: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.0, data)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(self.mac(data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let signature = blake3::Hash::from_slice(signature).map_err(|_| CryptoError)?;
        // Compared in constant time.
        match self.mac(data) == signature {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

/// quinn's own IDs carry a check with a key of the process, so that those of an earlier one would be
/// ignored.
#[derive(Debug)]
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID];
        let random = rustls::crypto::ring::default_provider().secure_random;
        // Where the system gives no randomness, there was no handshake either.
        let _ = random.fill(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identity: &Identity, port: u16) -> ResetKey {
        ResetKey(identity.derive(PURPOSE, &port.to_be_bytes()))
    }

    #[test]
    fn tokens_depend_on_the_key_and_the_port() {
        let (one, other) = [(); 2].map(|()| Identity::ephemeral().unwrap()).into();
        let token = |key: ResetKey| {
            let mut token = vec![0; key.signature_len()];
            key.sign(b"id", &mut token);
            key.verify(b"id", &token).unwrap();
            assert!(key.verify(b"di", &token).is_err());
            assert!(key.verify(b"id", &token[1..]).is_err());
            token
        };
        assert_eq!(token(key(&one, 1)), token(key(&one, 1)));
        assert_ne!(token(key(&one, 1)), token(key(&one, 2)));
        assert_ne!(token(key(&one, 1)), token(key(&other, 1)));
    }

    #[test]
    fn ids_differ() {
        let mut ids = RandomIds;
        let [a, b] = [(); 2].map(|()| ids.generate_cid());
        assert_ne!(a, b);
        assert_eq!(a.len(), ids.cid_len());
    }
}
