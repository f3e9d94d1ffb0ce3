//! Who connects: handshakes, greetings, seats, and when the program is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quinn::{Connecting, Connection, ConnectionError, Endpoint, ServerConfig};
use raq_shared::exit::{Exit, Failure};
use raq_shared::identity::KeyId;
#[cfg(feature = "qlog")]
use raq_shared::observe::qlog::Qlog;
use raq_shared::quic::{self, Close, Counted, Distrust, Doorway};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::admission::{Admission, Admitted};
use crate::connection::{self, Outcome, Signals};
use crate::greeting::{Greeted, Greeting, greet};
use crate::seats::{Claim, Place, Seats};
use crate::session::{End, Settings};
use crate::station::Stations;

pub(crate) struct Server {
    pub(crate) key: KeyId,
    pub(crate) admission: Admission,
    pub(crate) settings: Settings,
    pub(crate) seats: Arc<Seats>,
    pub(crate) stations: Stations,
    /// Somebody was received, or is.
    pub(crate) received: AtomicBool,
    pub(crate) doorway: Arc<Doorway>,
    pub(crate) stopped: watch::Receiver<bool>,
    /// With the settings that all connections have in common.
    #[cfg(feature = "qlog")]
    pub(crate) qlog: Option<(Qlog, ServerConfig)>,
}

impl Server {
    /// The settings of one connection, where they are not those of all.
    fn settings_of_its_own(&self) -> Option<Arc<ServerConfig>> {
        #[cfg(feature = "qlog")]
        if let Some((qlog, config)) = &self.qlog {
            let mut config = config.clone();
            config.transport_config(quic::server_transport(|transport| qlog.apply(transport)));
            return Some(Arc::new(config));
        }
        None
    }
}

/// After what the program ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// After any attempt, also one that was refused.
    pub(crate) once: bool,
    /// After a session that came to its end: a file that it fills is done.
    pub(crate) after_stream: bool,
}

/// What became of someone who connected.
#[derive(Debug)]
enum Attempt {
    /// Nobody with a valid handshake, or sent away because another one is being received.
    Nothing,
    Distrust(String),
    /// One who said something else than a Hello that fits, and never had the place.
    Greeting(Outcome),
    Session(Outcome),
    /// One of several, with its number; the others go on whatever became of it.
    Peer(u32, Outcome),
}

/// Admits whoever may send until the program is over.
///
/// # Errors
/// [`Failure`] with which the program ends.
pub(crate) async fn serve(
    server: Arc<Server>,
    endpoint: &Endpoint,
    ends: Ends,
) -> Result<(), Failure> {
    let (attempts, mut made) = mpsc::unbounded_channel();
    let mut stopped = server.stopped.clone();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return Err(no_socket()) };
                let own = || server.settings_of_its_own();
                if let Some((connecting, counted)) = server.doorway.admit(endpoint, incoming, own) {
                    let (server, attempts) = (server.clone(), attempts.clone());
                    tokio::spawn(async move {
                        let _ = attempts.send(attempt(&server, connecting, counted).await);
                    });
                }
            }
            Some(attempt) = made.recv() => {
                // A stranger must not end the session of somebody who was let in, nor decide how
                // it ended before that is known.
                let receiving = server.stations.are_used()
                    || (ends.once && server.received.load(Ordering::Relaxed));
                match attempt {
                    Attempt::Distrust(message) if receiving => tracing::warn!("{message}"),
                    Attempt::Greeting(outcome) if receiving => {
                        if let Some((Err(failure), _)) = result(outcome, ends) {
                            tracing::warn!("{failure}");
                        }
                    }
                    attempt => {
                        if let Some(result) = judge(attempt, ends) {
                            return result;
                        }
                    }
                }
            }
            _ = stopped.wait_for(|&stopped| stopped) => break,
        }
    }
    // Sessions that are running see the same signal and come to their end.
    server.stations.idle().await;
    while let Ok(attempt) = made.try_recv() {
        if let Some(result) = judge(attempt, ends) {
            return result;
        }
    }
    Ok(())
}

/// Whether the program ends after this attempt, and how.
fn judge(attempt: Attempt, ends: Ends) -> Option<Result<(), Failure>> {
    let (result, ended_well) = match attempt {
        Attempt::Nothing => return None,
        Attempt::Distrust(message) => (Err(Failure::new(Exit::Refused, message)), false),
        Attempt::Greeting(outcome) => result(outcome, ends)?,
        Attempt::Session(Outcome {
            failure: Some(failure),
            ..
        }) => return Some(Err(failure)),
        Attempt::Session(outcome) => result(outcome, ends)?,
        Attempt::Peer(
            number,
            Outcome {
                failure: Some(failure),
                ..
            },
        ) => {
            tracing::error!("peer {number}: {failure}; the others are received on");
            return None;
        }
        Attempt::Peer(number, outcome) => {
            if let (Err(failure), _) = result(outcome, ends)? {
                tracing::warn!("peer {number}: {failure}");
            }
            return None;
        }
    };
    if ends.once || (ends.after_stream && ended_well) {
        return Some(result);
    }
    if let Err(failure) = result {
        tracing::warn!("{failure}; waiting for the next sender");
    }
    None
}

/// How an attempt went, and whether it came to a good end; none where nobody needs to know.
fn result(outcome: Outcome, ends: Ends) -> Option<(Result<(), Failure>, bool)> {
    let Outcome { end, lost, .. } = outcome;
    let fail = |exit, message: String| Err(Failure::new(exit, message));
    Some(match end {
        End::Done | End::Stopped => (Ok(()), true),
        End::Refused(reason) => (
            fail(Exit::Refused, format!("refused the sender: {reason}")),
            false,
        ),
        End::Broken(_) => (fail(Exit::Failure, end.to_string()), false),
        End::Superseded if !ends.once => {
            tracing::info!("{end}");
            return None;
        }
        End::Lost | End::Superseded => {
            let why = lost.map(|e| format!(" ({e})")).unwrap_or_default();
            let message = format!("{end}{why}; look after the network");
            (fail(Exit::Connection, message), false)
        }
    })
}

fn no_socket() -> Failure {
    let text = "the socket is gone; look after the network and start raq-recv again";
    Failure::new(Exit::Connection, text)
}

async fn attempt(server: &Server, connecting: Connecting, mut counted: Counted) -> Attempt {
    let address = connecting.remote_address();
    let connected = timeout(quic::HANDSHAKE_PATIENCE, connecting).await;
    let connection = match connected {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return no_handshake(address, &error, server.key),
        Err(_) => {
            tracing::info!("no session with {address}: it did not end its handshake");
            return Attempt::Nothing;
        }
    };
    counted.enter();
    let key = quic::peer_key(&connection);
    if let Some(key) = key {
        tracing::debug!(%address, %key, "connected");
    }
    match server.admission.admit(&connection, key).await {
        Admitted::Yes => {}
        Admitted::No(message) => return Attempt::Distrust(message),
        Admitted::Nothing => return Attempt::Nothing,
    }
    let turn = server.seats.arrive();
    let mut settings = server.settings.clone();
    settings.format = server.stations.only_format();
    let mut greeted = match greet(&connection, settings, server.stopped.clone()).await {
        Greeting::Fits(greeted) => greeted,
        Greeting::Over(outcome) => return Attempt::Greeting(outcome),
    };
    let heard = connection.clone();
    let packets = move || heard.stats().udp_rx.datagrams;
    let claim = match server.seats.claim(turn, key, packets).await {
        Place::Given(claim) => claim,
        Place::Superseded => return superseded(&connection),
        Place::Taken => {
            let others = match server.stations.are_several() {
                true => "as many as --max-peers allows are",
                false => "another one is",
            };
            tracing::info!("sent the sender at {address} away: {others} being received");
            greeted.session.refuse_busy();
            greeted.refuse(&connection).await;
            return Attempt::Nothing;
        }
    };
    seat(server, &connection, greeted, claim, key).await
}

/// Receives a sender at its seat.
async fn seat(
    server: &Server,
    connection: &Connection,
    mut greeted: Box<Greeted>,
    claim: Claim,
    key: Option<KeyId>,
) -> Attempt {
    let mut taken = claim.superseded();
    let mut place = tokio::select! {
        place = server.stations.take(claim.seat()) => place,
        _ = taken.wait_for(|&taken| taken) => return superseded(connection),
    };
    let prepared = server.stations.prepare(&mut place, key, greeted.format);
    let station = match prepared.await {
        Ok(station) => station,
        Err(failure) => {
            tracing::error!("cannot receive {}: {failure}", connection.remote_address());
            greeted.fail(connection, &failure).await;
            return Attempt::Nothing;
        }
    };
    // The session before may have begun a file meanwhile.
    greeted
        .session
        .restrict(station.pipeline.format.get().copied());
    if greeted.session.is_over() {
        return Attempt::Greeting(greeted.refuse(connection).await);
    }
    server.received.store(true, Ordering::Relaxed);
    let (number, several) = (station.number, server.stations.are_several());
    let session = connection::receive(
        connection,
        *greeted,
        server.settings.codebooks.digest().to_hex(),
        &mut station.pipeline,
        Signals {
            stop: server.stopped.clone(),
            superseded: taken,
        },
    );
    let outcome = match several {
        true => {
            session
                .instrument(tracing::info_span!("peer", number))
                .await
        }
        false => session.await,
    };
    let is_kept = server.stations.leave(&mut place, &outcome).await;
    // The next one finds the station free.
    drop(place);
    match is_kept {
        true => drop(claim),
        false => claim.clear(),
    }
    match several {
        true => Attempt::Peer(number, outcome),
        false => Attempt::Session(outcome),
    }
}

/// Sends away one whose place another one with its key has.
fn superseded(connection: &Connection) -> Attempt {
    let reason = End::Superseded.to_string();
    connection.close(Close::Superseded.into(), reason.as_bytes());
    Attempt::Nothing
}

fn no_handshake(address: SocketAddr, error: &ConnectionError, key: KeyId) -> Attempt {
    match Distrust::behind(error) {
        Some(distrust) => {
            Attempt::Distrust(distrust.explain(&format!("the sender at {address}"), key))
        }
        None => {
            tracing::info!("no session with {address}: {error}");
            Attempt::Nothing
        }
    }
}
