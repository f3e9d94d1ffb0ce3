//! Mode `sessions`: the product's sessions in virtual time over a model of QUIC and of the link.

mod acks;
mod connection;
mod pacer;
mod ranges;
mod recovery;
mod window;

use std::time::Duration;

use raq_shared::exit::{Exit, Failure};

use crate::{
    cubic::Cubic,
    flow::{Flow, Handed, MAX_DATAGRAM, Use},
    link::{Link, Outcome, Packet as LinkPacket},
    record::{DatagramRow, Direction, Kind},
    run::{Notes, Paths},
};
use connection::{Connection, Packet};
use window::Window;

/// quinn's first window, bytes.
const INITIAL_WINDOW: u64 = 12_000;
/// What a window is counted in, bytes.
const SEGMENT: u16 = 1200;
/// Rounds without time passing that mean a mistake.
const STUCK: usize = 100_000;

/// What a link carries.
#[derive(Debug, Clone)]
struct Load {
    flow: usize,
    packet: Packet,
}

/// A flow with its two ends of a connection.
struct Party {
    flow: Flow,
    sender: Connection,
    receiver: Connection,
    delay: Option<Duration>,
    /// Datagrams that came down and that came up, not yet given to the flow.
    came: Vec<Handed>,
    answered: Vec<Handed>,
}

/// Lets `flows` run until `end`.
///
/// # Errors
/// [`Failure`] where a medium breaks, a session ends, or records cannot be written.
pub fn run(
    mut flows: Vec<Flow>,
    paths: &Paths,
    windowed: bool,
    end: Duration,
    notes: &mut Notes,
) -> Result<Vec<Flow>, Failure> {
    for flow in &mut flows {
        flow.shake_hands()?;
    }
    let window = || windowed.then(|| Window::new(Cubic::new(INITIAL_WINDOW, SEGMENT), SEGMENT));
    let parties = flows.into_iter().enumerate().map(|(number, flow)| Party {
        flow,
        sender: Connection::new(window(), paths.round_trip(number)),
        receiver: Connection::new(window(), paths.round_trip(number)),
        delay: paths.delay_of(number),
        came: Vec::new(),
        answered: Vec::new(),
    });
    let mut simulation = Simulation {
        parties: parties.collect(),
        down: paths.down(),
        up: paths.up(),
        notes,
    };
    simulation.down.watch_cross();
    simulation.up.watch_cross();
    simulation.run(end)?;
    let parties = simulation.parties.into_iter();
    Ok(parties.map(|party| party.flow).collect())
}

/// Sends what may be sent at `now`.
fn transmit(from: &mut Connection, now: Duration, mut offer: impl FnMut(Packet)) {
    while let Some(packet) = from.transmit(now) {
        offer(packet);
    }
}

struct Simulation<'a> {
    parties: Vec<Party>,
    down: Link<Load>,
    up: Link<Load>,
    notes: &'a mut Notes,
}

impl Simulation<'_> {
    fn run(&mut self, end: Duration) -> Result<(), Failure> {
        let mut now = Duration::ZERO;
        let mut rounds = 0;
        while now <= end {
            self.turn(now)?;
            let next = self.wake().unwrap_or(end + Duration::from_nanos(1));
            rounds = if next > now { 0 } else { rounds + 1 };
            if rounds > STUCK {
                return Err(Failure::new(
                    Exit::Failure,
                    format_args!("the simulation stands still at {now:?}; please report this"),
                ));
            }
            now = next.max(now);
        }
        Ok(())
    }

    fn turn(&mut self, now: Duration) -> Result<(), Failure> {
        while let Some(outcome) = self.down.poll(now) {
            if let Some(Load { flow, packet }) = self.note(Direction::Down, outcome)? {
                let party = &mut self.parties[flow];
                party.came.extend(party.receiver.receive(now, packet));
            }
        }
        while let Some(outcome) = self.up.poll(now) {
            if let Some(Load { flow, packet }) = self.note(Direction::Up, outcome)? {
                let party = &mut self.parties[flow];
                party.answered.extend(party.sender.receive(now, packet));
            }
        }
        while let Some(outcome) = self.down.poll_cross(now) {
            self.notes.cross(Direction::Down, outcome)?;
        }
        while let Some(outcome) = self.up.poll_cross(now) {
            self.notes.cross(Direction::Up, outcome)?;
        }
        for (number, party) in self.parties.iter_mut().enumerate() {
            let Party {
                flow,
                sender,
                receiver,
                delay,
                came,
                answered,
            } = party;
            let load = |packet: Packet| LinkPacket {
                bytes: packet.bytes,
                delay: *delay,
                payload: Load {
                    flow: number,
                    packet,
                },
            };
            // QUIC answers packets before the program hears of what is in them.
            transmit(sender, now, |packet| self.down.offer(now, load(packet)));
            transmit(receiver, now, |packet| self.up.offer(now, load(packet)));
            for handed in came.drain(..) {
                flow.receiving.datagram(now, &handed.bytes)?;
            }
            for handed in answered.drain(..) {
                flow.sending.datagram(now, &handed.bytes)?;
                if let Some(estimate) = flow.sending.estimate() {
                    sender.estimated(estimate);
                }
            }
            flow.sending.advance(now, sender.transport())?;
            while sender.has_room(MAX_DATAGRAM)
                && let Some(handed) = flow.sending.handed()
            {
                sender.send(handed);
                if !sender.has_room(MAX_DATAGRAM) {
                    transmit(sender, now, |packet| self.down.offer(now, load(packet)));
                }
            }
            transmit(sender, now, |packet| self.down.offer(now, load(packet)));
            flow.receiving.advance(now)?;
            while let Some(handed) = flow.receiving.handed() {
                receiver.send(handed);
            }
            transmit(receiver, now, |packet| self.up.offer(now, load(packet)));
            flow.note(now)?;
            while let Some(row) = flow.book.settled(now) {
                self.notes.frame(row)?;
            }
        }
        Ok(())
    }

    fn wake(&self) -> Option<Duration> {
        let parties = self.parties.iter().flat_map(|party| {
            [
                party.flow.wake(),
                party.sender.wake(),
                party.receiver.wake(),
            ]
        });
        let links = [self.down.wake(), self.up.wake()];
        parties.chain(links).flatten().min()
    }

    /// Notes what the link did; what it delivered.
    fn note(
        &mut self,
        direction: Direction,
        outcome: Outcome<Load>,
    ) -> Result<Option<Load>, Failure> {
        let (load, row) = self.notes.outcome(direction, outcome);
        let Packet {
            datagrams, bytes, ..
        } = &load.payload.packet;
        let mut row = DatagramRow {
            flow: load.payload.flow as u32,
            kind: Kind::Quic,
            bytes: *bytes,
            ..row
        };
        if datagrams.is_empty() {
            self.notes.datagram(&row)?;
        }
        // What all share the first one carries.
        let further: usize = datagrams
            .iter()
            .skip(1)
            .map(|handed| handed.bytes.len())
            .sum();
        let mut share = bytes - further as u32;
        for Handed {
            purpose,
            bytes,
            frame: number,
            ..
        } in datagrams
        {
            (row.kind, row.frame, row.index) = match *purpose {
                // The datagram itself has the low bits alone.
                Use::Media { index, .. } => {
                    (Kind::Media, number.map(u64::from), Some(index.into()))
                }
                Use::Padding(_) | Use::Heartbeat => (Kind::Padding, None, None),
                Use::Feedback => (Kind::Feedback, None, None),
            };
            row.bytes = if share > 0 { share } else { bytes.len() as u32 };
            share = 0;
            self.notes.datagram(&row)?;
        }
        Ok(row.lost.is_none().then_some(load.payload))
    }
}
