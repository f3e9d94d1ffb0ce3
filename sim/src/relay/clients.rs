//! Who uses the relay.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// More are not let in: each has a socket and a thread.
const MOST: usize = 64;
/// One that has said nothing for so long gives way to another one: its connection is over.
const SILENCE: Duration = Duration::from_secs(60);

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
    /// When it said something last.
    heard: Duration,
}

impl Clients {
    pub(super) fn new(to: SocketAddr) -> Self {
        Self {
            to,
            numbers: HashMap::new(),
            all: Vec::new(),
        }
    }

    /// The number of the client there, which says something at `now`.
    pub(super) fn number(&mut self, address: SocketAddr, now: Duration) -> Option<usize> {
        let number = self.numbers.get(&address).copied()?;
        self.all[number].heard = now;
        Some(number)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Lets a client in at `now`; gives its number. None where there are too many.
    pub(super) fn add(&mut self, address: SocketAddr, now: Duration) -> io::Result<Option<usize>> {
        let number = if self.all.len() < MOST {
            self.all.push(Client {
                address,
                socket: self.connect()?,
                gone: Arc::default(),
                heard: now,
            });
            self.all.len() - 1
        } else {
            let all = self.all.iter().enumerate();
            let oldest = all.min_by_key(|(_, client)| client.heard);
            let silent = oldest.filter(|(_, client)| now > client.heard + SILENCE);
            let Some((number, _)) = silent else {
                return Ok(None);
            };
            self.renew(number)?;
            let client = &mut self.all[number];
            self.numbers.remove(&client.address);
            (client.address, client.heard) = (address, now);
            number
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_have_gone_give_way() {
        let seconds = Duration::from_secs;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let address = |n: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, 1000 + n as u16));
        let mut clients = Clients::new(to);
        for n in 0..MOST {
            assert_eq!(clients.add(address(n), seconds(0)).unwrap(), Some(n));
        }
        assert_eq!(clients.add(address(MOST), seconds(60)).unwrap(), None);
        for n in (0..MOST).filter(|&n| n != 7) {
            assert_eq!(clients.number(address(n), seconds(30)), Some(n));
        }
        let (_, gone) = clients.inbox(7).unwrap();
        assert_eq!(clients.add(address(MOST), seconds(61)).unwrap(), Some(7));
        assert!(
            gone.load(Ordering::Relaxed),
            "nobody waits at the old socket"
        );
        assert_eq!(clients.address(7), address(MOST));
        assert_eq!(clients.number(address(7), seconds(61)), None);
        assert_eq!(clients.add(address(7), seconds(62)).unwrap(), None);
        assert_eq!(clients.len(), MOST);
    }
}
