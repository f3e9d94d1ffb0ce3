//! How many may be in a doorway at a time: handshakes that are open, and connections that are closed
//! and not yet forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quinn::{Connecting, Endpoint, Incoming, ServerConfig};

/// So many may be in the doorway before those who come must prove their address (Retry).
const CROWD: usize = 4;
/// Handshakes that may be open at all; what comes then is left to try again.
const MOST_HANDSHAKES: usize = 128;
/// Connections that may be closed and still remembered: for three probe timeouts (RFC 9000, 10.2), so
/// that whoever begins handshakes only to leave them costs memory for a second each.
const MOST_CLOSED: usize = 256;

/// Counts who is past an endpoint's handshake, and who is not yet.
#[derive(Debug, Default)]
pub struct Doorway {
    handshakes: AtomicUsize,
    inside: AtomicUsize,
}

/// What to do with one who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Begin,
    AskForProof,
    Ignore,
}

/// One who is counted until this is dropped.
#[derive(Debug)]
pub struct Counted {
    doorway: Arc<Doorway>,
    inside: bool,
}

impl Doorway {
    /// Begins a handshake, or asks the peer to prove its address first where many are in the doorway,
    /// or takes no notice where too many are; `None` when there is nothing to wait for. `config`
    /// gives settings for this connection alone, where there are any.
    pub fn admit(
        self: &Arc<Self>,
        endpoint: &Endpoint,
        incoming: Incoming,
        config: impl FnOnce() -> Option<Arc<ServerConfig>>,
    ) -> Option<(Connecting, Counted)> {
        let handshakes = self.handshakes.load(Ordering::Relaxed);
        let inside = self.inside.load(Ordering::Relaxed);
        let closed = endpoint
            .open_connections()
            .saturating_sub(handshakes + inside);
        let answer = answer(handshakes, closed, incoming.remote_address_validated());
        let accepted = match (answer, config) {
            (Answer::Begin, config) => match config() {
                Some(config) => incoming.accept_with(config),
                None => incoming.accept(),
            },
            (Answer::AskForProof, _) if incoming.may_retry() => {
                // It cannot fail: retrying is allowed.
                let _ = incoming.retry();
                return None;
            }
            _ => {
                incoming.ignore();
                return None;
            }
        };
        match accepted {
            Ok(connecting) => Some((connecting, Counted::new(self.clone()))),
            Err(error) => {
                tracing::debug!("an incoming packet began no handshake: {error}");
                None
            }
        }
    }
}

fn answer(handshakes: usize, closed: usize, address_is_proven: bool) -> Answer {
    if handshakes >= MOST_HANDSHAKES || closed >= MOST_CLOSED {
        Answer::Ignore
    } else if handshakes + closed >= CROWD && !address_is_proven {
        Answer::AskForProof
    } else {
        Answer::Begin
    }
}

impl Counted {
    fn new(doorway: Arc<Doorway>) -> Self {
        doorway.handshakes.fetch_add(1, Ordering::Relaxed);
        Self {
            doorway,
            inside: false,
        }
    }

    /// The handshake is over: the connection stands until this is dropped.
    pub fn enter(&mut self) {
        if !self.inside {
            self.inside = true;
            self.doorway.inside.fetch_add(1, Ordering::Relaxed);
            self.doorway.handshakes.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let count = match self.inside {
            true => &self.doorway.inside,
            false => &self.doorway.handshakes,
        };
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Trust};
    use crate::quic::{SERVER_NAME, client_config, server_config};
    use std::net::{Ipv4Addr, SocketAddr};

    /// A listener with a doorway, and who dials.
    struct Scene {
        doorway: Arc<Doorway>,
        listener: Endpoint,
        dialler: Endpoint,
        client: quinn::ClientConfig,
    }

    impl Scene {
        fn new() -> Self {
            let identity = Identity::ephemeral().unwrap();
            let trust = Arc::new(Trust::only(identity.id()));
            let loopback: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
            let server = server_config(&identity, trust.clone()).unwrap();
            Self {
                doorway: Arc::default(),
                listener: Endpoint::server(server, loopback).unwrap(),
                dialler: Endpoint::client(loopback).unwrap(),
                client: client_config(&identity, trust).unwrap(),
            }
        }

        fn dial(&self) -> Connecting {
            let address = self.listener.local_addr().unwrap();
            self.dialler
                .connect_with(self.client.clone(), address, SERVER_NAME)
                .unwrap()
        }

        /// Whoever comes next, before anything is said to it.
        async fn next(&self) -> Incoming {
            self.listener.accept().await.unwrap()
        }

        fn admit(&self, incoming: Incoming) -> Option<(Connecting, Counted)> {
            self.doorway.admit(&self.listener, incoming, || None)
        }
    }

    #[tokio::test]
    async fn a_crowd_must_prove_its_addresses() {
        let scene = Scene::new();
        let mut open = Vec::new();
        for _ in 0..CROWD {
            let dialled = scene.dial();
            open.push((scene.admit(scene.next().await).unwrap(), dialled));
        }
        let last = scene.dial();
        let accept = async {
            assert!(scene.admit(scene.next().await).is_none(), "sent for proof");
            let again = scene.next().await;
            assert!(again.remote_address_validated());
            scene.admit(again).unwrap().0.await
        };
        let (accepted, connected) = tokio::join!(accept, last);
        accepted.unwrap();
        connected.unwrap();
    }

    #[tokio::test]
    async fn who_has_left_counts_until_forgotten_and_who_is_inside_does_not() {
        let scene = Scene::new();
        let (mut dialled, mut came) = (Vec::new(), Vec::new());
        for _ in 0..CROWD + 2 {
            dialled.push(scene.dial());
            came.push(scene.next().await);
        }
        // Nothing else runs from here on, so nothing is forgotten.
        let mut came = came.into_iter();
        for left in came.by_ref().take(CROWD - 1) {
            drop(scene.admit(left).unwrap());
        }
        let (_stays, mut counted) = scene.admit(came.next().unwrap()).unwrap();
        assert_eq!(scene.listener.open_connections(), CROWD);
        assert!(scene.admit(came.next().unwrap()).is_none());
        counted.enter();
        assert!(scene.admit(came.next().unwrap()).is_some());
    }

    #[test]
    fn too_many_are_left_to_try_again() {
        let proven = |handshakes, closed| answer(handshakes, closed, true);
        assert_eq!(proven(MOST_HANDSHAKES - 1, 0), Answer::Begin);
        assert_eq!(proven(MOST_HANDSHAKES, 0), Answer::Ignore);
        assert_eq!(proven(0, MOST_CLOSED - 1), Answer::Begin);
        assert_eq!(proven(0, MOST_CLOSED), Answer::Ignore);
        assert_eq!(answer(CROWD - 1, 0, false), Answer::Begin);
        assert_eq!(answer(1, CROWD - 1, false), Answer::AskForProof);
        assert_eq!(answer(0, CROWD, false), Answer::AskForProof);
    }

    #[tokio::test]
    async fn the_ignored_say_it_again() {
        let scene = Scene::new();
        let connecting = scene.dial();
        let accept = async {
            scene
                .doorway
                .handshakes
                .store(MOST_HANDSHAKES, Ordering::Relaxed);
            assert!(scene.admit(scene.next().await).is_none());
            scene.doorway.handshakes.store(0, Ordering::Relaxed);
            scene.admit(scene.next().await).unwrap().0.await
        };
        let (accepted, connected) = tokio::join!(accept, connecting);
        accepted.unwrap();
        connected.unwrap();
    }
}
