//! QUIC settings that both ends share, and what its errors mean here.

mod doorway;
mod reset;
pub mod window;

pub use doorway::{Counted, Doorway};
pub use reset::listener_config;

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{
    AckFrequencyConfig, ConnectionError, IdleTimeout, TransportConfig, TransportErrorCode, VarInt,
};
use rustls::AlertDescription;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;

use crate::identity::pairing::EXPORTER;
use crate::identity::verifier::{self, PinnedKeys};
use crate::identity::{Identity, KeyId, Trust};
use crate::wire::{ALPN, PAIRING_ALPN};
use window::SafetyWindowConfig;

/// Server name named in the TLS handshake; it means nothing, keys do.
pub const SERVER_NAME: &str = "raq";
/// A connection is lost after this time without a packet: outages of half a minute are bridged. A
/// receiver that was started again says so itself, and a sender that was is taken in at once.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// Both ends send something at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// First guess of the round-trip time: quinn's third of a second costs a second per lost packet
/// of the handshake.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Bytes of datagrams that may wait in quinn, which can neither be dropped nor stamped there: about a
/// frame's.
pub const DATAGRAM_SEND_BUFFER: usize = 16 << 10;
/// How long either end may hold back an acknowledgement, as in RFC 9000: reports go more often, so
/// that acknowledgements ride along with them instead of in packets of their own.
pub const MAX_ACK_DELAY: Duration = Duration::from_millis(25);
/// After so many packets one goes at once: no more than the window takes at its narrowest.
pub const PACKETS_PER_ACK: u32 = 16;
const DATAGRAM_RECEIVE_BUFFER: usize = 1 << 20;
/// Shipped codebooks are the largest thing on a stream (4096 rows of 32 values are 256 KiB); they
/// are read as they come.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How long the receiving end waits for a handshake: several round trips of the slowest links, and
/// a loss or two.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(15);
/// Handshakes of strangers that quinn holds back for us at most.
const MAX_INCOMING: usize = 64;

/// Application error codes on closing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Close {
    /// The session is over.
    Done = 0,
    /// The peer broke the protocol.
    Protocol = 1,
    /// The session was refused; the reason went over the control stream.
    Refused = 2,
    /// This end fails for a reason of its own.
    Failed = 3,
    /// Another sender with the same key has taken over.
    Superseded = 4,
    /// This end does not know the peer's key, and has found that out after the handshake.
    Unknown = 5,
}

impl From<Close> for VarInt {
    fn from(close: Close) -> Self {
        Self::from_u32(close as u32)
    }
}

/// The settings cannot be made: a bug, or a TLS library that lacks an algorithm.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}; this build of raq is broken, build it again with its lock file")]
pub struct QuicSetupError(String);

/// Settings for the receiving end, which listens.
///
/// # Errors
/// [`QuicSetupError`].
pub fn server_config(
    identity: &Identity,
    trust: Arc<Trust>,
) -> Result<quinn::ServerConfig, QuicSetupError> {
    server_config_with(identity, trust, |_| {})
}

/// [`server_config`] with changes to how packets are carried.
///
/// # Errors
/// [`QuicSetupError`].
pub fn server_config_with(
    identity: &Identity,
    trust: Arc<Trust>,
    change: impl FnOnce(&mut TransportConfig),
) -> Result<quinn::ServerConfig, QuicSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let keys = PinnedKeys::new(trust, provider.signature_verification_algorithms);
    let (chain, key) = identity.for_tls();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(setup)?
        .with_client_cert_verifier(Arc::new(keys))
        .with_single_cert(chain, key)
        .map_err(setup)?;
    tls.alpn_protocols = vec![ALPN.to_vec(), PAIRING_ALPN.to_vec()];
    // No tickets and no early data: every session proves its key, and nothing can be replayed.
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    let tls = QuicServerConfig::try_from(tls).map_err(setup)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    config
        .transport_config(server_transport(change))
        .max_incoming(MAX_INCOMING)
        // Senders change their networks.
        .migration(true);
    Ok(config)
}

/// How packets of a connection of the receiving end are carried, with changes.
pub fn server_transport(change: impl FnOnce(&mut TransportConfig)) -> Arc<TransportConfig> {
    let mut transport = transport();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(1));
    change(&mut transport);
    Arc::new(transport)
}

/// Settings for the sending end, which connects.
///
/// # Errors
/// [`QuicSetupError`].
pub fn client_config(
    identity: &Identity,
    trust: Arc<Trust>,
) -> Result<quinn::ClientConfig, QuicSetupError> {
    client_config_with(identity, trust, |_| {})
}

/// [`client_config`] with changes to how packets are carried.
///
/// # Errors
/// [`QuicSetupError`].
pub fn client_config_with(
    identity: &Identity,
    trust: Arc<Trust>,
    change: impl FnOnce(&mut TransportConfig),
) -> Result<quinn::ClientConfig, QuicSetupError> {
    client_config_for(ALPN, identity, trust, change)
}

/// Settings for the sending end while it is introduced.
///
/// # Errors
/// [`QuicSetupError`].
pub fn pairing_config(
    identity: &Identity,
    trust: Arc<Trust>,
) -> Result<quinn::ClientConfig, QuicSetupError> {
    client_config_for(PAIRING_ALPN, identity, trust, |_| {})
}

fn client_config_for(
    protocol: &[u8],
    identity: &Identity,
    trust: Arc<Trust>,
    change: impl FnOnce(&mut TransportConfig),
) -> Result<quinn::ClientConfig, QuicSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let keys = PinnedKeys::new(trust, provider.signature_verification_algorithms);
    let (chain, key) = identity.for_tls();
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(keys))
        .with_client_auth_cert(chain, key)
        .map_err(setup)?;
    tls.alpn_protocols = vec![protocol.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    let tls = QuicClientConfig::try_from(tls).map_err(setup)?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    let mut transport = transport();
    // The receiver answers on the sender's stream and opens none.
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .congestion_controller_factory(Arc::new(SafetyWindowConfig));
    change(&mut transport);
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn setup(error: impl std::fmt::Display) -> QuicSetupError {
    QuicSetupError(error.to_string())
}

fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    // Asked of the other end with the first packet after the handshake, where it is quinn too. Gaps
    // are told no sooner than the rest: datagrams are not sent again, and reports tell of losses.
    let mut acks = AckFrequencyConfig::default();
    acks.max_ack_delay(Some(MAX_ACK_DELAY))
        .ack_eliciting_threshold(VarInt::from_u32(PACKETS_PER_ACK - 1))
        .reordering_threshold(VarInt::from_u32(0));
    let idle = IdleTimeout::from(VarInt::from_u32(IDLE_TIMEOUT.as_millis() as u32));
    config
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .ack_frequency_config(Some(acks))
        .datagram_send_buffer_size(DATAGRAM_SEND_BUFFER)
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BUFFER))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(CONNECTION_WINDOW.into())
        // Bursts handed to the network card in one piece hide the spacing that is measured.
        .enable_segmentation_offload(false);
    config
}

/// The key that the peer of an established connection has proven.
pub fn peer_key(connection: &quinn::Connection) -> Option<KeyId> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    verifier::key_id(chain.first()?).ok()
}

/// Whether the sender wants to be introduced on this connection, rather than to send.
pub fn is_pairing(connection: &quinn::Connection) -> bool {
    let data = connection.handshake_data();
    let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
    data.is_some_and(|data| data.protocol.as_deref() == Some(PAIRING_ALPN))
}

/// A secret that both ends of a connection, and nobody else, derive from its handshake (RFC 8446,
/// 7.5), for [`TicketKey::proof`](crate::identity::TicketKey::proof). None would be there for lengths
/// that TLS cannot give.
pub fn exporter(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    let exported = connection.export_keying_material(&mut secret, EXPORTER, b"");
    exported.is_ok().then_some(secret)
}

/// Which end refused the other's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// This end does not trust the peer.
    OfPeer,
    /// The peer does not trust this end.
    ByPeer,
}

impl Distrust {
    /// Whether a connection failed for want of trust.
    pub fn behind(error: &ConnectionError) -> Option<Self> {
        let denied = TransportErrorCode::crypto(u8::from(AlertDescription::AccessDenied));
        match error {
            ConnectionError::TransportError(e) if e.code == denied => Some(Self::OfPeer),
            ConnectionError::ConnectionClosed(e) if e.error_code == denied => Some(Self::ByPeer),
            ConnectionError::ApplicationClosed(e) if e.error_code == Close::Unknown.into() => {
                Some(Self::ByPeer)
            }
            _ => None,
        }
    }

    /// The message for the user: cause and cure. `peer` is for example `the sender at 1.2.3.4:5`,
    /// `own` the key of this end.
    pub fn explain(self, peer: &str, own: KeyId) -> String {
        match self {
            Self::OfPeer => format!(
                "{peer} is not trusted: its key is unknown; pair with a ticket (raq-recv --invite), \
                 or run `raq-recv --print-id` (or `raq-send --print-id`) there and add the line to a \
                 file given with --trust here"
            ),
            Self::ByPeer => format!(
                "{peer} does not trust this end; pair with a ticket (raq-recv --invite), or add the \
                 line `{own}` to a file given with --trust there"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
