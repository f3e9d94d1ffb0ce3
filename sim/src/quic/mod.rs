//! Mode `quic`: the product's sessions over quinn itself, whose packets go through the link model
//! in virtual time.
//!
//! Everything runs on one thread under tokio's paused clock, which jumps to the next timer when
//! nothing is left to do; quinn reads time from that clock too. Connections are made beforehand,
//! over the link's delay alone, so that the scenario begins with both ends ready.

mod clock;
mod driver;
mod party;
mod settings;
mod socket;
mod unlimited;
mod wires;

use std::{sync::Arc, time::Duration};

use quinn::{Endpoint, ServerConfig};
use raq_shared::exit::{Exit, Failure};
use tokio::{runtime::Builder, select};

use crate::{
    flow::Flow,
    link::Outcome,
    record::{DatagramRow, Direction},
    run::{Notes, Paths},
};
pub use clock::Clock;
pub use driver::{Driver, kind};
pub use party::broken;
pub use settings::{Settings, endpoint_config};
use socket::{Socket, address};
use wires::Wires;

/// After the handshakes, before the scenario begins: acknowledgements and the like come to an end.
const SETTLING: Duration = Duration::from_millis(1500);
/// Rounds without time passing that mean a mistake.
const STUCK: usize = 100_000;

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
        Ok(simulation.driver.into_flows())
    })
}

struct Simulation<'a> {
    driver: Driver,
    wires: Arc<Wires>,
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
        let carrier = tokio::spawn(carry(wires.clone(), clock));
        let mut driver = Driver::new(clock);
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
            driver
                .meet(flow, ends, address(Direction::Up), &settings)
                .await?;
        }
        clock.sleep_until(clock.now() + SETTLING).await;
        carrier.abort();
        driver.clock = clock.again();
        wires.replace(paths, driver.clock);
        Ok(Self {
            driver,
            wires,
            notes,
        })
    }

    async fn run(&mut self, end: Duration) -> Result<(), Failure> {
        let (mut before, mut rounds) = (Duration::ZERO, 0);
        loop {
            let now = self.driver.clock.now();
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
            for direction in [Direction::Down, Direction::Up] {
                while let Some(outcome) = self.wires.poll(now, direction) {
                    let (packet, row) = self.notes.outcome(direction, outcome);
                    self.notes.datagram(&DatagramRow {
                        flow: packet.payload.flow as u32,
                        kind: kind(direction, packet.bytes),
                        ..row
                    })?;
                    if row.lost.is_none() {
                        self.wires.deliver(direction, packet.payload);
                    }
                }
                while let Some(outcome) = self.wires.poll_cross(now, direction) {
                    self.notes.cross(direction, outcome)?;
                }
            }
            self.driver.turn(now, self.notes)?;
            let wake = [self.driver.wake(), self.wires.wake()];
            let wake = wake.into_iter().flatten().min().unwrap_or(end);
            let past = end + Duration::from_micros(1);
            let sent = self.wires.sent.notified();
            self.driver.wait(wake.min(past), sent).await?;
        }
    }
}

/// Carries what the undisturbed links bring, until stopped.
async fn carry(wires: Arc<Wires>, clock: Clock) {
    loop {
        for direction in [Direction::Down, Direction::Up] {
            while let Some(Outcome::Delivered { packet, .. }) = wires.poll(clock.now(), direction) {
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
