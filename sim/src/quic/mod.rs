//! Mode `quic`: the product's sessions over quinn itself, whose packets go through the link model
//! in virtual time.
//!
//! Everything runs on one thread under tokio's paused clock, which jumps to the next timer when
//! nothing is left to do; quinn reads time from that clock too. Connections are made beforehand,
//! over the link's delay alone, so that the scenario begins with both ends ready.

mod clock;
mod party;
mod settings;
mod socket;
mod unlimited;
mod wires;

use std::{sync::Arc, time::Duration};

use quinn::{Endpoint, ServerConfig};
use raq_shared::exit::{Exit, Failure};
use tokio::{
    runtime::Builder,
    select,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};

use crate::{
    flow::Flow,
    record::{DatagramRow, Direction, Kind},
    run::{Notes, Paths},
};
pub use clock::Clock;
pub use party::{Event, Party, broken};
pub use settings::{Settings, endpoint_config};
use socket::{Socket, address};
use wires::Wires;

/// After the handshakes, before the scenario begins: acknowledgements and the like come to an end.
const SETTLING: Duration = Duration::from_millis(1500);
/// Rounds without time passing that mean a mistake.
const STUCK: usize = 100_000;
/// Packets of more bytes than this carry what the flow sends, not only what QUIC does.
const LARGE: u32 = 100;

/// Lets `flows` run until `end`. Where not `windowed`, QUIC's congestion control is out of force.
///
/// # Errors
/// [`Failure`] where a medium breaks, a session or connection ends, or records cannot be written.
pub fn run(
    flows: Vec<Flow>,
    paths: &Paths,
    windowed: bool,
    end: Duration,
    notes: &mut Notes,
) -> Result<Vec<Flow>, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| {
            let text = format_args!("cannot set up virtual time: {error}; free some memory");
            Failure::new(Exit::Failure, text)
        })?;
    runtime.block_on(async {
        let mut simulation = Simulation::start(flows, paths, windowed, notes).await?;
        simulation.run(end).await?;
        let parties = simulation.parties.into_iter();
        Ok(parties.map(|party| party.flow).collect())
    })
}

struct Simulation<'a> {
    parties: Vec<Party>,
    wires: Arc<Wires>,
    events: UnboundedReceiver<Event>,
    clock: Clock,
    notes: &'a mut Notes,
}

impl<'a> Simulation<'a> {
    async fn start(
        flows: Vec<Flow>,
        paths: &Paths,
        windowed: bool,
        notes: &'a mut Notes,
    ) -> Result<Self, Failure> {
        let settings = Settings::new(windowed)?;
        let clock = Clock::paused();
        let wires = Arc::new(Wires::new(&paths.undisturbed()?, flows.len(), clock));
        let (tell, events) = unbounded_channel();
        let carrier = tokio::spawn(carry(wires.clone(), clock));
        let mut parties = Vec::new();
        for (number, flow) in flows.into_iter().enumerate() {
            let delay = paths.delay_of(number);
            let endpoint = |direction, server: Option<ServerConfig>| {
                let socket = Socket::new(wires.clone(), number, direction, delay);
                let config = endpoint_config((2 * number) as u8 + u8::from(server.is_some()));
                let (socket, clock) = (Arc::new(socket), Arc::new(clock));
                Endpoint::new_with_abstract_socket(config, server, socket, clock).map_err(broken)
            };
            let ends = [
                endpoint(Direction::Down, None)?,
                endpoint(Direction::Up, Some(settings.server.clone()))?,
            ];
            let address = address(Direction::Up);
            parties.push(Party::meet(flow, number, ends, address, &settings, &tell).await?);
        }
        clock.sleep_until(clock.now() + SETTLING).await;
        carrier.abort();
        let clock = clock.again();
        wires.replace(paths, clock);
        Ok(Self {
            parties,
            wires,
            events,
            clock,
            notes,
        })
    }

    async fn run(&mut self, end: Duration) -> Result<(), Failure> {
        let (mut before, mut rounds) = (Duration::ZERO, 0);
        loop {
            let now = self.clock.now();
            if now > end {
                return Ok(());
            }
            rounds = if now > before { 0 } else { rounds + 1 };
            before = now;
            if rounds > STUCK {
                return Err(Failure::new(
                    Exit::Failure,
                    format_args!("the simulation stands still at {now:?}; please report this"),
                ));
            }
            self.turn(now)?;
            let flows = self.parties.iter().filter_map(|party| party.flow.wake());
            let next = flows.chain(self.wires.wake()).min();
            let next = next.unwrap_or(end).min(end + Duration::from_micros(1));
            select! {
                biased;
                Some(event) = self.events.recv() => self.event(event)?,
                () = self.wires.sent.notified() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    fn turn(&mut self, now: Duration) -> Result<(), Failure> {
        for direction in [Direction::Down, Direction::Up] {
            while let Some(outcome) = self.wires.poll(now, direction) {
                let (packet, row) = self.notes.outcome(direction, outcome);
                self.notes.datagram(&DatagramRow {
                    flow: packet.payload.flow as u32,
                    kind: match direction {
                        _ if packet.bytes <= LARGE => Kind::Quic,
                        Direction::Down => Kind::Media,
                        Direction::Up => Kind::Feedback,
                    },
                    ..row
                })?;
                if row.lost.is_none() {
                    self.wires.deliver(direction, packet.payload);
                }
            }
        }
        while let Ok(event) = self.events.try_recv() {
            self.event(event)?;
        }
        for party in &mut self.parties {
            party.advance(now)?;
            while let Some(row) = party.flow.book.settled(now) {
                self.notes.frame(row)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Failure> {
        let now = self.clock.now();
        self.parties[event.flow].event(now, event)
    }
}

/// Carries what the undisturbed links bring, until stopped.
async fn carry(wires: Arc<Wires>, clock: Clock) {
    loop {
        for direction in [Direction::Down, Direction::Up] {
            while let Some(crate::link::Outcome::Delivered { packet, .. }) =
                wires.poll(clock.now(), direction)
            {
                wires.deliver(direction, packet.payload);
            }
        }
        match wires.wake() {
            Some(at) => {
                select! {
                    biased;
                    () = wires.sent.notified() => {}
                    () = clock.sleep_until(at) => {}
                }
            }
            None => wires.sent.notified().await,
        }
    }
}
