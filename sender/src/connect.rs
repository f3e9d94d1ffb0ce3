//! Finding and reaching the receiver.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn::{
    ClientConfig, ConnectError, Connection, ConnectionError, Endpoint, TransportErrorCode,
};
use raq_shared::exit::{Exit, Failure};
use raq_shared::quic::{Close, Distrust, QuicSetupError, SERVER_NAME};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::contact::Contact;

/// How long the receiver may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// The next address is tried when the one before has not answered for this long (compare RFC
/// 8305; longer than there, so that a receiver behind several addresses sees one sender).
const STAGGER: Duration = Duration::from_millis(500);
/// TLS's alert for peers without a common application protocol.
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// Connects to whichever of the receiver's addresses answers first, each with settings of its own.
pub(crate) async fn connect(
    contact: &Contact,
    config: impl Fn() -> Result<ClientConfig, QuicSetupError>,
) -> Result<(Endpoint, Connection), Failure> {
    let peer = &contact.peer;
    let fail = |text: String| Failure::new(Exit::Connection, text);
    let found = timeout(PATIENCE, lookup_host((peer.host.as_str(), peer.port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            return Err(fail(format!(
                "cannot find {}: {error}; correct the name in --peer or give an address",
                peer.host
            )));
        }
        Err(_) => {
            return Err(fail(format!(
                "cannot find {}: the name server does not answer; give --peer an address",
                peer.host
            )));
        }
    };
    let mut attempts = JoinSet::new();
    for (order, &address) in addresses.iter().enumerate() {
        let config = config()?;
        attempts.spawn(async move {
            sleep(STAGGER * order as u32).await;
            tracing::debug!(%address, "connecting");
            (address, attempt(address, config).await)
        });
    }
    let mut failures = Vec::new();
    let first = async {
        while let Some(attempt) = attempts.join_next().await {
            match attempt {
                Ok((_, Ok(connected))) => return Some(connected),
                Ok((address, Err(error))) => failures.push((address, error)),
                // It was cancelled, or a bug that has told of itself.
                Err(_) => {}
            }
        }
        None
    };
    if let Ok(Some(connected)) = timeout(PATIENCE, first).await {
        return Ok(connected);
    }
    // Who says no says more than who says nothing.
    for (address, error) in &failures {
        if let Attempt::Connection(error) = error {
            let failure = refusal(contact, &format!("the receiver at {address}"), error);
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
    }
    let tried: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let local = failures.into_iter().find_map(|(_, error)| match error {
        Attempt::Local(text) => Some(format!(" ({text})")),
        Attempt::Connection(_) => None,
    });
    Err(fail(format!(
        "no answer from {peer} (tried {}){}; look whether raq-recv listens there and whether a \
         firewall drops UDP",
        tried.join(", "),
        local.unwrap_or_default()
    )))
}

/// Why an address could not be reached.
enum Attempt {
    /// This end cannot even try.
    Local(String),
    Connection(ConnectionError),
}

/// What to bind a socket to that reaches `address`.
pub(crate) fn any(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

async fn attempt(
    address: SocketAddr,
    config: ClientConfig,
) -> Result<(Endpoint, Connection), Attempt> {
    let local = |error: io::Error| Attempt::Local(error.to_string());
    let endpoint = Endpoint::client(any(address)).map_err(local)?;
    let connecting = endpoint
        .connect_with(config, address, SERVER_NAME)
        .map_err(|error: ConnectError| Attempt::Local(error.to_string()))?;
    let connection = connecting.await.map_err(Attempt::Connection)?;
    Ok((endpoint, connection))
}

/// What it means that a connection failed, where the peer had a reason.
pub(crate) fn refusal(contact: &Contact, peer: &str, error: &ConnectionError) -> Option<Failure> {
    if let Some(distrust) = Distrust::behind(error) {
        return Some(contact.distrust(distrust, peer));
    }
    let no_protocol = TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL);
    let code = match error {
        ConnectionError::TransportError(e) => Some(e.code),
        ConnectionError::ConnectionClosed(e) => Some(e.error_code),
        _ => None,
    };
    if code == Some(no_protocol) || matches!(error, ConnectionError::VersionMismatch) {
        return Some(Failure::new(
            Exit::Refused,
            format_args!("{peer} does not speak raq; correct --peer"),
        ));
    }
    let ConnectionError::ApplicationClosed(close) = error else {
        return None;
    };
    let reason = String::from_utf8_lossy(&close.reason);
    let reason: String = reason
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    let is = |code: Close| close.error_code == code.into();
    Some(if is(Close::Done) {
        Failure::new(
            Exit::Connection,
            format_args!("{peer} ended the session ({reason}); start raq-recv there again"),
        )
    } else if is(Close::Refused) {
        Failure::new(Exit::Refused, format_args!("{peer} refused: {reason}"))
    } else if is(Close::Superseded) {
        Failure::new(
            Exit::Refused,
            format_args!(
                "another sender has taken over at {peer}, with the same key or while this one was \
                 silent; run one of them at a time"
            ),
        )
    } else if is(Close::Protocol) {
        Failure::new(Exit::Failure, format_args!("{peer} says: {reason}"))
    } else {
        let why = if reason.is_empty() { "" } else { ": " };
        Failure::new(
            Exit::Connection,
            format_args!("{peer} failed{why}{reason}; look what raq-recv says there"),
        )
    })
}
