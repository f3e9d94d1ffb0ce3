//! The link model in real time, between real programs: a UDP relay.
//!
//! ```text
//! client --> listen --(down)--> to
//! client <-- listen <--(up)---- to
//! ```
//!
//! Each client, told apart by its address, has a socket of its own towards `to`, and all of them
//! share the two links. A thread waits at each socket and notes when a datagram came; the calling
//! thread alone touches the links, and sends on what comes out of them when it is due. It waits at
//! a channel, not for timers of an event loop, which are rounded to milliseconds.

mod clients;
mod counts;
mod inbox;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

use bytes::Bytes;
use raq_shared::exit::{Exit, Failure};
use tokio::sync::watch;

use crate::{
    link::{Link, Outcome, Packet},
    record::Direction,
};
use clients::Clients;
pub use counts::{Counts, Way};
use inbox::{Letter, Origin};

/// How long the relay may take to notice that it is to stop.
const PATIENCE: Duration = Duration::from_millis(50);
/// Datagrams taken before those that are due are looked at again.
const AT_ONCE: usize = 64;

/// The links that all clients share.
pub struct Links {
    /// From the clients.
    pub down: Link<Datagram>,
    /// To the clients.
    pub up: Link<Datagram>,
    /// How often every client gets another port towards where it wants to go, as from a router that
    /// forgets who it has behind it. What still comes to the old one is lost.
    pub forgets: Option<Duration>,
}

/// A datagram on its way.
#[derive(Debug, Clone)]
pub struct Datagram {
    client: usize,
    payload: Bytes,
}

impl Datagram {
    /// The number of the client that it comes from or goes to, from 0 in the order in which they
    /// came.
    pub fn client(&self) -> usize {
        self.client
    }
}

/// When a relay ends.
#[derive(Debug, Clone)]
pub struct Until {
    /// When this turns true, or nobody is left to do that.
    pub stop: watch::Receiver<bool>,
    /// When it has worked for so long.
    pub end: Option<Duration>,
}

/// Relays what comes to `listen` to the address `to`, and the answers back. `note` is told what
/// became of a datagram when that happens, with times since the relay began, and nothing of what
/// is still on its way at the end.
///
/// # Errors
/// [`Failure`] where the system gives no socket or thread, or a socket fails.
pub fn relay(
    listen: &UdpSocket,
    to: SocketAddr,
    links: Links,
    until: &Until,
    note: impl FnMut(Direction, &Outcome<Datagram>),
) -> Result<Counts, Failure> {
    let done = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        let (sender, letters) = mpsc::channel();
        let relay = Relay {
            scope,
            listen,
            links,
            clients: Clients::new(to),
            start: now(),
            forgets_at: None,
            sender,
            done: &done,
            counts: Counts::default(),
            note,
        };
        let result = relay.run(&letters, until);
        // The scope waits for the threads at the sockets, which look at this now and then.
        done.store(true, Ordering::Relaxed);
        result
    });
    result.map_err(|error| {
        let cure = "see that addresses and sockets are there to be had";
        Failure::new(
            Exit::Failure,
            format_args!("cannot relay to {to}: {error}; {cure}"),
        )
    })
}

struct Relay<'scope, 'env, N> {
    scope: &'scope Scope<'scope, 'env>,
    listen: &'scope UdpSocket,
    links: Links,
    clients: Clients,
    start: Instant,
    forgets_at: Option<Duration>,
    sender: Sender<io::Result<Letter>>,
    done: &'scope AtomicBool,
    counts: Counts,
    note: N,
}

impl<N: FnMut(Direction, &Outcome<Datagram>)> Relay<'_, '_, N> {
    fn run(mut self, letters: &Receiver<io::Result<Letter>>, until: &Until) -> io::Result<Counts> {
        self.open(self.listen.try_clone()?, None)?;
        self.forgets_at = self.links.forgets;
        loop {
            self.send_on();
            let time = self.time();
            if self.forgets_at.is_some_and(|at| at <= time) {
                self.forget()?;
            }
            let stopped = *until.stop.borrow() || until.stop.has_changed().is_err();
            if stopped || until.end.is_some_and(|end| end <= time) {
                return Ok(self.counts);
            }
            let events = [
                self.links.down.wake(),
                self.links.up.wake(),
                until.end,
                self.forgets_at,
            ];
            let wake = events.into_iter().flatten().min();
            let wait = wake.map_or(PATIENCE, |wake| wake.saturating_sub(time));
            match letters.recv_timeout(wait.min(PATIENCE)) {
                Ok(letter) => {
                    self.take(letter?)?;
                    for letter in letters.try_iter().take(AT_ONCE) {
                        self.take(letter?)?;
                    }
                }
                // It cannot be disconnected: a sender is at hand here.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// Puts a datagram into its link.
    fn take(&mut self, letter: Letter) -> io::Result<()> {
        let now = letter.at - self.start;
        let (client, address) = match letter.origin {
            Origin::Listen(address) => match self.clients.number(address, now) {
                Some(number) => (number, address),
                None => match self.clients.add(address, now)? {
                    Some(number) => {
                        self.open_client(number)?;
                        (number, address)
                    }
                    None => {
                        self.counts.refused += 1;
                        return Ok(());
                    }
                },
            },
            Origin::Client(number) => (number, self.clients.address(number)),
        };
        let (way, link) = match letter.origin {
            Origin::Listen(_) => (&mut self.counts.down, &mut self.links.down),
            Origin::Client(_) => (&mut self.counts.up, &mut self.links.up),
        };
        way.offered += 1;
        let packet = Packet {
            bytes: letter.payload.len() as u32 + headers(address),
            delay: None,
            payload: Datagram {
                client,
                payload: letter.payload,
            },
        };
        link.offer(now, packet);
        Ok(())
    }

    /// Sends what has come out of the links.
    fn send_on(&mut self) {
        loop {
            let time = self.time();
            let (direction, outcome) = if let Some(outcome) = self.links.down.poll(time) {
                (Direction::Down, outcome)
            } else if let Some(outcome) = self.links.up.poll(time) {
                (Direction::Up, outcome)
            } else {
                return;
            };
            let way = match direction {
                Direction::Down => &mut self.counts.down,
                Direction::Up => &mut self.counts.up,
            };
            way.count(&outcome, time);
            if let Outcome::Delivered { packet, .. } = &outcome {
                let Datagram { client, payload } = &packet.payload;
                let sent = match direction {
                    Direction::Down => self.clients.socket(*client).send(payload),
                    Direction::Up => self.listen.send_to(payload, self.clients.address(*client)),
                };
                // As on any network: what cannot be sent is lost, and the ends see to it.
                way.unsent += u64::from(sent.is_err());
            }
            (self.note)(direction, &outcome);
        }
    }

    /// Gives all clients other ports.
    fn forget(&mut self) -> io::Result<()> {
        self.forgets_at = self.links.forgets.map(|after| self.time() + after);
        for number in 0..self.clients.len() {
            self.clients.renew(number)?;
            self.open_client(number)?;
        }
        Ok(())
    }

    fn open_client(&self, number: usize) -> io::Result<()> {
        let (socket, gone) = self.clients.inbox(number)?;
        self.open(socket, Some((number, gone)))
    }

    fn open(&self, socket: UdpSocket, client: Option<(usize, Arc<AtomicBool>)>) -> io::Result<()> {
        inbox::open(self.scope, socket, client, self.sender.clone(), self.done)
    }

    fn time(&self) -> Duration {
        now() - self.start
    }
}

/// Bytes of the UDP and IP headers in front of a datagram.
fn headers(address: SocketAddr) -> u32 {
    if address.ip().to_canonical().is_ipv4() {
        28
    } else {
        48
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a relay works in real time between other programs"
)]
fn now() -> Instant {
    Instant::now()
}
