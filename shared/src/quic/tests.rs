use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use quinn::{Connection, Endpoint};

use super::window::SafetyWindow;
use super::*;
use crate::identity::Strangers;
use crate::units::Bitrate;

struct Peer {
    identity: Identity,
    trust: Trust,
}

impl Peer {
    fn new() -> Self {
        let identity = Identity::ephemeral().unwrap();
        Self {
            trust: Trust::only(identity.id()),
            identity,
        }
    }

    fn trusting(mut self, other: &Identity) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trust");
        std::fs::write(&path, format!("{} other\n", other.id())).unwrap();
        self.trust = self.trust.with_file(&path).unwrap();
        self
    }

    fn server(&self) -> quinn::ServerConfig {
        server_config(&self.identity, Arc::new(self.trust.clone())).unwrap()
    }

    fn client(&self) -> quinn::ClientConfig {
        client_config(&self.identity, Arc::new(self.trust.clone())).unwrap()
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// What a connection came to on each end, server first.
type Ends = [Result<Connection, ConnectionError>; 2];

/// A handshake on loopback; the client waits until the server has judged its key too.
async fn meet(server: &Peer, config: quinn::ClientConfig) -> (Ends, [Endpoint; 2]) {
    let listener = Endpoint::server(server.server(), loopback()).unwrap();
    let dialler = Endpoint::client(loopback()).unwrap();
    let connecting = dialler
        .connect_with(config, listener.local_addr().unwrap(), SERVER_NAME)
        .unwrap();
    let accept = async { listener.accept().await.unwrap().await };
    let connect = async {
        let connection = connecting.await?;
        // Refusal of the client's key arrives after its own handshake is over.
        match connection.read_datagram().await {
            Ok(_) => Ok(connection),
            Err(error) => Err(error),
        }
    };
    let greet = async {
        let connection = accept.await?;
        let _ = connection.send_datagram(b"welcome"[..].into());
        Ok(connection)
    };
    let (accepted, connected) = tokio::join!(greet, connect);
    ([accepted, connected], [listener, dialler])
}

#[tokio::test]
async fn holders_of_one_key_meet() {
    let peer = Peer::new();
    let (ends, _endpoints) = meet(&peer, peer.client()).await;
    for end in ends {
        assert_eq!(peer_key(&end.unwrap()), Some(peer.identity.id()));
    }
}

#[tokio::test]
async fn both_ends_are_asked_for_early_acknowledgements_and_the_window_is_the_senders() {
    let peer = Peer::new();
    let ([receiver, sender], _endpoints) = meet(&peer, peer.client()).await;
    let [receiver, sender] = [receiver, sender].map(Result::unwrap);
    for _ in 0..10 {
        sender.send_datagram(b"frame"[..].into()).unwrap();
        receiver.read_datagram().await.unwrap();
        receiver.send_datagram(b"report"[..].into()).unwrap();
        sender.read_datagram().await.unwrap();
    }
    for end in [&receiver, &sender] {
        assert_eq!(end.stats().frame_rx.ack_frequency, 1);
    }
    assert!(SafetyWindow::of(&receiver).is_none());
    let window = SafetyWindow::of(&sender).unwrap();
    window.set(Bitrate::from_kilobits_per_second(100_000));
    let cwnd = sender.stats().path.cwnd;
    // 200 Mbit/s for 100 ms and a short round trip.
    assert!((2_500_000..3_000_000).contains(&cwnd), "{cwnd}");
    window.set(Bitrate::ZERO);
    assert!(sender.stats().path.cwnd <= 16 * 1500);
}

#[tokio::test]
async fn keys_in_trust_files_meet() {
    let (server, client) = (Peer::new(), Peer::new());
    let server = server.trusting(&client.identity);
    let client = client.trusting(&server.identity);
    let ([accepted, connected], _endpoints) = meet(&server, client.client()).await;
    assert_eq!(peer_key(&accepted.unwrap()), Some(client.identity.id()));
    assert_eq!(peer_key(&connected.unwrap()), Some(server.identity.id()));
}

#[tokio::test]
async fn an_unknown_server_is_refused_by_the_client() {
    let (server, client) = (Peer::new(), Peer::new());
    let server = server.trusting(&client.identity);
    let ([accepted, connected], _endpoints) = meet(&server, client.client()).await;
    assert_eq!(
        Distrust::behind(&accepted.unwrap_err()),
        Some(Distrust::ByPeer)
    );
    assert_eq!(
        Distrust::behind(&connected.unwrap_err()),
        Some(Distrust::OfPeer)
    );
}

#[tokio::test]
async fn an_unknown_client_is_refused_by_the_server() {
    let (server, client) = (Peer::new(), Peer::new());
    let client = client.trusting(&server.identity);
    let ([accepted, connected], _endpoints) = meet(&server, client.client()).await;
    assert_eq!(
        Distrust::behind(&accepted.unwrap_err()),
        Some(Distrust::OfPeer)
    );
    assert_eq!(
        Distrust::behind(&connected.unwrap_err()),
        Some(Distrust::ByPeer)
    );
}

#[tokio::test]
async fn strangers_may_be_let_in_to_pair() {
    let (mut server, client) = (Peer::new(), Peer::new());
    let open = Arc::new(AtomicBool::new(true));
    let strangers = Strangers::LetIn(open.clone());
    server.trust = server.trust.with_strangers(strangers);
    let pinned = Arc::new(Trust::only(server.identity.id()));
    let config = || pairing_config(&client.identity, pinned.clone()).unwrap();
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let (ends, _endpoints) = meet(&server, config()).await;
        let [accepted, connected] = ends.map(Result::unwrap);
        assert!(is_pairing(&accepted) && is_pairing(&connected));
        assert_eq!(peer_key(&accepted), Some(client.identity.id()));
        assert_eq!(exporter(&accepted), exporter(&connected));
        secrets.push(exporter(&accepted).unwrap());
    }
    assert_ne!(
        secrets[0], secrets[1],
        "a secret is good for one connection"
    );
    let to_send = client_config(&client.identity, pinned.clone()).unwrap();
    let ([accepted, _], _endpoints) = meet(&server, to_send).await;
    assert!(!is_pairing(&accepted.unwrap()));

    open.store(false, Ordering::Relaxed);
    let ([_, connected], _endpoints) = meet(&server, config()).await;
    let refused = Distrust::behind(&connected.unwrap_err());
    assert_eq!(refused, Some(Distrust::ByPeer));
}

#[tokio::test]
async fn a_handshake_that_is_broken_off_to_ask_refuses_nobody() {
    let (server, mut client) = (Peer::new(), Peer::new());
    client.trust = client.trust.with_strangers(Strangers::Unasked);
    let ([accepted, connected], _endpoints) = meet(&server, client.client()).await;
    for error in [accepted.unwrap_err(), connected.unwrap_err()] {
        assert_eq!(Distrust::behind(&error), None, "{error}");
    }
    assert_eq!(client.trust.stranger(), Some(server.identity.id()));
}

/// The certificate of a trusted key, signed for with another key.
#[tokio::test]
async fn a_stolen_certificate_is_worth_nothing() {
    let (server, thief) = (Peer::new(), Peer::new());
    let stolen = server.identity.for_tls().0;
    let provider = rustls::crypto::ring::default_provider();
    let key = provider
        .key_provider
        .load_private_key(thief.identity.for_tls().1)
        .unwrap();
    let keys = PinnedKeys::new(
        Arc::new(server.trust.clone()),
        provider.signature_verification_algorithms,
    );
    #[derive(Debug)]
    struct Always(Arc<rustls::sign::CertifiedKey>);
    impl rustls::client::ResolvesClientCert for Always {
        fn resolve(
            &self,
            _hints: &[&[u8]],
            _schemes: &[rustls::SignatureScheme],
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(self.0.clone())
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(keys))
        .with_client_cert_resolver(Arc::new(Always(Arc::new(rustls::sign::CertifiedKey::new(
            stolen, key,
        )))));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let ([accepted, connected], _endpoints) = meet(&server, config).await;
    assert!(matches!(
        accepted.unwrap_err(),
        ConnectionError::TransportError(_)
    ));
    connected.unwrap_err();
}

#[tokio::test]
async fn another_protocol_name_or_no_certificate_is_refused() {
    let server = Peer::new();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    for (alpn, with_certificate) in [(b"raq/0".to_vec(), true), (ALPN.to_vec(), false)] {
        let keys = PinnedKeys::new(
            Arc::new(server.trust.clone()),
            provider.signature_verification_algorithms,
        );
        let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(keys));
        let mut tls = if with_certificate {
            let (chain, key) = server.identity.for_tls();
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        tls.alpn_protocols = vec![alpn];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let ([accepted, connected], _endpoints) = meet(&server, config).await;
        accepted.unwrap_err();
        connected.unwrap_err();
    }
}

#[tokio::test]
async fn no_early_data() {
    let peer = Peer::new();
    let listener = Endpoint::server(peer.server(), loopback()).unwrap();
    let address = listener.local_addr().unwrap();
    let dialler = Endpoint::client(loopback()).unwrap();
    let config = peer.client();
    for _ in 0..2 {
        let connecting = dialler
            .connect_with(config.clone(), address, SERVER_NAME)
            .unwrap();
        let Err(connecting) = connecting.into_0rtt() else {
            panic!("0-RTT was offered")
        };
        let accept = async { listener.accept().await.unwrap().await };
        let (accepted, connected) = tokio::join!(accept, connecting);
        // Two sessions in a row with one configuration: no ticket of the first is used.
        accepted.unwrap().close(Close::Done.into(), b"");
        connected.unwrap().closed().await;
    }
}
