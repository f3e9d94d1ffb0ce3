//! Lets flows live on their connections.

use std::{future::Future, net::SocketAddr, time::Duration};

use quinn::Endpoint;
use raq_shared::exit::Failure;
use tokio::{
    select,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::{
    clock::Clock,
    party::{Event, Party},
    settings::Settings,
};
use crate::{
    flow::Flow,
    record::{Direction, Kind},
    run::Notes,
};

/// Packets of more bytes than this carry what the flow sends, not only what QUIC does.
const LARGE: u32 = 100;

/// Flows and their connections, whatever network these are over.
#[derive(Debug)]
pub struct Driver {
    /// Time since the scenario began.
    pub clock: Clock,
    parties: Vec<Party>,
    events: UnboundedReceiver<Event>,
    tell: UnboundedSender<Event>,
}

impl Driver {
    /// Without flows.
    pub fn new(clock: Clock) -> Self {
        let (tell, events) = unbounded_channel();
        Self {
            clock,
            parties: Vec::new(),
            events,
            tell,
        }
    }

    /// Adds a flow: connects its ends, the sending and the receiving one, of which the latter is
    /// reached at `address`, and lets the sessions agree.
    ///
    /// # Errors
    /// [`Failure`] where this fails.
    pub async fn meet(
        &mut self,
        flow: Flow,
        ends: [Endpoint; 2],
        address: SocketAddr,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let number = self.parties.len();
        let party = Party::meet(flow, number, ends, address, settings, &self.tell);
        self.parties.push(party.await?);
        Ok(())
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// [`Failure`] where a connection or a session ends, a medium breaks, or records cannot be
    /// written.
    pub fn turn(&mut self, now: Duration, notes: &mut Notes) -> Result<(), Failure> {
        while let Ok(event) = self.events.try_recv() {
            self.parties[event.flow].event(now, event)?;
        }
        for party in &mut self.parties {
            party.advance(now)?;
            while let Some(row) = party.flow.book.settled(now) {
                notes.frame(row)?;
            }
        }
        Ok(())
    }

    /// When [`Self::turn`] is due at the latest.
    pub fn wake(&self) -> Option<Duration> {
        let flows = self.parties.iter().filter_map(|party| party.flow.wake());
        flows.min()
    }

    /// Waits until `time`, or until `sooner` is over, or something came.
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub async fn wait(
        &mut self,
        time: Duration,
        sooner: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        select! {
            biased;
            Some(event) = self.events.recv() => {
                self.parties[event.flow].event(self.clock.now(), event)
            }
            () = sooner => Ok(()),
            () = self.clock.sleep_until(time) => Ok(()),
        }
    }

    /// The flows, at the end.
    pub fn into_flows(self) -> Vec<Flow> {
        self.parties.into_iter().map(|party| party.flow).collect()
    }
}

/// What a packet is for, going by its bytes on the link: more cannot be seen from outside.
pub fn kind(direction: Direction, bytes: u32) -> Kind {
    match direction {
        _ if bytes <= LARGE => Kind::Quic,
        Direction::Down => Kind::Media,
        Direction::Up => Kind::Feedback,
    }
}
