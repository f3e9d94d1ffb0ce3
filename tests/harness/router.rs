//! A router between two programs that forgets a port once, at the worst moment.

use std::{
    collections::HashMap,
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

/// How long to look at one socket before the next.
const TURN: Duration = Duration::from_millis(1);

/// Gives its first client another port as soon as the receiver's first answer has passed: what
/// completes the handshake comes from there. Works until the test ends.
pub struct Router {
    /// Where it listens.
    pub address: SocketAddr,
}

impl Router {
    /// One in front of `to`.
    ///
    /// # Panics
    /// Where there is no socket.
    pub fn start(to: SocketAddr) -> Self {
        let listen = socket();
        let address = listen.local_addr().expect("an address");
        thread::spawn(move || route(&listen, to));
        Self { address }
    }
}

/// What is known of a client.
struct Client {
    socket: UdpSocket,
    /// Whether its port is to be forgotten.
    unlucky: bool,
}

fn route(listen: &UdpSocket, to: SocketAddr) {
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
    let mut datagram = [0; 1 << 16];
    loop {
        if let Some((length, from)) = receive(listen, &mut datagram) {
            let unlucky = clients.is_empty();
            let client = clients.entry(from).or_insert_with(|| Client {
                socket: socket(),
                unlucky,
            });
            // It fails where the receiver has ended.
            let _ = client.socket.send_to(&datagram[..length], to);
        }
        for (&address, client) in &mut clients {
            if let Some((length, _)) = receive(&client.socket, &mut datagram) {
                let _ = listen.send_to(&datagram[..length], address);
                if std::mem::take(&mut client.unlucky) {
                    client.socket = socket();
                }
            }
        }
    }
}

fn receive(socket: &UdpSocket, datagram: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(datagram) {
        Ok(received) => Some(received),
        Err(error) => {
            let nothing = [
                ErrorKind::WouldBlock,
                ErrorKind::TimedOut,
                ErrorKind::ConnectionRefused,
            ];
            assert!(nothing.contains(&error.kind()), "{error}");
            None
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(TURN)).expect("a timeout");
    socket
}
