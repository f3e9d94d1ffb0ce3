//! quinn's settings: the product's, but equal from run to run.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, ServerConfig,
    TransportConfig,
};
use raq_shared::{
    exit::{Exit, Failure},
    identity::{Identity, Trust},
    quic::{client_config_with, server_config_with},
};

use super::unlimited::Unlimited;

/// The key of both ends.
const IDENTITY: &str = include_str!("identity.pem");
/// Length of a connection ID, bytes; quinn's own choice.
const ID: usize = 8;

/// Settings for the connections of a run.
#[derive(Debug)]
pub struct Settings {
    /// For the receiving end, which listens.
    pub server: ServerConfig,
    /// For the sending end, which connects.
    pub client: ClientConfig,
}

impl Settings {
    /// The product's; where not `windowed`, quinn neither holds back nor paces.
    ///
    /// # Errors
    /// [`Failure`] where TLS cannot be set up.
    pub fn new(windowed: bool) -> Result<Self, Failure> {
        let fail = |error: &dyn std::fmt::Display| Failure::new(Exit::Failure, error);
        let identity = Identity::from_pem(IDENTITY, Path::new("identity.pem"))
            .map_err(|error| fail(&error))?;
        let trust = Arc::new(Trust::only(identity.id()));
        let change = |transport: &mut TransportConfig| {
            transport
                // A random bit in every packet.
                .allow_spin(false)
                // A link that is away for long is no reason to end.
                .max_idle_timeout(None)
                // The model's packets have 1200 bytes too.
                .mtu_discovery_config(None);
            if !windowed {
                transport.congestion_controller_factory(Arc::new(Unlimited));
            }
        };
        let server = server_config_with(&identity, trust.clone(), change);
        let client = client_config_with(&identity, trust, change);
        let mut client = client.map_err(|error| fail(&error))?;
        client.initial_dst_cid_provider(Arc::new(|| ConnectionId::new(&[0; ID])));
        Ok(Self {
            server: server.map_err(|error| fail(&error))?,
            client,
        })
    }
}

/// Settings of an endpoint in which nothing is left to chance but `number`.
pub fn endpoint_config(number: u8) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config
        .rng_seed(Some([number; 32]))
        .cid_generator(|| Box::new(Counted(AtomicU64::new(1))));
    config
}

/// Connection IDs one after the other; quinn's come from the thread's own chance.
#[derive(Debug)]
struct Counted(AtomicU64);

impl ConnectionIdGenerator for Counted {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes())
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}
