//! Who uses the relay.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    /// Turns true when it has another socket.
    gone: Arc<AtomicBool>,
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

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Lets a client in; gives its number. None where there are too many.
    pub(super) fn add(&mut self, address: SocketAddr) -> io::Result<Option<usize>> {
        if self.all.len() >= MOST {
            return Ok(None);
        }
        let number = self.all.len();
        self.all.push(Client {
            address,
            socket: self.connect()?,
            gone: Arc::default(),
        });
        self.numbers.insert(address, number);
        Ok(Some(number))
    }

    /// Gives a client another socket.
    pub(super) fn renew(&mut self, number: usize) -> io::Result<()> {
        let socket = self.connect()?;
        let client = &mut self.all[number];
        client.gone.store(true, Ordering::Relaxed);
        client.gone = Arc::default();
        client.socket = socket;
        Ok(())
    }

    fn connect(&self) -> io::Result<UdpSocket> {
        let any = match self.to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.to)?;
        Ok(socket)
    }

    /// A client's socket once more, to wait at it, and what turns true when it is no longer that.
    pub(super) fn inbox(&self, number: usize) -> io::Result<(UdpSocket, Arc<AtomicBool>)> {
        let Client { socket, gone, .. } = &self.all[number];
        Ok((socket.try_clone()?, gone.clone()))
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
