//! Who uses the relay.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// More are not let in: each has a socket and a thread.
const MOST: usize = 64;

/// The clients, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct Clients {
    to: SocketAddr,
    numbers: HashMap<SocketAddr, usize>,
    all: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    address: SocketAddr,
    /// Connected to where all clients want to go.
    socket: UdpSocket,
}

impl Clients {
    pub(super) fn new(to: SocketAddr) -> Self {
        Self {
            to,
            numbers: HashMap::new(),
            all: Vec::new(),
        }
    }

    pub(super) fn number(&self, address: SocketAddr) -> Option<usize> {
        self.numbers.get(&address).copied()
    }

    /// Lets a client in: its number, and its socket once more. None where there are too many.
    pub(super) fn add(&mut self, address: SocketAddr) -> io::Result<Option<(usize, UdpSocket)>> {
        if self.all.len() >= MOST {
            return Ok(None);
        }
        let any = match self.to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.to)?;
        let again = socket.try_clone()?;
        let number = self.all.len();
        self.numbers.insert(address, number);
        self.all.push(Client { address, socket });
        Ok(Some((number, again)))
    }

    /// Where a client is.
    pub(super) fn address(&self, number: usize) -> SocketAddr {
        self.all[number].address
    }

    /// A client's socket towards where it wants to go.
    pub(super) fn socket(&self, number: usize) -> &UdpSocket {
        &self.all[number].socket
    }
}
