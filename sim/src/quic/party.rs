//! A flow whose ends are joined by a connection of quinn's.

use std::{fmt::Display, net::SocketAddr, time::Duration};

use bytes::Bytes;
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendDatagramError, SendStream};
use raq_shared::{
    exit::{Exit, Failure},
    quic::{SERVER_NAME, window::SafetyWindow},
};
use tokio::sync::mpsc::UnboundedSender;

use super::settings::Settings;
use crate::{
    flow::{Flow, MAX_DATAGRAM},
    policy::Transport,
    record::Direction,
};

/// Turns that the sessions' handshake may take.
const HANDSHAKE: usize = 8;

/// A datagram that came out of a connection, or the end of that.
#[derive(Debug)]
pub(super) struct Event {
    /// Of which flow.
    pub(super) flow: usize,
    /// The way that it came.
    pub(super) direction: Direction,
    /// What came.
    pub(super) what: Result<Bytes, ConnectionError>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Party {
    /// The flow.
    pub(super) flow: Flow,
    sender: Connection,
    receiver: Connection,
    /// The sender's window, where it is in force.
    window: Option<SafetyWindow>,
    /// The sender's buffer when nothing is in it, bytes.
    room: usize,
    /// Dropped, they would end what they belong to.
    _streams: [(SendStream, RecvStream); 2],
    _endpoints: [Endpoint; 2],
}

impl Party {
    /// Connects the ends of flow `number` and lets the sessions agree. `sender` and `receiver` are
    /// endpoints; the receiving one listens at `address`. What comes later is told to `events`.
    ///
    /// # Errors
    /// [`Failure`] where this fails.
    pub(super) async fn meet(
        mut flow: Flow,
        number: usize,
        [sender, receiver]: [Endpoint; 2],
        address: SocketAddr,
        settings: &Settings,
        events: &UnboundedSender<Event>,
    ) -> Result<Self, Failure> {
        let endpoints = [sender.clone(), receiver.clone()];
        let connecting = sender
            .connect_with(settings.client.clone(), address, SERVER_NAME)
            .map_err(broken)?;
        let accepting = async {
            let incoming = receiver
                .accept()
                .await
                .ok_or(ConnectionError::LocallyClosed)?;
            incoming.await
        };
        let (sender, receiver) = tokio::try_join!(connecting, accepting).map_err(broken)?;
        let streams = agree(&mut flow, &sender, &receiver).await?;
        for (connection, direction) in [(&receiver, Direction::Down), (&sender, Direction::Up)] {
            let events = events.clone();
            let connection = connection.clone();
            tokio::spawn(tell(number, direction, connection, events));
        }
        Ok(Self {
            flow,
            window: SafetyWindow::of(&sender),
            room: sender.datagram_send_buffer_space(),
            sender,
            receiver,
            _streams: streams,
            _endpoints: endpoints,
        })
    }

    /// Takes what came out of a connection at `now`.
    ///
    /// # Errors
    /// [`Failure`] where it ended, the medium breaks or the session ends.
    pub(super) fn event(&mut self, now: Duration, event: Event) -> Result<(), Failure> {
        let bytes = event.what.map_err(broken)?;
        match event.direction {
            Direction::Down => self.flow.receiving.datagram(now, &bytes),
            Direction::Up => {
                self.flow.sending.datagram(now, &bytes)?;
                if let (Some(window), Some(estimate)) = (&self.window, self.flow.sending.estimate())
                {
                    window.set(estimate);
                }
                Ok(())
            }
        }
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// [`Failure`] where a connection or the session ends, or the medium breaks.
    pub(super) fn advance(&mut self, now: Duration) -> Result<(), Failure> {
        let transport = self.transport();
        self.flow.sending.advance(now, transport)?;
        // quinn would throw away the oldest to make room.
        while self.sender.datagram_send_buffer_space() >= MAX_DATAGRAM
            && let Some(handed) = self.flow.sending.handed()
        {
            send(&self.sender, handed.bytes)?;
        }
        self.flow.receiving.advance(now)?;
        while let Some(handed) = self.flow.receiving.handed() {
            send(&self.receiver, handed.bytes)?;
        }
        self.flow.note(now)
    }

    /// What QUIC knows of the path, as the product asks it.
    fn transport(&self) -> Transport {
        let path = self.sender.stats().path;
        let unsent = self
            .room
            .saturating_sub(self.sender.datagram_send_buffer_space());
        Transport {
            window: path.cwnd,
            round_trip: path.rtt,
            shortest: path.min_rtt,
            queued: unsent,
        }
    }
}

/// Passes the datagrams that a connection receives on, and its end.
async fn tell(
    flow: usize,
    direction: Direction,
    connection: Connection,
    events: UnboundedSender<Event>,
) {
    loop {
        let what = connection.read_datagram().await;
        let over = what.is_err();
        let event = Event {
            flow,
            direction,
            what,
        };
        if events.send(event).is_err() || over {
            return;
        }
    }
}

/// Lets both sessions say what they say before the first frame.
async fn agree(
    flow: &mut Flow,
    sender: &Connection,
    receiver: &Connection,
) -> Result<[(SendStream, RecvStream); 2], Failure> {
    let now = Duration::ZERO;
    let mut asking = sender.open_bi().await.map_err(broken)?;
    let mut answering: Option<(SendStream, RecvStream)> = None;
    for _ in 0..HANDSHAKE {
        while let Some(said) = flow.sending.control() {
            asking.0.write_all(&said).await.map_err(broken)?;
            let (_, hearing) = match &mut answering {
                Some(streams) => streams,
                // It is there once something came on it.
                None => answering.insert(receiver.accept_bi().await.map_err(broken)?),
            };
            let mut heard = vec![0; said.len()];
            hearing.read_exact(&mut heard).await.map_err(broken)?;
            flow.receiving.heard(now, &heard)?;
        }
        while let Some(said) = flow.receiving.control()
            && let Some((saying, _)) = &mut answering
        {
            saying.write_all(&said).await.map_err(broken)?;
            let mut heard = vec![0; said.len()];
            asking.1.read_exact(&mut heard).await.map_err(broken)?;
            flow.sending.heard(now, &heard)?;
        }
        if flow.sending.is_started()
            && let Some(answering) = answering
        {
            return Ok([asking, answering]);
        }
    }
    Err(broken("the two sessions do not come to an agreement"))
}

fn send(connection: &Connection, bytes: Bytes) -> Result<(), Failure> {
    match connection.send_datagram(bytes) {
        Err(SendDatagramError::ConnectionLost(error)) => Err(broken(error)),
        Err(error) => Err(broken(error)),
        Ok(()) => Ok(()),
    }
}

/// Nothing of this should ever happen.
pub fn broken(error: impl Display) -> Failure {
    Failure::new(
        Exit::Failure,
        format_args!("QUIC between the simulated ends broke: {error}; please report this"),
    )
}
