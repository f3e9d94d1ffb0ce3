//! A UDP socket whose packets go through the simulated link.

use std::{
    fmt,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

use super::wires::Wires;
use crate::record::Direction;

/// The socket of one end of a flow.
pub(super) struct Socket {
    wires: Arc<Wires>,
    flow: usize,
    /// Where what is sent goes.
    direction: Direction,
    delay: Option<Duration>,
}

impl Socket {
    /// For the sender of a flow where `direction` is down, for its receiver where it is up.
    pub(super) fn new(
        wires: Arc<Wires>,
        flow: usize,
        direction: Direction,
        delay: Option<Duration>,
    ) -> Self {
        Self {
            wires,
            flow,
            direction,
            delay,
        }
    }
}

/// The address of the end that sends into `direction`; each flow has a pair of its own.
pub(super) fn address(direction: Direction) -> SocketAddr {
    let port = match direction {
        Direction::Down => 1,
        Direction::Up => 2,
    };
    (Ipv4Addr::LOCALHOST, port).into()
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Down => Direction::Up,
        Direction::Up => Direction::Down,
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("flow", &self.flow)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len());
        for contents in transmit.contents.chunks(size.max(1)) {
            self.wires
                .send(self.flow, self.direction, self.delay, contents);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let from = opposite(self.direction);
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            let Poll::Ready(packet) = self.wires.receive(self.flow, from, context.waker()) else {
                break;
            };
            let len = packet.len().min(buffer.len());
            buffer[..len].copy_from_slice(&packet[..len]);
            // No marks of congestion: the relay between real sockets passes none on either.
            *meta = RecvMeta {
                addr: address(from),
                len,
                stride: len,
                ecn: None,
                dst_ip: None,
            };
            count += 1;
        }
        match count {
            0 => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(address(self.direction))
    }
}

/// The link takes everything, and drops what it has no room for.
#[derive(Debug)]
struct Writable;

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
