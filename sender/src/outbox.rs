//! Datagrams on their way into QUIC, whose own buffer drops the oldest when it is full.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, SendDatagramError};

use crate::estimate::{Estimator, Window};
use crate::rate::Path;
use crate::session::Sent;

/// What is sent in order.
#[derive(Debug)]
enum Item {
    Datagram(Bytes),
    /// All datagrams of a frame are before this.
    Sent(Sent),
}

/// Holds back what QUIC has no room for.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: VecDeque<Item>,
    /// Bytes in `waiting`.
    bytes: usize,
    /// QUIC's buffer when nothing is in it.
    room: usize,
    estimator: Estimator,
}

impl Outbox {
    /// For a connection that has sent nothing yet.
    pub(crate) fn new(connection: &Connection) -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            room: connection.datagram_send_buffer_space(),
            estimator: Estimator::default(),
        }
    }

    pub(crate) fn datagram(&mut self, datagram: Bytes) {
        self.bytes += datagram.len();
        self.waiting.push_back(Item::Datagram(datagram));
    }

    pub(crate) fn sent(&mut self, sent: Sent) {
        self.waiting.push_back(Item::Sent(sent));
    }

    /// Hands over what there is room for; tells `sent` of frames whose last datagram went.
    pub(crate) fn pump(
        &mut self,
        connection: &Connection,
        mut sent: impl FnMut(Sent),
    ) -> Result<(), ConnectionError> {
        while let Some(item) = self.waiting.front() {
            if let Item::Datagram(datagram) = item
                && datagram.len() > connection.datagram_send_buffer_space()
            {
                break;
            }
            match self.waiting.pop_front() {
                Some(Item::Datagram(datagram)) => {
                    self.bytes -= datagram.len();
                    match connection.send_datagram(datagram) {
                        Ok(()) => {}
                        Err(SendDatagramError::ConnectionLost(error)) => return Err(error),
                        // The path has become narrower since it was packed.
                        Err(error) => tracing::debug!("a datagram was not sent: {error}"),
                    }
                }
                Some(Item::Sent(frame)) => sent(frame),
                None => {}
            }
        }
        Ok(())
    }

    /// Whether something waits for room.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether everything has left this end.
    pub(crate) fn is_empty(&self, connection: &Connection) -> bool {
        self.waiting.is_empty() && self.queued(connection) == 0
    }

    /// Bytes given out that have not left yet.
    fn queued(&self, connection: &Connection) -> usize {
        self.bytes
            + self
                .room
                .saturating_sub(connection.datagram_send_buffer_space())
    }

    /// The path at `now`.
    pub(crate) fn path(&mut self, now: Duration, connection: &Connection) -> Path {
        let stats = connection.stats().path;
        let window = Window {
            bytes: stats.cwnd,
            round_trip: stats.rtt,
            shortest: stats.min_rtt,
        };
        Path {
            estimate: self.estimator.update(now, window),
            queued: self.queued(connection),
            max_datagram: connection.max_datagram_size().unwrap_or(0),
            budget: None,
        }
    }
}
