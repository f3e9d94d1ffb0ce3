//! A thread that waits at a socket.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread::{self, Scope},
    time::Instant,
};

use bytes::Bytes;

use super::{PATIENCE, now};

/// The largest datagram there is.
const LARGEST: usize = 65_535;

/// What a socket received.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) origin: Origin,
    pub(super) payload: Bytes,
    /// When it was taken from the socket.
    pub(super) at: Instant,
}

/// Which socket, and who sent it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The socket that clients send to.
    Listen(SocketAddr),
    /// The socket of the client of this number.
    Client(usize),
}

/// Starts a thread that puts what `socket` receives into `letters` until `done`, or its error.
/// What comes to the socket of a `client` is taken as for it, until the flag beside its number is
/// true.
pub(super) fn open<'scope>(
    scope: &'scope Scope<'scope, '_>,
    socket: UdpSocket,
    client: Option<(usize, Arc<AtomicBool>)>,
    letters: Sender<io::Result<Letter>>,
    done: &'scope AtomicBool,
) -> io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let receive = move || {
        let mut buffer = vec![0; LARGEST];
        let number = client.as_ref().map(|&(number, _)| number);
        let is_over = || {
            let gone = client.as_ref().map(|(_, gone)| gone);
            done.load(Ordering::Relaxed) || gone.is_some_and(|gone| gone.load(Ordering::Relaxed))
        };
        while !is_over() {
            let letter = match socket.recv_from(&mut buffer) {
                Ok((length, from)) => Ok(Letter {
                    origin: number.map_or(Origin::Listen(from), Origin::Client),
                    payload: Bytes::copy_from_slice(&buffer[..length]),
                    at: now(),
                }),
                Err(error) => match error.kind() {
                    // Refused: nobody is there yet, or any more.
                    ErrorKind::WouldBlock
                    | ErrorKind::TimedOut
                    | ErrorKind::Interrupted
                    | ErrorKind::ConnectionRefused => continue,
                    _ => Err(error),
                },
            };
            let failed = letter.is_err();
            if letters.send(letter).is_err() || failed {
                break;
            }
        }
    };
    let name = "relay inbox".to_owned();
    thread::Builder::new()
        .name(name)
        .spawn_scoped(scope, receive)?;
    Ok(())
}
