//! The way into QUIC: hands datagrams over and says what QUIC knows of the path.

use bytes::Bytes;
use quinn::{Connection, ConnectionError, SendDatagramError};
use raq_shared::quic::window::SafetyWindow;
use raq_shared::units::Bitrate;

use crate::rate::Path;

/// QUIC as far as datagrams go.
#[derive(Debug)]
pub(crate) struct Uplink {
    /// QUIC's buffer when nothing is in it, bytes.
    room: usize,
    window: Option<SafetyWindow>,
    refused: u64,
}

impl Uplink {
    /// For a connection that has sent no datagrams yet.
    pub(crate) fn new(connection: &Connection) -> Self {
        Self {
            room: connection.datagram_send_buffer_space(),
            window: SafetyWindow::of(connection),
            refused: 0,
        }
    }

    /// Hands a datagram to QUIC. One that is longer than the path carries is dropped: the path has
    /// become narrower since it was packed.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn send(
        &mut self,
        connection: &Connection,
        datagram: Bytes,
    ) -> Result<(), ConnectionError> {
        let len = datagram.len();
        match connection.send_datagram(datagram) {
            Ok(()) => Ok(()),
            Err(SendDatagramError::ConnectionLost(error)) => Err(error),
            Err(error) => {
                self.refused += 1;
                tracing::debug!(
                    len,
                    count = self.refused,
                    "a datagram was not sent: {error}"
                );
                Ok(())
            }
        }
    }

    /// A report has led to this estimate: QUIC's window follows it.
    pub(crate) fn estimated(&self, estimate: Bitrate) {
        if let Some(window) = &self.window {
            window.set(estimate);
        }
    }

    /// Whether QUIC would drop the oldest datagram to take another one.
    pub(crate) fn is_full(&self, connection: &Connection) -> bool {
        let longest = connection.max_datagram_size().unwrap_or(0);
        connection.datagram_send_buffer_space() < longest
    }

    /// Bytes handed over that have not left yet.
    pub(crate) fn queued(&self, connection: &Connection) -> usize {
        let space = connection.datagram_send_buffer_space();
        self.room.saturating_sub(space)
    }

    /// The path as QUIC knows it.
    pub(crate) fn path(&self, connection: &Connection) -> Path {
        Path {
            queued: self.queued(connection),
            max_datagram: connection.max_datagram_size().unwrap_or(0),
            budget: None,
        }
    }
}
